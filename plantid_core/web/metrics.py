"""``GET /metrics``: what this process has counted, and how its parts stand, for Prometheus.

The table of all that is exposed is `docs/metrics.md`, written by
``python -m plantid_core.web.metrics > docs/metrics.md``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from starlette.responses import Response
from starlette.routing import Route
from streamlit.runtime import Runtime
from streamlit.runtime.stats import ACTIVE_SESSIONS_FAMILY, GaugeStat

from plantid_core.resilience.breaker_settings import State
from plantid_core.telemetry.metrics import COUNTED, DEGRADED, Family
from plantid_core.web.guards.metrics import may_read_metrics
from plantid_core.web.lane import Lane
from plantid_core.web.problems import problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prometheus_client import Metric
    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from plantid_core.workbench import Workbench

_READING = 2
_STATES: tuple[State, ...] = get_args(State)

_CREDITS = Family(
    "plantid_credits", "counter", ("provider", "what"), "Credits of the services: `spent` on their"
    " answers, `saved` by answers that came without them",
)  # fmt: skip
_CACHE = Family("plantid_cache_events", "counter", ("event",), "Events of the shared cache")
_BREAKER = Family(
    "plantid_breaker_state", "gauge", ("name", "state"), "1 for the state a breaker is in, 0 for"
    " the others",
)  # fmt: skip
_REDIS = Family(
    "plantid_redis_connections", "gauge", ("state",), "Connections of the cache to Redis: `in_use`,"
    " `most` allowed, callers `waiting` for one",
)  # fmt: skip
_QUEUE = Family(
    "plantid_history_queue", "gauge", (), "Observations that are answered and not yet written"
)
_LOST = Family(
    "plantid_history_failed", "counter", (), "Observations that could not be written to the history"
)
_SESSIONS = Family("plantid_sessions", "gauge", (), "Browser sessions that are connected")

FAMILIES = (
    *COUNTED, DEGRADED, _CREDITS, _CACHE, _BREAKER, _REDIS, _QUEUE, _LOST, _SESSIONS,
)  # fmt: skip


def routes(workbench: Callable[[], Workbench]) -> list[BaseRoute]:
    """Return the route over the process's workbench."""
    lane = Lane(_READING)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Everything(workbench))

    async def show(request: Request) -> Response:
        if not may_read_metrics(request.scope, workbench().settings):
            sentence = "The figures are for whoever has PLANTID_METRICS_TOKEN, or this machine."
            refused = problem(401, sentence)
            refused.headers["WWW-Authenticate"] = 'Bearer realm="plantid-metrics"'
            return refused
        encode, media_type = choose_encoder(request.headers.get("accept", ""))
        return Response(await lane.run(lambda: encode(registry)), media_type=media_type)

    return [Route("/metrics", show, methods=["GET"])]


class _Everything:
    """What the process has counted, and then how the workbench stands now."""

    def __init__(self, workbench: Callable[[], Workbench]) -> None:
        self._workbench = workbench

    def collect(self) -> Iterator[Metric]:
        """Return every family."""
        yield from REGISTRY.collect()
        workbench = self._workbench()
        yield _gauge(
            _BREAKER,
            {
                (report["name"], state): float(report["state"] == state)
                for report in workbench.breaker_reports()
                for state in _STATES
            },
        )
        use, keeping = workbench.cache.pool_use(), workbench.archive.state()
        connections = {"in_use": use.in_use, "most": use.most, "waiting": use.waiting}
        yield _gauge(_REDIS, {(state,): count for state, count in connections.items()})
        yield _gauge(_QUEUE, {(): keeping["queued"]})
        failed = CounterMetricFamily(_LOST.name, _LOST.about)
        failed.add_metric([], keeping["failed"])
        yield failed
        yield _gauge(_SESSIONS, {(): _sessions()})


def _gauge(family: Family, values: dict[tuple[str, ...], float]) -> GaugeMetricFamily:
    made = GaugeMetricFamily(family.name, family.about, labels=family.labels)
    for labels, value in values.items():
        made.add_metric(list(labels), value)
    return made


def _sessions() -> int:
    if not Runtime.exists():
        return 0
    stats = Runtime.instance().stats_mgr.get_stats([ACTIVE_SESSIONS_FAMILY])
    found = stats.get(ACTIVE_SESSIONS_FAMILY, [])
    return sum(stat.value for stat in found if isinstance(stat, GaugeStat))


def document() -> str:
    """Return `docs/metrics.md`."""
    rows = [
        f"| `{one.exposed}` | {one.kind} | {', '.join(f'`{label}`' for label in one.labels)} |"
        f" {one.about} |"
        for one in sorted(FAMILIES, key=lambda one: one.name)
    ]
    return "\n".join([_HEAD, *rows, "", _FOOT])


_HEAD = """\
# Metrics

`GET /metrics` tells Prometheus what this process has done since it began. It answers whoever sends
`Authorization: Bearer` with `PLANTID_METRICS_TOKEN`, and this machine itself where no proxy stands before the
app. Every process has figures of its own: add them up over `instance`.

Seconds are seconds, `_total` only grows, and no label holds anything of a person, a file or a place.

| name | kind | labels | what it counts |
|---|---|---|---|"""

_FOOT = """\
Beside them stand Prometheus' own of every Python process: `process_resident_memory_bytes`,
`process_cpu_seconds_total`, `process_open_fds`, `process_start_time_seconds`, `python_gc_…` and
`python_info`. A histogram `x` is exposed as `x_bucket{le}`, `x_sum` and `x_count`.

This table is written by `python -m plantid_core.web.metrics > docs/metrics.md`.
"""


if __name__ == "__main__":
    print(document(), end="")  # noqa: T201
