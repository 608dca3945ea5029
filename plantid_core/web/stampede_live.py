"""*Run it for real*: the chosen strategies on real processes, behind the page, one run in the server."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import structlog

from plantid_core.errors import PlantIDError

if TYPE_CHECKING:
    from plantid_core.lab.live import LiveRun
    from plantid_core.lab.workload import Workload
    from plantid_core.web.stampede_controls import Choice

# A lifetime of a minute would make a visitor wait for minutes: what is cut is told beside the chart.
_TTL_S: Final = 1.0
_TTL_DELTAS: Final = 8
_EXPIRIES: Final = 4
_LONGEST_S: Final = 12.0
_PROCESSES: Final = 4
# A closed tab's run ends after that: nobody would see it, and others wait for their turn.
UNSEEN_S: Final = 30.0
_STARTING: Final = "Starting a Valkey, a service and the client processes …"
_ONE_AT_A_TIME = threading.Lock()


def bounded(workload: Workload) -> Workload:
    """Return the workload as it is run for real: a short life for values, and a few expiries."""
    shortest = max(_TTL_S, _TTL_DELTAS * workload.recompute.mean_s)
    ttl_s = min(workload.ttl_s, shortest)
    soft_s = None if workload.soft_ttl_s is None else ttl_s * workload.soft_s / workload.ttl_s
    return replace(
        workload,
        ttl_s=ttl_s,
        soft_ttl_s=soft_s,
        duration_s=min(_EXPIRIES * ttl_s, _LONGEST_S),
        processes=min(workload.processes, _PROCESSES),
        burst_s=ttl_s / 2,
        period_s=2 * ttl_s,
    )


@dataclass(frozen=True, slots=True)
class Progress:
    """What is going on: ``share`` from 0 to 1 of all that was to be run."""

    share: float
    doing: str


class LiveRuns:
    """One press of the button: a run a strategy, one after the other, in a thread of its own.

    It stops when nobody has `seen` it for `UNSEEN_S` seconds.
    """

    def __init__(self, choice: Choice) -> None:
        self.choice = choice
        self.workload = bounded(choice.workload)
        self.landed: dict[str, LiveRun] = {}
        self.error = ""
        self._at = (0.0, 0, "")
        self._stop = threading.Event()
        self._seen = time.monotonic()
        self._thread = threading.Thread(target=self._run, daemon=True, name="stampede-live")

    @property
    def progress(self) -> Progress:
        """Return how far it is."""
        begun, number, doing = self._at
        every = len(self.choice.strategies)
        within = min(1.0, (time.monotonic() - begun) / self.workload.duration_s) if doing else 0.0
        return Progress(min(1.0, (number + within) / every), doing or _STARTING)

    @property
    def running(self) -> bool:
        """Return whether it is not over yet."""
        return self._thread.is_alive()

    @property
    def stopped(self) -> bool:
        """Return whether somebody stopped it."""
        return self._stop.is_set()

    def seen(self) -> None:
        """Tell that somebody still waits for it."""
        self._seen = time.monotonic()

    def stop(self) -> None:
        """End soon; what has landed stays."""
        self._stop.set()

    def join(self, seconds: float) -> None:
        """Wait for its end, at most so long."""
        self._thread.join(seconds)

    def fits(self, choice: Choice) -> bool:
        """Return whether the points are of these settings, whatever strategies are chosen."""
        return (self.choice.workload, self.choice.seed) == (choice.workload, choice.seed)

    def start(self) -> None:
        """Begin; for `begin` alone."""
        self._thread.start()

    def _run(self) -> None:
        try:
            self._run_all()
        except PlantIDError as error:
            self.error = str(error)
        except Exception as error:  # noqa: BLE001 - a thread's error would reach nobody
            structlog.get_logger().error("live run failed", exc_info=error)
            self.error = "The live run broke down, and that has been logged. Try again."
        finally:
            _ONE_AT_A_TIME.release()

    def _run_all(self) -> None:
        from plantid_core.lab import live

        strategies = self.choice.strategies
        with live.Rig(processes=self.workload.processes) as rig:
            for number, strategy in enumerate(strategies):
                if self._over():
                    return
                self._at = (time.monotonic(), number, f"Asking through {strategy} …")
                work = bounded(self.choice.of(strategy))
                run = live.run(strategy, work, self.choice.seed, rig=rig, stop=self._over)
                if not self.stopped:
                    self.landed[strategy] = run

    def _over(self) -> bool:
        if time.monotonic() - self._seen > UNSEEN_S:
            self._stop.set()
        return self.stopped


def begin(choice: Choice) -> LiveRuns | None:
    """Start a run of the choice, or return None where another visitor's is under way."""
    if not _ONE_AT_A_TIME.acquire(blocking=False):
        return None
    runs = LiveRuns(choice)
    try:
        runs.start()
    except RuntimeError:
        _ONE_AT_A_TIME.release()
        raise
    return runs


def busy() -> bool:
    """Return whether somebody's run is under way in this server."""
    return _ONE_AT_A_TIME.locked()
