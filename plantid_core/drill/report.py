"""What a drill hands back: a timeline of what happened, figures, and whether every check held."""

from __future__ import annotations

import threading
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Tell: TypeAlias = Callable[["Entry"], object]

Figure: TypeAlias = float | int | str | bool

CHECK_HOLDS, CHECK_FAILED, BROKE_OFF = "check holds", "check failed", "broke off"


@dataclass(frozen=True, slots=True)
class Entry:
    """One moment of a drill: seconds after its start, who did or met what."""

    t_s: float
    who: str
    event: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class DrillReport:
    """A finished drill; a figure's name ends with its unit (``slowest_ms``, ``back_after_s``)."""

    drill: str
    passed: bool
    figures: Mapping[str, Figure]
    timeline: tuple[Entry, ...]

    def failures(self) -> list[str]:
        """Return why it failed, a line for each reason."""
        return [
            f"{entry.event}: {entry.detail}"
            for entry in self.timeline
            if entry.event in {CHECK_FAILED, BROKE_OFF}
        ]

    def to_dict(self) -> dict[str, object]:
        """Return the JSON of `plantid drill --json`."""
        return {
            "drill": self.drill,
            "passed": self.passed,
            "figures": dict(self.figures),
            "timeline": [asdict(entry) for entry in self.timeline],
        }


class Timeline:
    """What has happened so far; notes may come from any thread. ``tell`` hears of each at once."""

    def __init__(self, tell: Tell) -> None:
        self._began = time.monotonic()
        self._tell = tell
        self._lock = threading.Lock()
        self._entries: list[Entry] = []

    def note(self, who: str, event: str, detail: str = "") -> None:
        """Add a moment: now."""
        with self._lock:
            entry = Entry(round(time.monotonic() - self._began, 3), who, event, detail)
            self._entries.append(entry)
        self._tell(entry)

    def entries(self) -> tuple[Entry, ...]:
        """Return all moments, in their order."""
        with self._lock:
            return tuple(self._entries)
