"""Spans, as a collector gets them over HTTP."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from collectors import Collector

from plantid_core.telemetry import spans

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.proto.trace.v1.trace_pb2 import Span

    from plantid_core import Workbench


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    spans.stop()
    made.close()


def facts(span: Span) -> dict[str, str | int]:
    return {one.key: one.value.string_value or one.value.int_value for one in span.attributes}


def test_an_identification_is_one_tree_of_spans(
    collector: Collector, workbench: Workbench, flower: bytes
) -> None:
    """Every stage and every call of a provider, under the request, with no word of the photo."""
    from plantid_core.upload import Upload

    spans.start(collector.url, "1")
    above = spans.begin("POST")
    with spans.within(above):
        outcome = workbench.identify([Upload(flower, "my garden.jpg")], providers=["plant_id"])
    spans.end(above, {"http.route": "/api/v1/identify"})
    spans.stop()

    assert collector.paths == {"/v1/traces"}
    found = {span.name: span for span in collector.spans}
    assert {"POST", "validate", "plant_id", "consensus", "provider.call"} <= set(found)
    root = found.pop("POST")
    assert {span.parent_span_id for span in found.values()} == {root.span_id}
    assert facts(found["plant_id"])["plantid.status"] == outcome.answers[0].status
    assert facts(found["consensus"])["plantid.rung"] == outcome.rung
    assert facts(found["provider.call"])["plantid.provider"] == "plant_id"
    assert "garden" not in str(collector.spans)


def test_without_an_endpoint_nothing_is_loaded() -> None:
    """A span that nobody wants costs no import."""
    script = (
        "import sys\n"
        "from plantid_core.telemetry import Trace\n"
        "with Trace().stage('validate'): pass\n"
        "print([name for name in sys.modules if 'opentelemetry' in name])"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )

    assert done.stdout.strip() == "[]"
