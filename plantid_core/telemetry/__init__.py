"""What is told of this process's work: logs, traces of requests, counts, spans.

Nothing here holds personal data or a secret. `tell` is for events, `Trace` for one request's stages,
`metrics` for counts, `totals` for what a page shows of them. Light: what is heavy loads on first use.
"""

from __future__ import annotations

from plantid_core.telemetry.events import quiet, shout, tell
from plantid_core.telemetry.logs import configure_logging
from plantid_core.telemetry.metrics import count_verdict
from plantid_core.telemetry.totals import Totals, totals
from plantid_core.telemetry.trace import Note, Trace

__all__ = [
    "Note",
    "Totals",
    "Trace",
    "configure_logging",
    "count_verdict",
    "quiet",
    "shout",
    "tell",
    "totals",
]
