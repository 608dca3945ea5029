"""A build beside the page: it goes on while the page is drawn anew, and can be stopped."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import structlog

from plantid_core.compare.specimens import specimens
from plantid_core.errors import HerbariumUnusable, InputUnreadable, PlantIDError
from plantid_core.providers.herbarium.build import build
from plantid_core.upload.archive import unpacked

if TYPE_CHECKING:
    from typing import BinaryIO

    from plantid_core.desk import Desk
    from plantid_core.providers.herbarium.specimen import Built, Progress

_ONE = threading.Lock()


class HerbariumJob:
    """One build from a ZIP file, in a thread of its own; raises `HerbariumUnusable` where one runs."""

    def __init__(self, desk: Desk, archive: BinaryIO, name: str) -> None:
        workbench = desk.workbench_for("herbarium.change")
        if not _ONE.acquire(blocking=False):
            reason = "Another build of the herbarium is under way. Wait until it has ended."
            raise HerbariumUnusable("busy", reason)
        self.progress: Progress | None = None
        self.built: Built | None = None
        self.error = ""
        self._stop = threading.Event()
        self._desk, self._workbench = desk, workbench
        self._archive, self._name = archive, name
        self._thread = threading.Thread(target=self._run, name="herbarium-build", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        """Tell whether it goes on."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Look at no more photos; what has been looked at is kept for the next build."""
        self._stop.set()

    def _run(self) -> None:
        try:
            with unpacked(self._archive, self._name) as found:
                photos = specimens(found.root, self._workbench.names)
                self.built = build(
                    photos, self._workbench.settings.data_dir, tell=self._tell, stop=self._stop
                )
        except InputUnreadable as error:
            # The folder is one of this server's, and nobody else's business.
            self.error = error.reason
        except PlantIDError as error:
            self.error = str(error)
        except Exception as error:  # noqa: BLE001 - the page tells of it; nobody else would
            structlog.get_logger().error("herbarium failed", error=type(error).__name__)
            self.error = "Something went wrong while the herbarium was built. Try again."
        finally:
            _ONE.release()

    def _tell(self, progress: Progress) -> None:
        self.progress = progress
        if not self._desk.still_in():
            self.stop()
