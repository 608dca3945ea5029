"""An evaluation beside the page: it goes on while the page is drawn anew, and can be stopped."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

import structlog

from plantid_core.errors import PlantIDError
from plantid_core.evaluation import evaluate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plantid_core.desk import Desk
    from plantid_core.evaluation import Evaluation, Progress
    from plantid_core.web.labelled import Labels

UNSEEN_S: Final = 60.0
_AT_ONCE: Final = 4
_ONE = threading.Lock()


class EvaluationBusy(PlantIDError):
    """Another evaluation runs on this server."""

    def __init__(self) -> None:
        super().__init__("Another evaluation is under way on this server. Try again in a moment.")


class EvaluationJob:
    """One evaluation in a thread of its own; it stops when nobody looks. Raises `EvaluationBusy`.

    ``small`` keeps the small pictures that were made of its photos.
    """

    def __init__(
        self,
        desk: Desk,
        labels: Labels,
        providers: Sequence[str],
        *,
        include_sandbox: bool,
        seed: int,
    ) -> None:
        workbench = desk.workbench_for("evaluate.run")
        if not _ONE.acquire(blocking=False):
            raise EvaluationBusy
        self.labels, self.providers, self.seed = labels, tuple(providers), seed
        self.include_sandbox = include_sandbox
        self.progress: Progress | None = None
        self.found: Evaluation | None = None
        self.error = ""
        self.small: dict[str, bytes | None] = {}
        self._desk, self._workbench = desk, workbench
        self._stop = threading.Event()
        self._seen = time.monotonic()
        threading.Thread(target=self._run, name="evaluation", daemon=True).start()

    @property
    def running(self) -> bool:
        """Tell whether it goes on."""
        return self.found is None and not self.error

    @property
    def stopping(self) -> bool:
        """Tell whether it was asked to stop."""
        return self._stop.is_set()

    def settings(self) -> tuple[object, ...]:
        """Return what tells two evaluations apart."""
        return (id(self.labels), self.providers, self.include_sandbox, self.seed)

    def seen(self) -> None:
        """Tell that somebody still waits for it."""
        self._seen = time.monotonic()

    def stop(self) -> None:
        """Ask for no more photos; what has been answered is measured."""
        self._stop.set()

    def _tell(self, progress: Progress) -> None:
        self.progress = progress
        if time.monotonic() - self._seen > UNSEEN_S or not self._desk.still_in():
            self._stop.set()

    def _run(self) -> None:
        try:
            self.found = evaluate(
                self._workbench,
                self.labels.photos,
                include_sandbox=self.include_sandbox,
                providers=self.providers,
                concurrency=_AT_ONCE,
                tell=self._tell,
                stop=self._stop,
                user=self._desk.user,
                seed=self.seed,
            )
        except PlantIDError as error:
            self.error = str(error)
        except Exception as error:  # noqa: BLE001 - the page tells of it; nobody else would
            structlog.get_logger().error("evaluation failed", exc_info=error)
            self.error = "Something went wrong here, and it has been logged."
        finally:
            _ONE.release()
