"""One run of a page's script: an id for what it asks, a span, and its time."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from plantid_core.telemetry import metrics, request, spans

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def page_run(page: str) -> Iterator[None]:
    """Have the enclosed run of the page ``page`` known by a request id of its own."""
    span = spans.begin("page", None, {"page": page})
    begin = time.perf_counter()
    try:
        # For good: what the run raises is logged after this block, and the thread runs nothing else.
        request.begin()
        with spans.within(span):
            yield
    finally:
        metrics.page_ran(page, time.perf_counter() - begin)
        spans.end(span)
