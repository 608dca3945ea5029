"""Every verdict is counted, by its code alone, and told: neither a name nor a byte of the file.

One that was at hand is counted again, and not told: whoever asked is told of already.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from plantid_core.errors import UploadRejected
from plantid_core.telemetry import count_verdict, tell

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


def count_again() -> None:
    """Count a photo whose verdict was at hand."""
    count_verdict(ACCEPTED, "")


def record(rejected: UploadRejected | None, begin: float) -> None:
    """Record a verdict whose work began at ``begin`` (of time.perf_counter)."""
    code, gate = (rejected.code, rejected.layer) if rejected else (ACCEPTED, "")
    count_verdict(code, gate)
    tell("upload.verdict", code=code, gate=gate, ms=round((time.perf_counter() - begin) * 1e3, 1))
