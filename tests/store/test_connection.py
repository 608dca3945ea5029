"""A client for a Redis that may be gone."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import redis
from processes import until

from plantid_core.errors import ConfigurationError
from plantid_core.store.connection import connect, redact
from plantid_core.store.embedded import find_binary, open_embedded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def silent() -> Iterator[tuple[str, list[socket.socket]]]:
    """Run a server that takes connections and never says a word."""
    accepted: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            try:
                while True:
                    accepted.append(server.accept()[0])
            except OSError:
                return

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield f"127.0.0.1:{server.getsockname()[1]}", accepted
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
    for link in accepted:
        link.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def sentinel(directory: Path) -> Iterator[int]:
    """Run a master and its sentinel, on loopback; gives the sentinel's port."""
    binary, master, port = find_binary(), free_port(), free_port()
    rules = directory / "sentinel.conf"
    rules.write_text(f"port {port}\nsentinel monitor garden 127.0.0.1 {master} 1\n")
    quiet = {"cwd": directory, "stdout": subprocess.DEVNULL}
    with (
        subprocess.Popen([binary, "--port", str(master), "--save", ""], **quiet) as first,
        subprocess.Popen([binary, str(rules), "--sentinel"], **quiet) as second,
    ):
        try:
            assert until(lambda: listens(master) and listens(port))
            yield port
        finally:
            first.terminate()
            second.terminate()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_bad_addresses_are_named_without_their_password() -> None:
    """The error names the setting, and hides the password."""
    with pytest.raises(ConfigurationError) as caught:
        connect("redis+sentinel://user:planted-secret@127.0.0.1")

    assert "PLANTID_REDIS_URL" in str(caught.value)
    assert "planted-secret" not in str(caught.value)


def test_redacted_addresses_keep_their_host() -> None:
    """Only the password goes."""
    assert redact("redis://:secret@host:6379/1") == "redis://:***@host:6379/1"
    assert redact("unix:///run/valkey.sock") == "unix:///run/valkey.sock"
    assert redact("unix:///run/a@b.sock?password=secret") == "unix:///run/a@b.sock?password=***"


def test_a_dead_address_fails_at_once() -> None:
    """A refused connection is an error of the library, not a wait."""
    client = connect("redis://127.0.0.1:1/0")

    with pytest.raises(redis.ConnectionError):
        client.ping()
    client.close()


@pytest.mark.parametrize(
    "url",
    [
        "redis://:planted/secret@host:6379",
        "redis://:planted-secret@[bad",
        "redis://:planted-secret@host:port",
        "redis://host?password=planted-secret&nonsense=1",
        "redis+sentinel://user:planted@secret@host:port/service",
        "redis+sentinel://user:planted-secret@host/service/first",
    ],
)
def test_no_malformed_address_shows_its_password(url: str) -> None:
    """Neither the error nor the traceback it prints holds any part of the password."""
    with pytest.raises(ConfigurationError) as caught:
        connect(url)

    printed = "".join(traceback.format_exception(caught.value.with_traceback(None)))
    assert "planted" not in printed
    assert "secret" not in printed


@pytest.mark.parametrize("scheme", ["redis://{}/0", "redis+sentinel://{}/service"])
def test_a_hung_server_is_waited_for_once(scheme: str) -> None:
    """A timeout is not tried again, neither of a server nor of a sentinel."""
    with silent() as (host, accepted):
        client = connect(scheme.format(host))

        with pytest.raises((redis.TimeoutError, redis.ConnectionError)):
            client.ping()
        client.close()

    assert len(accepted) == 1


def test_a_dead_sentinel_fails_at_once() -> None:
    """No library's own backoff keeps the caller waiting."""
    client = connect("redis+sentinel://127.0.0.1:1,127.0.0.1:2/service")
    began = time.monotonic()

    with pytest.raises(redis.ConnectionError):
        client.ping()
    client.close()

    assert time.monotonic() - began < 2.0


def test_a_connection_closed_by_the_server_is_tried_once_more(tmp_path: Path) -> None:
    """A client whose idle connection the server closed does not notice."""
    with open_embedded(tmp_path) as store:
        client, other = connect(store.url), connect(store.url)
        client.set("leaf", b"green")
        other.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

        assert client.get("leaf") == b"green"
        client.close()
        other.close()


def test_a_full_pool_waits_shortly(tmp_path: Path) -> None:
    """More callers than connections is an error after a moment, not a hang."""
    with open_embedded(tmp_path) as store:
        client = connect(store.url, max_connections=1)
        held = client.connection_pool.get_connection()

        with pytest.raises(redis.ConnectionError):
            client.ping()
        client.connection_pool.release(held)
        assert client.ping()
        client.close()


def test_a_sentinels_master_is_found(tmp_path: Path) -> None:
    """The address of a sentinel leads to its master, whose IPv6 brackets and escapes are read."""
    with sentinel(tmp_path) as port:
        client = connect(f"redis+sentinel://[::1]:{port}/garden/0", connect_timeout_s=1.0)
        client.set("leaf", b"green")

        assert client.get("leaf") == b"green"
        client.close()
