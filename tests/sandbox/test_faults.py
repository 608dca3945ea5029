"""What can be made to go wrong, seen from a client."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests

if TYPE_CHECKING:
    from tests.conftest import SandboxServer

STATUS = "/v2/_status"


def status(sandbox: SandboxServer) -> requests.Response:
    return requests.get(sandbox.url + STATUS, timeout=10)


def test_errors_carry_their_retry_after(sandbox: SandboxServer) -> None:
    """An error at rate 1 answers every request, with its Retry-After."""
    errors = [{"status": 429, "rate": 1, "retry_after_s": 17}]
    sandbox.faults(service="plantnet", errors=errors)

    response = status(sandbox)

    assert (response.status_code, response.headers["Retry-After"]) == (429, "17")


@pytest.mark.parametrize(
    "faults", [{"reset_rate": 1}, {"outages": [{"start_s": 0, "end_s": 60}]}, {"truncate_rate": 1}]
)
def test_broken_connections_break(sandbox: SandboxServer, faults: dict[str, object]) -> None:
    """Resets, outages and cut bodies are errors of the connection, not answers."""
    sandbox.faults(service="plantnet", **faults)

    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        status(sandbox)


def test_malformed_bodies_are_no_json(sandbox: SandboxServer) -> None:
    """The body is cut JSON of the right length."""
    sandbox.faults(service="plantnet", malformed_rate=1)

    with pytest.raises(requests.JSONDecodeError):
        status(sandbox).json()


def test_setting_a_service_alone_clears_its_faults(sandbox: SandboxServer) -> None:
    """The next setting replaces the last one whole."""
    sandbox.faults(service="plantnet", reset_rate=1)

    sandbox.faults(service="plantnet")

    assert status(sandbox).json() == {"status": "ok"}


def test_bad_faults_are_named(sandbox: SandboxServer) -> None:
    """A rate above one is refused with the field's name."""
    response = requests.post(
        f"{sandbox.url}/_faults", json={"service": "plantnet", "reset_rate": 2}, timeout=10
    )

    assert response.status_code == 422
    assert "reset_rate" in response.json()["faults"][0]


def test_calls_are_counted_by_route_and_status(sandbox: SandboxServer) -> None:
    """Every call is counted, also the ones that were made to fail."""
    status(sandbox)
    sandbox.faults(service="plantnet", errors=[{"status": 500, "rate": 1}])
    status(sandbox)

    assert sandbox.calls("plantnet", f"GET {STATUS}") == {"200": 1, "500": 1}
