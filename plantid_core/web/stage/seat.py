"""One visitor before the stage: may they press, and what they pressed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plantid_core.desk import Desk
    from plantid_core.web.stage.switches import Switch
    from plantid_core.web.stage.theatre import Stage

_UNKNOWN = "Only somebody who is signed in may break this app."


@dataclass(frozen=True, slots=True)
class Seat:
    """A session's page and the stage of the process; each press is asked for, and refused by raising."""

    stage: Stage
    desk: Desk
    session: str

    @property
    def free(self) -> bool:
        """Tell whether nobody else is on stage."""
        return self.stage.free_for(self.session)

    def refusal(self, switch: Switch | None = None) -> str | None:
        """Return why a switch, or any at all, cannot be pressed from here; None where it can."""
        found = self.stage.switches.refusal(switch)
        return found or (None if self.desk.may("stage.press") else _UNKNOWN)

    def seen(self) -> None:
        """Note that the page is still open."""
        self.stage.seen(self.session)

    def press(self, action: str) -> None:
        """Do it, as far as the stage is free."""
        self.desk.require("stage.press")
        self.stage.press(action, self.session)

    def play(self) -> None:
        """Begin the show."""
        self.desk.require("stage.press")
        self.stage.play(self.session)

    def rehearse(self, name: str) -> None:
        """Begin a drill."""
        self.desk.require("stage.press")
        self.stage.rehearse(name, self.session)

    def stop(self) -> None:
        """End the show where it is, or the drill."""
        self.desk.require("stage.press")
        self.stage.stop(self.session)
