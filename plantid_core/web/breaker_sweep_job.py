"""A sweep beside the page: it goes on while the page is drawn anew, and can be stopped."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from plantid_core.errors import PlantIDError
from plantid_core.lab import breaker_sim

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from plantid_core.lab.breaker_sim import Protection, Scenario
    from plantid_core.lab.sweep import Progress

UNSEEN_S: Final = 30.0
_ONE = threading.Lock()


class SweepBusy(PlantIDError):
    """Another sweep runs on this server."""

    def __init__(self) -> None:
        super().__init__("Another sweep is using this server's cores. Try again in a moment.")


class SweepJob:
    """One sweep in a thread of its own; it stops when nobody looks. Raises `SweepBusy`."""

    def __init__(
        self,
        protection: Protection,
        axes: Mapping[str, Sequence[float]],
        scenario: Scenario,
        seeds: Sequence[int],
    ) -> None:
        self.axes, self.scenario, self.protection = tuple(axes), scenario, protection
        self.total = len(breaker_sim.jobs(protection, axes, scenario, seeds))
        if not _ONE.acquire(blocking=False):
            raise SweepBusy
        self.progress: Progress | None = None
        self.rows: pd.DataFrame | None = None
        self.error = ""
        self._stop = threading.Event()
        self._seen = time.monotonic()
        self._arguments = (protection, axes, scenario, seeds)
        threading.Thread(target=self._run, name="breaker-sweep", daemon=True).start()

    @property
    def running(self) -> bool:
        """Tell whether it goes on."""
        return self.rows is None and not self.error

    @property
    def whole(self) -> bool:
        """Tell whether every run has ended."""
        return self.rows is not None and len(self.rows) == self.total

    def seen(self) -> None:
        """Tell that somebody still waits for it."""
        self._seen = time.monotonic()

    def stop(self) -> None:
        """Begin no more runs; what has ended is kept."""
        self._stop.set()

    def _tell(self, progress: Progress) -> None:
        self.progress = progress
        if time.monotonic() - self._seen > UNSEEN_S:
            self._stop.set()

    def _run(self) -> None:
        try:
            self.rows = breaker_sim.sweep(*self._arguments, tell=self._tell, stop=self._stop)
        except Exception as error:  # noqa: BLE001 - the page tells of it; nobody else would
            self.error = str(error) or type(error).__name__
        finally:
            _ONE.release()
