"""Every verdict is told and counted, by its code alone: neither a name nor a byte of the file."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from plantid_core.errors import UploadRejected
from plantid_core.telemetry import tell, upload_verdicts

if TYPE_CHECKING:
    from collections.abc import Iterator

ACCEPTED = "accepted"


@contextmanager
def recorded() -> Iterator[None]:
    """Record the verdict of the enclosed work; a refusal passes on."""
    begin = time.perf_counter()
    try:
        yield
    except UploadRejected as rejected:
        record(rejected, begin)
        raise
    record(None, begin)


def record(rejected: UploadRejected | None, begin: float) -> None:
    """Record a verdict whose work began at ``begin`` (of time.perf_counter)."""
    code, gate = (rejected.code, rejected.layer) if rejected else (ACCEPTED, "")
    upload_verdicts().labels(code, gate).inc()
    tell("upload.verdict", code=code, gate=gate, ms=round((time.perf_counter() - begin) * 1e3, 1))
