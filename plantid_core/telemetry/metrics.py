"""What this process counts, under the names dashboards know: the table of `docs/metrics.md`.

Names, units and kinds follow https://prometheus.io/docs/practices/naming/: seconds, totals. No label
holds anything of a person or a file, and every label has few values. A count costs about a microsecond.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from plantid_core.errors import DeadlineExceeded, ProviderError, ProviderQuotaExceeded
from plantid_core.errors import ProviderRejected as Rejected
from plantid_core.telemetry import request, spans
from plantid_core.telemetry.events import tell
from plantid_core.telemetry.outages import OUTAGES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from prometheus_client import Counter, Histogram, Metric

    from plantid_core.plants import Answer, Rung
    from plantid_core.telemetry.trace import Trace

Kind = Literal["counter", "histogram", "gauge"]

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_SERVICE = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 20.0, 30.0)


@dataclass(frozen=True, slots=True)
class Family:
    """A metric as it is exposed; ``buckets`` in seconds, of a histogram that is made here."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    about: str
    buckets: tuple[float, ...] = ()

    @property
    def exposed(self) -> str:
        """Return the name as Prometheus shows it."""
        return f"{self.name}_total" if self.kind == "counter" else self.name


_HTTP = Family(
    "plantid_http_requests", "counter", ("route", "method", "status"), "Answers over HTTP"
)
_HTTP_S = Family(
    "plantid_http_request_duration_seconds", "histogram", ("route",), "From a request to the end"
    " of its answer, in seconds", _FAST,
)  # fmt: skip
_PAGE_S = Family(
    "plantid_page_run_duration_seconds", "histogram", ("page",), "Runs of a page's script, in"
    " seconds", _FAST,
)  # fmt: skip
_IDENTIFIED = Family(
    "plantid_identifications", "counter", ("rung",), "Identifications, by the rung of the ladder"
    " they were answered from (`none`: unanswered)",
)  # fmt: skip
_ANSWERS = Family(
    "plantid_answers", "counter", ("provider", "source"), "Answers of each provider, by where they"
    " came from (`none`: there was none)",
)  # fmt: skip
_CALLS = Family(
    "plantid_provider_calls", "counter", ("provider", "outcome"), "Calls of providers, each try of"
    " a retry too, by what became of them",
)  # fmt: skip
_CALL_S = Family(
    "plantid_provider_call_duration_seconds", "histogram", ("provider",), "How long a provider's"
    " call took, in seconds", _SERVICE,
)  # fmt: skip
_MOVED = Family(
    "plantid_breaker_transitions", "counter", ("name", "to"), "Changes of a breaker's state, as"
    " this process saw them",
)  # fmt: skip
_THROTTLED = Family(
    "plantid_throttled", "counter", ("scope",), "Requests refused with 429, by whose limit it was"
)
_VERDICTS = Family(
    "plantid_upload_verdicts", "counter", ("code", "gate"), "Verdicts of the upload chain"
)
COUNTED = (
    _HTTP, _HTTP_S, _PAGE_S, _IDENTIFIED, _ANSWERS, _CALLS, _CALL_S, _MOVED, _THROTTLED, _VERDICTS,
)  # fmt: skip
DEGRADED = Family(
    "plantid_degraded_seconds", "counter", ("part",), "Seconds for which a part was away, and"
    " answers came without it",
)  # fmt: skip

_MAKING = threading.Lock()
_counters: dict[str, Counter] = {}
_histograms: dict[str, Histogram] = {}
_bound: dict[tuple[str, ...], Callable[[float], None]] = {}


def answered(route: str, method: str, status: int, seconds: float) -> None:
    """Count an answer over HTTP; ``route`` is the path's template."""
    _count(_HTTP, route, method, str(status))(1)
    _observe(_HTTP_S, route)(seconds)


def page_ran(page: str, seconds: float) -> None:
    """Count a run of a page's script."""
    _observe(_PAGE_S, page)(seconds)


def identified(rung: Rung, answers: Sequence[Answer]) -> None:
    """Count an identification, and where each answer came from."""
    _count(_IDENTIFIED, rung)(1)
    for answer in answers:
        source = "none" if answer.error is not None else answer.source
        _count(_ANSWERS, answer.provider, source)(1)


