"""What a rig tells its client processes, and what they tell back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from plantid_core.lab.workload import Floats, Workload

    Ints: TypeAlias = npt.NDArray[np.int64]
    Flags: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Share:
    """One process's requests, at their times after ``at`` of the monotonic clock, which all share.

    ``prefix`` sets the run's keys apart from any other's; times below 0 warm a key. The share ends
    after ``duration_s``; answers that are not there ``grace_s`` later are waited for no more.
    """

    strategy: str
    workload: Workload
    prefix: str
    threads: int
    at: float
    duration_s: float
    grace_s: float
    times_s: Floats
    keys: Ints


@dataclass(frozen=True, slots=True)
class Measure:
    """Have the parts of every strategy timed, from so many threads; see `calibration`."""

    prefix: str
    threads: int
    at: float


@dataclass(frozen=True, slots=True)
class Stop:
    """End the share under way: requests that are not yet due are not sent."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A process has started, and waits for orders."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a share is: answers had, and calls made."""

    answers: int
    calls: int


@dataclass(frozen=True, slots=True)
class Answers:
    """A row a request that was sent; monotonic seconds.

    ``index`` is its place in the share, ``made`` when its value was made (NaN: it got none), ``ran``
    whether its own thread made it.
    """

    index: Ints
    begin: Floats
    end: Floats
    made: Floats
    ran: Flags


@dataclass(frozen=True, slots=True)
class Calls:
    """A row a call upstream that has ended; monotonic seconds."""

    begin: Floats
    end: Floats
    key: Ints
    failed: Flags


@dataclass(frozen=True, slots=True)
class Seen:
    """What a process saw of its share; ``unanswered`` requests had no answer at its end."""

    answers: Answers
    calls: Calls
    unanswered: int


@dataclass(frozen=True, slots=True)
class Measured:
    """Samples in seconds, by what was timed."""

    samples: dict[str, list[float]]


@dataclass(frozen=True, slots=True)
class Broke:
    """An order ended with an exception: its traceback."""

    traceback: str


Order: TypeAlias = "Share | Measure | Stop"
Told: TypeAlias = "Ready | Progress | Seen | Measured | Broke"
