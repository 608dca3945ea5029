"""The five-minute show: what is said when, and what is pressed."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True, slots=True)
class Cue:
    """A caption from ``at_s`` seconds on, and the action that is pressed with it."""

    at_s: float
    caption: str
    action: str | None = None


CUES = (
    Cue(0, "All is well. Two people a second ask for the name of a plant.", "traffic"),
    Cue(18, "Most photos are known: the cache answers, and no credit is spent."),
    Cue(
        35,
        "A thousand people at once. Two hundred of them bring the same new question: it is asked once.",
        "crowd",
    ),
    Cue(65, "Redis is killed, without warning.", "kill_store"),
    Cue(
        78, "Its watchdog has brought it back. Meanwhile each process answered from its own memory."
    ),
    Cue(
        95, "Worse than dead: Redis hangs. It takes connections, and never answers.", "freeze_store"
    ),
    Cue(108, "One failure was enough: nobody waits for it any more until it answers again."),
    Cue(
        122,
        "Plant.id goes down. New questions are answered by Pl@ntNet and the offline model.",
        "plant_id_out",
    ),
    Cue(140, "After a few failures its breaker opens: Plant.id is left alone, and nobody waits."),
    Cue(155, "A thousand people in the middle of the outage.", "crowd"),
    Cue(
        180,
        "Plant.id is back. Its breaker lets a single call try, and closes when that is well.",
        "plant_id_back",
    ),
    Cue(
        200,
        "Pl@ntNet turns slow: eight seconds an answer. Known photos do not notice.",
        "plantnet_slow",
    ),
    Cue(228, "Pl@ntNet is quick again.", "plantnet_back"),
    Cue(240, "Somebody sends a bomb: a small file that unfolds to many megapixels.", "bomb"),
    Cue(255, "Now all at once: Plant.id goes down,", "plant_id_out"),
    Cue(260, "Redis is killed,", "kill_store"),
    Cue(265, "and a thousand people come.", "crowd"),
    Cue(
        285,
        "Look at the ticker: so many were answered, so many failed, and so many credits were saved.",
    ),
    Cue(300, "Everything is reset.", "reset"),
)
LENGTH_S = CUES[-1].at_s


@dataclass(frozen=True, slots=True)
class Moment:
    """Where a performance is: seconds of the script, and what is being said."""

    at_s: float
    caption: str

    @property
    def left_s(self) -> float:
        """Return the seconds until the end."""
        return max(0.0, LENGTH_S - self.at_s)

    @property
    def share(self) -> float:
        """Return how much of the show is over, in 0…1."""
        return min(1.0, self.at_s / LENGTH_S)


class Performance:
    """One run of the script on a thread of its own; ``press`` is called with each action in turn.

    ``pace`` is how many seconds of the script pass in a second.
    """

    def __init__(
        self, press: Callable[[str], object], cues: Sequence[Cue] = CUES, *, pace: float = 1.0
    ) -> None:
        self._press, self._cues, self._pace = press, cues, pace
        self._stopped = threading.Event()
        self._over = threading.Event()
        self._caption = ""
        self._began = time.monotonic()
        threading.Thread(target=self._play, name="stage-script", daemon=True).start()

    def moment(self) -> Moment | None:
        """Return where it is; None when it is over."""
        if self._over.is_set() or self._stopped.is_set():
            return None
        return Moment(min(LENGTH_S, self._now()), self._caption)

    def stop(self) -> None:
        """Press nothing more."""
        self._stopped.set()

    def wait(self, within_s: float) -> bool:
        """Wait for the end; tell whether it came."""
        return self._over.wait(within_s)

    def _now(self) -> float:
        return (time.monotonic() - self._began) * self._pace

    def _play(self) -> None:
        for cue in self._cues:
            if self._stopped.wait(max(0.0, cue.at_s - self._now()) / self._pace):
                break
            self._caption = cue.caption
            if cue.action is not None:
                self._press(cue.action)
        self._over.set()