def moved(name: str, to: str, watcher: object) -> None:
    """Count a breaker's change of state, and the time until it is closed again as degraded."""
    _count(_MOVED, name, to)(1)
    if to == "closed":
        OUTAGES.end(watcher)
    else:
        OUTAGES.begin(watcher, name)


def throttled(scope: str) -> None:
    """Count a request that was refused for its sender's rate."""
    _count(_THROTTLED, scope)(1)


def count_verdict(code: str, gate: str) -> None:
    """Count a verdict of the upload chain by its code (``accepted`` for no refusal) and gate."""
    _count(_VERDICTS, code, gate)(1)


@dataclass(slots=True)
class Call:
    """What became of a provider's call: the reply's status, told by who calls."""

    status: str = ""


@contextmanager
def called(provider: str, trace: Trace) -> Iterator[Call]:
    """Log, count and time the enclosed call of a provider, also when it raises."""
    call = Call()
    span = spans.begin("provider.call", trace.above, {"provider": provider})
    begin = time.perf_counter()
    try:
        # A refresh behind a caller runs in a thread that knows of no request.
        with request.bound(trace.request_id):
            yield call
    except BaseException as error:
        call.status = _outcome(error)
        raise
    finally:
        took_s = time.perf_counter() - begin
        _count(_CALLS, provider, call.status)(1)
        _observe(_CALL_S, provider)(took_s)
        spans.end(span, {"status": call.status})
        tell(
            "provider.called",
            provider=provider,
            status=call.status,
            ms=round(took_s * 1e3, 1),
            request_id=trace.request_id,
        )


def _outcome(error: BaseException) -> str:
    """Return a word for an error, one of few: a status code of the service only by its hundred."""
    if isinstance(error, ProviderQuotaExceeded):
        return "quota"
    if isinstance(error, Rejected):
        return "rejected"
    if isinstance(error, ProviderError):
        return f"{error.code[:6]}xx" if error.code.startswith("http_") else error.code
    return "deadline" if isinstance(error, DeadlineExceeded) else "error"


def _count(family: Family, *labels: str) -> Callable[[float], None]:
    key = (family.name, *labels)
    found = _bound.get(key)
    if found is None:
        found = _bound[key] = _counter(family).labels(*labels).inc
    return found


def _observe(family: Family, *labels: str) -> Callable[[float], None]:
    key = (family.name, *labels)
    found = _bound.get(key)
    if found is None:
        found = _bound[key] = _histogram(family).labels(*labels).observe
    return found


def _counter(family: Family) -> Counter:
    from prometheus_client import Counter

    # Two threads may come at once, and the registry refuses the second.
    with _MAKING:
        made = _counters.get(family.name)
        if made is None:
            made = _counters[family.name] = Counter(family.name, family.about, family.labels)
        return made


def _histogram(family: Family) -> Histogram:
    from prometheus_client import Histogram

    with _MAKING:
        made = _histograms.get(family.name)
        if made is None:
            made = _histograms[family.name] = Histogram(
                family.name, family.about, family.labels, buckets=family.buckets
            )
        return made


def ready() -> None:
    """Make every family now, so that one that has counted nothing is known by name too."""
    from prometheus_client import disable_created_metrics

    # As many series again, of which none is in the table; the library has no types here.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    for family in COUNTED:
        if family.kind == "counter":
            _counter(family)
        else:
            _histogram(family)
    Degraded.register()


class Degraded:
    """Gives the seconds of outages to a Prometheus registry when it asks for them."""

    _registered = False

    @classmethod
    def register(cls) -> None:
        """Add it to what Prometheus is told of this process, once."""
        from prometheus_client import REGISTRY

        with _MAKING:
            if not cls._registered:
                cls._registered = True
                REGISTRY.register(cls())

    def collect(self) -> Iterator[Metric]:
        """Return ``plantid_degraded_seconds_total{part=…}``."""
        from prometheus_client.core import CounterMetricFamily

        family = CounterMetricFamily(DEGRADED.name, DEGRADED.about, labels=DEGRADED.labels)
        for part, seconds in sorted(OUTAGES.seconds().items()):
            family.add_metric([part], seconds)
        yield family
