"""A drill on the page: run on a rig of its own, seen while it runs, and broken off at will."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from plantid_core.drill import run
from plantid_core.errors import PlantIDError

if TYPE_CHECKING:
    from collections.abc import Callable

    from plantid_core.drill import DrillReport, Entry
    from plantid_core.drill.rig import Rig


class Rehearsal:
    """One drill, begun when it is made; ``then`` is called when it is over, however it ends.

    ``fault`` says why there is no report.
    """

    def __init__(self, name: str, then: Callable[[], object]) -> None:
        self.name = name
        self._then = then
        self.report: DrillReport | None = None
        self.fault: str | None = None
        self._entries: list[Entry] = []
        self._lock = threading.Lock()
        self._rig: Rig | None = None
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="stage-drill", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        """Tell whether it is under way."""
        return self._thread.is_alive()

    def entries(self) -> list[Entry]:
        """Return what has happened so far."""
        return list(self._entries)

    def stop(self) -> None:
        """Break it off; what it started ends with its rig."""
        with self._lock:
            self._stopped = True
            if self._rig is not None and self.running:
                self._rig.close()

    def wait(self, within_s: float) -> None:
        """Wait until it is over."""
        self._thread.join(within_s)

    def _run(self) -> None:
        from plantid_core.drill.rig import Rig

        try:
            with Rig() as rig:
                with self._lock:
                    if self._stopped:
                        return
                    self._rig = rig
                report = run(self.name, self._entries.append, rig)
        except (PlantIDError, OSError) as error:
            self.fault = str(error)
        else:
            self.report = None if self._stopped else report
        finally:
            if self._stopped:
                self.fault = "Broken off."
            self._then()
