"""What is told to the log, where this process has set one up; a library stays silent."""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_HERE = threading.local()


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
