"""The API does what its document says, whatever is sent: examples are made from the document itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rest import Rest

    from tests.conftest import SandboxServer

PHASES = ("examples", "coverage", "fuzzing", "stateful")
# That random bytes are no photo cannot be said in a schema: they are refused, as they should be.
UNSAYABLE = [
    {
        "include-path": "/api/v1/identify",
        "checks": {"positive_data_acceptance": {"enabled": False}},
    }
]


def failures(rest: Rest, examples: int, phases: Sequence[str]) -> Iterator[str]:
    """Yield what was not as the document has it; every check the library knows is made."""
    configuration = SchemathesisConfig.from_dict(
        {
            "seed": 7,
            "headers": rest.headers,
            "generation": {"max-examples": examples, "deterministic": True, "database": "none"},
            "phases": {name: {"enabled": name in phases} for name in PHASES},
            "operations": UNSAYABLE,
        }
    )
    document = f"{rest.url}/api/v1/openapi.json"
    schema = schemathesis.openapi.from_url(document, config=configuration)
    tried = 0
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            tried += len(event.recorder.interactions)
            yield from _failed(event.recorder)
        elif isinstance(event, events.NonFatalError):
            yield str(event.info)
        elif isinstance(event, events.FatalError):
            raise event.exception
    assert tried >= len(schema)


def _failed(recorder: Any) -> Iterator[str]:  # noqa: ANN401 - the library's own
    for checks in recorder.checks.values():
        for check in checks:
            if check.failure_info is not None:
                said = check.failure_info.failure
                yield f"{check.name}: {said.title}: {said.message} {check.failure_info.code_sample}"


@pytest.fixture(params=["development", "anonymous", "token", "admin"])
def caller(
    request: pytest.FixtureRequest, development: Rest, production: Rest, sandbox: SandboxServer
) -> Rest:
    """Return the API as one of four kinds of callers uses it, on services that are well."""
    del sandbox
    callers = {
        "development": lambda: development,
        "anonymous": production.anonymous,
        "token": lambda: production.person("any"),
        "admin": lambda: production.person("any admin", admin=True),
    }
    return callers[request.param]()


def test_a_few_examples_of_each(caller: Rest) -> None:
    """No server error and no undocumented answer: statuses, media types, bodies, headers, sign-in."""
    assert list(failures(caller, 2, ["examples", "fuzzing"])) == []


@pytest.mark.slow
def test_every_edge_of_the_document(production: Rest) -> None:
    """Each bound, missing and surplus part, and every other method, as an admin."""
    assert list(failures(production.person("edge", admin=True), 1, ["coverage"])) == []


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_many_examples_of_each(caller: Rest) -> None:
    """The same by the hundred, and in sequences of calls that build on one another."""
    assert list(failures(caller, 100, PHASES)) == []
