"""The trace of one request: what the page draws under "What happened" and what the JSON carries."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from plantid_core.plants import Stage
from plantid_core.telemetry import request, spans

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(slots=True)
class Note:
    """What a stage has to say for itself when it ends; ``facts`` are for its span alone."""

    text: str = ""
    facts: dict[str, str] | None = None


def _request_id() -> str:
    return request.current() or request.new()


@dataclass(slots=True)
class Trace:
    """Stages of one request, recorded from any thread.

    ``request_id`` is that of whoever makes the trace; where there is none, the trace begins one.
    """

    started: float = field(default_factory=time.perf_counter)
    request_id: str = field(default_factory=_request_id)
    above: spans.Above = field(default_factory=spans.here)
    _stages: list[Stage] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def stage(self, name: str) -> Iterator[Note]:
        """Record the enclosed work as a stage called ``name``, also when it raises."""
        note = Note()
        span = spans.begin(name, self.above)
        begin = time.perf_counter()
        try:
            yield note
        finally:
            end = time.perf_counter()
            stage = Stage(name, (begin - self.started) * 1e3, (end - begin) * 1e3, note.text)
            with self._lock:
                self._stages.append(stage)
            spans.end(span, note.facts)

    def passed(
        self, name: str, begin: float, text: str = "", facts: Mapping[str, str] | None = None
    ) -> None:
        """Record a stage that began at ``begin`` (of time.perf_counter) and ends now, without a word.

        For what takes microseconds: `stage` costs as much.
        """
        spans.end(spans.begin(name, self.above), facts)
        end = time.perf_counter()
        stage = Stage(name, (begin - self.started) * 1e3, (end - begin) * 1e3, text)
        with self._lock:
            self._stages.append(stage)

    def stages(self) -> tuple[Stage, ...]:
        """Return what has been recorded, by time of start."""
        with self._lock:
            return tuple(sorted(self._stages, key=lambda stage: stage.start_ms))
