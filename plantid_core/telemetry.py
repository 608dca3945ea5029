"""The trace of one request, and the process's logging.

A trace is what the page draws under "What happened" and what the JSON carries.
"""

from __future__ import annotations

import functools
import logging
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from plantid_core.plants import Stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Counter


_MAKING = threading.Lock()
_HERE = threading.local()


@dataclass(slots=True)
class Note:
    """What a stage has to say for itself when it ends."""

    text: str = ""


@dataclass(slots=True)
class Trace:
    """Stages of one request, recorded from any thread."""

    started: float = field(default_factory=time.perf_counter)
    _stages: list[Stage] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def stage(self, name: str) -> Iterator[Note]:
        """Record the enclosed work as a stage called ``name``, also when it raises."""
        note = Note()
        begin = time.perf_counter()
        try:
            yield note
        finally:
            end = time.perf_counter()
            stage = Stage(name, (begin - self.started) * 1e3, (end - begin) * 1e3, note.text)
            with self._lock:
                self._stages.append(stage)

    def stages(self) -> tuple[Stage, ...]:
        """Return what has been recorded, by time of start."""
        with self._lock:
            return tuple(sorted(self._stages, key=lambda stage: stage.start_ms))


def tell(event: str, **fields: object) -> None:
    """Log an event, where this process has set up its logging; a library stays silent.

    Callers see to it that nothing of a file, neither its name nor its content, and no secret is among the
    fields. Of a cache's key there is at most the digest.
    """
    _log("info", event, fields)


def shout(event: str, **fields: object) -> None:
    """Log, in the same way, what somebody should look at: at level error."""
    _log("error", event, fields)


@contextmanager
def quiet() -> Iterator[None]:
    """Log nothing from this thread meanwhile: what happens in a simulation is no news."""
    _HERE.quiet = True
    try:
        yield
    finally:
        _HERE.quiet = False


def _log(level: str, event: str, fields: dict[str, object]) -> None:
    if getattr(_HERE, "quiet", False):
        return
    # Where nobody has imported it, nobody has set it up; to import it for that would cost 50 ms.
    structlog = sys.modules.get("structlog")
    if structlog is not None and structlog.is_configured():
        getattr(structlog.get_logger(), level)(event, **fields)


def upload_verdicts() -> Counter:
    """Return the counter of the upload chain's verdicts by code (``accepted`` for no refusal)."""
    # functools.cache lets two threads make it at once, and the registry refuses the second.
    with _MAKING:
        return _upload_verdicts()


@functools.cache
def _upload_verdicts() -> Counter:
    from prometheus_client import Counter

    return Counter("plantid_upload_verdicts", "Verdicts of the upload chain", ["code", "gate"])


def configure_logging(log_format: str = "console", level: str = "info") -> None:
    """Send structured logs to stderr, so that stdout stays free for a command's own output."""
    import structlog

    renderer = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
