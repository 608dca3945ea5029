"""Settings that the app would refuse are read as far as they can be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plantid_core.deploy.readable import contradictions, readable_settings

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_each_fault_is_a_finding_and_the_rest_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A value that cannot be, an address that is none, a file that is not there: and what is good counts."""
    monkeypatch.setenv("PLANTID_ENVIRONMENT", "production")
    monkeypatch.setenv("PLANTID_PORT", "99999")
    monkeypatch.setenv("PLANTID_REDIS_URL", "http://:hush@nowhere")
    monkeypatch.setenv("PLANTID_SECRET_KEY_FILE", str(tmp_path / "none"))

    settings, found = readable_settings()

    assert {one.id for one in found} == {"setting.port", "setting.redis_url", "file.secret_key"}
    assert not any("hush" in one.message for one in found)
    assert settings.production
    assert {one.id for one in contradictions(settings)} == {
        "secret.missing",
        "hosts.missing",
        "sandbox.answers",
    }


def test_what_cannot_be_together_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """By an id each, all at once."""
    monkeypatch.setenv("PLANTID_SOFT_TTL_S", "9e9")
    monkeypatch.setenv("PLANTID_BREAKER_RESET_S", "9e9")
    monkeypatch.setenv("PLANTID_OIDC_ISSUER", "https://issuer.example")

    found = contradictions(readable_settings()[0])

    assert {one.id for one in found} == {"ttl.order", "breaker.order", "oidc.client"}
