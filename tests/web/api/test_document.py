"""The OpenAPI document names every route, what it takes, and all that may come back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator
from rest import PRODUCTION

from plantid_core.access.permissions import AllowAny
from plantid_core.access.rules import RULES
from plantid_core.settings import load_settings
from plantid_core.web import api
from plantid_core.web.api.answering import Service
from plantid_core.web.api.document import document
from plantid_core.web.guards.asgi import PROBES
from plantid_core.web.problems import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rest import Rest

    from plantid_core import Workbench


def no_workbench() -> Workbench:
    raise AssertionError("no route is answered here")


ENTRIES = api.entries(Service(no_workbench))
NEEDS = {(entry.method, entry.path): entry.needs for entry in ENTRIES}
GUARDS = {"400", "405", "413", "429", "500"}


def described(**settings: object) -> dict[str, Any]:
    return document(load_settings(**settings), NEEDS)


def operations(found: Mapping[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method.upper(), path): operation
        for path, methods in found["paths"].items()
        for method, operation in methods.items()
    }


def references(part: object) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(found := part.get("$ref"), str):
            yield found
        for inner in part.values():
            yield from references(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from references(inner)


def test_every_route_is_described() -> None:
    """And nothing that is not there."""
    assert set(operations(described())) == {
        *NEEDS,
        ("GET", "/api/v1/openapi.json"),
    }


def test_what_guards_answer_is_described() -> None:
    """A foreign host, a throttle, a failure everywhere; in the API who is refused for who they are."""
    for (method, path), operation in operations(described()).items():
        statuses = set(operation["responses"])
        assert statuses >= GUARDS, (method, path)
        assert statuses >= {"401", "403", "503"} or path in PROBES, (method, path)


def test_every_error_that_is_told_is_described() -> None:
    """Each status of the table of errors is an answer of some route."""
    described_statuses = {
        int(status)
        for operation in operations(described()).values()
        for status in operation["responses"]
    }

    # A history that is full is no refusal: the answer is told all the same, and names it.
    assert {kind.status for _, kind in KINDS} - {507} <= described_statuses


def test_who_may_do_without_a_sign_in_is_described() -> None:
    """In development anybody may do all; in production nobody but where a rule allows any."""
    development, production = described(), described(**PRODUCTION)

    for key, operation in operations(production).items():
        needs = NEEDS.get(key, AllowAny)
        free = needs is AllowAny or (needs in RULES and RULES[needs].permission is AllowAny)
        assert (operation["security"] == []) is free, key
        assert {} not in operation["security"]
        assert free or {} in operations(development)[key]["security"]


def test_the_document_holds_together() -> None:
    """Every reference leads somewhere, every schema is one, and every example fits its own."""
    whole = described()

    for reference in references(whole):
        found: Any = whole
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]
    for name, schema in whole["components"]["schemas"].items():
        Draft202012Validator.check_schema(schema)
        for example in schema.get("examples", []):
            Draft202012Validator(
                {"$ref": f"#/components/schemas/{name}", "components": whole["components"]}
            ).validate(example)


def test_it_is_served(production: Rest) -> None:
    """To anybody, as the settings in force have it."""
    served = production.get("/api/v1/openapi.json")

    assert served.json() == document(production.workbench.settings, NEEDS)


@pytest.mark.parametrize("needs", [entry.needs for entry in ENTRIES])
def test_every_route_names_what_it_needs(needs: object) -> None:
    """An action of the table, or anybody's leave."""
    assert needs is AllowAny or needs in RULES
