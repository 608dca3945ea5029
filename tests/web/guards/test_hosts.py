"""Which names the app answers to."""

from __future__ import annotations

import pytest
from guarded import behind, client, refused
from hypothesis import given
from hypothesis import strategies as st
from starlette.middleware import Middleware

from plantid_core.settings import load_settings
from plantid_core.web.guards.hosts import Hosts, name_of


def hosts(allowed: str = "") -> Middleware:
    return Middleware(Hosts, settings=load_settings(allowed_hosts=allowed))


@pytest.mark.parametrize(
    ("allowed", "host"),
    [
        ("", "localhost:8501"),
        ("", "127.0.0.1"),
        ("", "[::1]:8501"),
        ("", "[0:0:0:0:0:0:0:1]"),
        ("plants.example", "PLANTS.example."),
        ("plants.example:8501", "plants.example:443"),
        (".example.org", "example.org"),
        (".example.org", "a.b.example.org"),
        ("2001:db8::1", "[2001:DB8:0::1]:80"),
        ("bücher.example", "xn--bcher-kva.example"),
    ],
)
def test_its_own_names_are_answered(allowed: str, host: str) -> None:
    """Neither case, port nor a final dot makes another name, and a leading dot takes in all beneath."""
    assert client(hosts(allowed)).get("/x", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    ("allowed", "host"),
    [
        ("", "evil.example"),
        ("", "localhost.evil.example"),
        ("", "evil@localhost"),
        ("", "localhost:80:80"),
        ("", "localhost/evil"),
        ("", ""),
        ("", "[::1"),
        ("", "[::2]"),
        (".example.org", "badexample.org"),
        (".example.org", ".example.org"),
        ("example.org", "a.example.org"),
    ],
)
def test_any_other_is_refused(allowed: str, host: str) -> None:
    """The refusal names the setting, and holds the name that was asked for."""
    answer = client(hosts(allowed)).get("/x", headers={"Host": host})

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert "PLANTID_ALLOWED_HOSTS" in answer.json()["detail"]
    assert answer.json()["value"] == host


def test_two_hosts_or_none_are_refused() -> None:
    """Who reads the first and who reads the last would see different ones."""
    guard = Hosts(behind(), settings=load_settings())

    assert not guard.allows([b"localhost", b"evil.example"])
    assert not guard.allows([])


def test_a_forwarded_host_is_not_believed() -> None:
    """A proxy passes the Host on; what else a stranger says does not count."""
    both = {"Host": "evil.example", "X-Forwarded-Host": "localhost"}
    assert client(hosts()).get("/x", headers=both).status_code == 400


def test_a_websocket_to_another_name_is_never_accepted() -> None:
    """A page of a name that was pointed here cannot open one."""
    assert refused(client(hosts()).websocket(headers={"Host": "evil.example"})) == 400


def test_a_probe_is_answered_by_any_name() -> None:
    """Load balancers ask by address."""
    probing = client(hosts("plants.example"))

    assert probing.get("/healthz", headers={"Host": "10.0.0.7:8501"}).status_code == 200
    assert probing.get("/readyz", headers={"Host": "10.0.0.7:8501"}).status_code == 200


@given(st.text(max_size=60))
def test_a_name_is_read_one_way(host: str) -> None:
    """What is read as a name is read as the same name again, without port, case or dot."""
    name = name_of(host)

    if name is not None:
        assert name == name.lower()
        assert name_of(name) == name_of(f"{name}:443") == name
