"""Spans for OpenTelemetry, where an endpoint is set and the extra ``otel`` installed.

Without one nothing is imported, and a span costs a look at a name. A span holds what a trace's stage
tells anyway: names of stages, providers, statuses, sources, rungs; nothing of people or files. Spans are
sent by OTLP over HTTP (OpenTelemetry Protocol 1.x, ``/v1/traces``), from a thread of their own.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

from plantid_core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span, Tracer

    Above: TypeAlias = Context | None
    Facts: TypeAlias = Mapping[str, str | int]
else:
    Above = Facts = object

_PATH = "/v1/traces"


class _Sending:
    """Where this process's spans go; nowhere until `start`."""

    tracer: Tracer | None = None
    provider: TracerProvider | None = None


def start(endpoint: str, version: str, *, exporter: SpanExporter | None = None) -> None:
    """Send this process's spans to the collector at ``endpoint``, until `stop`.

    Raises `ConfigurationError` where the extra ``otel`` is not installed.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        fault = "PLANTID_OTEL_ENDPOINT needs the extra: pip install 'plantid[otel]'"
        raise ConfigurationError([fault]) from None
    stop()
    # No detectors: they would tell of the machine and its command line.
    resource = Resource({"service.name": "plantid", "service.version": version})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    address = endpoint if endpoint.endswith(_PATH) else endpoint + _PATH
    provider.add_span_processor(
        BatchSpanProcessor(OTLPSpanExporter(address) if exporter is None else exporter)
    )
    _Sending.provider, _Sending.tracer = provider, provider.get_tracer("plantid")


def stop() -> None:
    """Send what is left, and make no more spans."""
    provider = _Sending.provider
    _Sending.provider = _Sending.tracer = None
    if provider is not None:
        provider.shutdown()


def here() -> Above:
    """Return what a span begun here, or handed to another thread, belongs under."""
    if _Sending.tracer is None:
        return None
    from opentelemetry.context import get_current

    return get_current()


def begin(name: str, above: Above = None, facts: Facts | None = None) -> Span | None:
    """Begin a span, which any thread may `end`; None where none are wanted."""
    tracer = _Sending.tracer
    if tracer is None:
        return None
    return tracer.start_span(name, context=above, attributes=_named(facts))


def end(span: Span | None, facts: Facts | None = None) -> None:
    """End a span with what has become known of it."""
    if span is None:
        return
    if facts:
        span.set_attributes(_named(facts))
    span.end()


@contextmanager
def within(span: Span | None) -> Iterator[None]:
    """Have the spans of the enclosed work of this thread or task belong under this one."""
    if span is None:
        yield
        return
    from opentelemetry.trace import use_span

    with use_span(span, end_on_exit=False, record_exception=False, set_status_on_exception=False):
        yield


def _named(facts: Facts | None) -> dict[str, str | int]:
    """Return attributes' whole names: a dotted one is the standard's own, others are ours."""
    return {key if "." in key else f"plantid.{key}": value for key, value in (facts or {}).items()}
