"""What can be made to go wrong, seen from a client."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import numpy as np
import pytest
import requests
from processes import until

from plantid_core.sandbox.faults import Latency

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


def test_a_reset_is_a_real_one(sandbox: SandboxServer) -> None:
    """The peer sees RST, not an orderly end."""
    sandbox.faults(service="plantnet", reset_rate=1)
    port = int(sandbox.url.rpartition(":")[2])

    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(b"GET /v2/_status HTTP/1.1\r\nHost: sandbox\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_a_dripping_body_arrives_whole(sandbox: SandboxServer) -> None:
    """Slow is not wrong."""
    sandbox.faults(service="plantnet", drip_bytes_per_s=200)

    assert status(sandbox).json() == {"status": "ok"}


def test_an_error_leaves_the_connection_usable(sandbox: SandboxServer) -> None:
    """An upload that is answered before it is read spoils nothing that follows on its wire."""
    sandbox.faults(service="plantnet", errors=[{"status": 503, "rate": 1}])
    with requests.Session() as session:
        url = f"{sandbox.url}/v2/identify/all?api-key=sandbox"
        failed = session.post(url, data=bytes(3_000_000), timeout=10)
        sandbox.faults(service="plantnet")

        assert failed.status_code == 503
        assert session.get(sandbox.url + STATUS, timeout=10).json() == {"status": "ok"}


def test_delays_have_the_percentiles_asked_for() -> None:
    """Half of the draws lie below p50, 99 of 100 below p99."""
    dice, latency = np.random.default_rng(3), Latency(p50=100, p99=900)

    drawn = np.array([latency.draw_s(dice) for _ in range(20_000)])

    assert np.quantile(drawn, 0.5) == pytest.approx(0.1, rel=0.05)
    assert np.quantile(drawn, 0.99) == pytest.approx(0.9, rel=0.1)


def test_setting_a_service_alone_clears_its_faults(sandbox: SandboxServer) -> None:
    """The next setting replaces the last one whole."""
    sandbox.faults(service="plantnet", reset_rate=1)

    sandbox.faults(service="plantnet")

    assert status(sandbox).json() == {"status": "ok"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("reset_rate", 2),
        ("latency_ms", {"p50": 9, "p99": 1}),
        ("errors", [{"status": 500, "rate": 0.7}, {"status": 503, "rate": 0.7}]),
        ("outages", [{"start_s": 5, "end_s": 1}]),
        ("reset_rat", 1),
    ],
)
def test_bad_faults_are_named(sandbox: SandboxServer, field: str, value: object) -> None:
    """What cannot be meant is refused with the field's name."""
    response = requests.post(
        f"{sandbox.url}/_faults", json={"service": "plantnet", field: value}, timeout=10
    )

    assert response.status_code == 422
    assert field in response.json()["faults"][0]


def test_calls_are_counted_by_route_and_status(sandbox: SandboxServer) -> None:
    """Every call is counted, also the ones that were made to fail."""
    status(sandbox)
    sandbox.faults(service="plantnet", errors=[{"status": 500, "rate": 1}])
    status(sandbox)

    assert sandbox.calls("plantnet", f"GET {STATUS}") == {"200": 1, "500": 1}


def test_a_client_that_has_left_is_not_in_flight(sandbox: SandboxServer) -> None:
    """Only those still waiting count as in flight; the call itself goes on, and is counted."""
    sandbox.faults(service="plantnet", latency_ms={"p50": 1500, "p99": 1500})

    with pytest.raises(requests.Timeout):
        requests.get(sandbox.url + STATUS, timeout=0.3)

    assert until(
        lambda: (counted(sandbox, "in_flight"), counted(sandbox, "abandoned")) == (0, 1), 1.0
    )
    assert sandbox.calls("plantnet", f"GET {STATUS}") == {}
    assert until(lambda: counted(sandbox, "abandoned") == 0)
    assert sandbox.calls("plantnet", f"GET {STATUS}") == {"200": 1}


def test_a_call_under_way_is_forgotten_with_the_others(sandbox: SandboxServer) -> None:
    """Whoever begins to count anew is not told of what others left behind."""
    sandbox.faults(service="plantnet", latency_ms={"p50": 700, "p99": 700})
    with pytest.raises(requests.Timeout):
        requests.get(sandbox.url + STATUS, timeout=0.3)

    sandbox.clear()

    sandbox.settle()
    assert sandbox.calls("plantnet", f"GET {STATUS}") == {}
    status(sandbox)
    assert sandbox.calls("plantnet", f"GET {STATUS}") == {"200": 1}


def counted(sandbox: SandboxServer, kind: str) -> int:
    count: int = requests.get(f"{sandbox.url}/_stats", timeout=10).json()[kind]["plantnet"]
    return count
