"""Figures held to bars. Every check leaves its figure and an entry in the timeline, held or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plantid_core.drill.report import BROKE_OFF, CHECK_FAILED, CHECK_HOLDS, DrillReport

if TYPE_CHECKING:
    from plantid_core.drill.report import Figure, Timeline

_WHO = "drill"


class Checks:
    """The checks of one drill. A drill that checked nothing has not passed."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._figures: dict[str, Figure] = {}
        self._held: list[bool] = []

    def figure(self, name: str, value: Figure) -> None:
        """Report a figure that is held to nothing."""
        self._figures[name] = _rounded(value)

    def at_most(self, name: str, value: float, bar: float) -> None:
        """Hold a figure to an upper bound."""
        self._check(name, value, f"≤ {_words(bar)}", holds=value <= bar)

    def at_least(self, name: str, value: float, bar: float) -> None:
        """Hold a figure to a lower bound."""
        self._check(name, value, f"≥ {_words(bar)}", holds=value >= bar)

    def equal(self, name: str, value: Figure, bar: Figure) -> None:
        """Hold a figure to one value."""
        self._check(name, value, f"= {_words(bar)}", holds=value == bar)

    def broke_off(self, reason: str) -> None:
        """Fail the drill, since it could not be run to its end."""
        self._held.append(False)
        self._timeline.note(_WHO, BROKE_OFF, reason)

    def report(self, drill: str) -> DrillReport:
        """Return what came of the drill."""
        passed = bool(self._held) and all(self._held)
        return DrillReport(drill, passed, dict(self._figures), self._timeline.entries())

    def _check(self, name: str, value: Figure, bar: str, *, holds: bool) -> None:
        self.figure(name, value)
        self._held.append(holds)
        event = CHECK_HOLDS if holds else CHECK_FAILED
        self._timeline.note(_WHO, event, f"{name} {_words(value)}, to be {bar}")


def _rounded(value: Figure) -> Figure:
    return round(value, 3) if isinstance(value, float) else value


def _words(value: Figure) -> str:
    return f"{value:,.6g}" if isinstance(value, float) else str(value)
