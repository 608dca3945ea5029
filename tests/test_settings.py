"""Settings from the environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from plantid_core.errors import ConfigurationError
from plantid_core.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path


def test_every_fault_is_listed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """One error names every setting that cannot be used."""
    monkeypatch.setenv("PLANTID_PORT", "99999")
    monkeypatch.setenv("PLANTID_REDIS_URL", "http://127.0.0.1")
    monkeypatch.setenv("PLANTID_LOG_FORMAT", "xml")

    with pytest.raises(ConfigurationError) as caught:
        load_settings()

    assert len(caught.value.faults) == 3
    assert all(
        name in str(caught.value)
        for name in ("PLANTID_PORT", "PLANTID_REDIS_URL", "PLANTID_LOG_FORMAT")
    )


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """No representation of the settings holds a key or a password."""
    monkeypatch.setenv("PLANTID_PLANT_ID_API_KEY", "planted-secret-1")
    monkeypatch.setenv("PLANTID_REDIS_URL", "redis://:planted-secret-2@127.0.0.1:6379/0")

    settings = load_settings()

    assert "planted-secret" not in repr(settings) + str(settings) + settings.model_dump_json()


def test_a_secret_may_lie_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PLANTID_X_FILE names a file that holds X."""
    (tmp_path / "key").write_text("from-file\n")
    monkeypatch.setenv("PLANTID_PLANTNET_API_KEY_FILE", str(tmp_path / "key"))

    key = load_settings().plantnet_api_key

    assert key is not None
    assert key.get_secret_value() == "from-file"


def test_a_missing_secret_file_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is not there is named."""
    monkeypatch.setenv("PLANTID_SECRET_KEY_FILE", "/nonexistent/key")

    with pytest.raises(ConfigurationError, match="/nonexistent/key"):
        load_settings()


def test_production_refuses_to_start_half_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Production needs its key, its hosts, and real services or a stated sandbox."""
    monkeypatch.setenv("PLANTID_ENVIRONMENT", "production")

    with pytest.raises(ConfigurationError) as caught:
        load_settings()

    for needed in ("PLANTID_SECRET_KEY", "PLANTID_ALLOWED_HOSTS", "PLANTID_ALLOW_SANDBOX"):
        assert needed in str(caught.value)


def test_settings_are_frozen() -> None:
    """No one changes a setting at run time."""
    settings = load_settings()

    with pytest.raises(ValueError, match="frozen"):
        settings.port = 1  # type: ignore[misc]


def test_the_guards_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Quotas have no bound unless set; the alert's address is a secret."""
    monkeypatch.setenv("PLANTID_QUOTA_PLANT_ID_PER_DAY", "200")
    monkeypatch.setenv("PLANTID_BREAKER_FAIL_MAX", "3")
    monkeypatch.setenv("PLANTID_ALERT_WEBHOOK", "https://hooks.example/planted-secret")

    settings = load_settings()

    assert (settings.quota_plant_id_per_day, settings.quota_plantnet_per_day) == (200, None)
    assert (settings.breaker_fail_max, settings.bulkhead_size) == (3, 8)
    assert settings.alert_webhook is not None
    assert "planted-secret" not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PLANTID_RETRY_BUDGET", "1.5"),
        ("PLANTID_BULKHEAD_SIZE", "0"),
        ("PLANTID_BREAKER_OPEN_MAX_S", "10"),
        ("PLANTID_ALERT_WEBHOOK", "ftp://example.org"),
    ],
)
def test_guards_that_cannot_work_are_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """A bound that makes no sense is named."""
    monkeypatch.setenv(name, value)

    with pytest.raises(ConfigurationError, match=name):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PLANTID_PLANT_ID_URL", "http://h:99999"),
        ("PLANTID_PLANTNET_URL", "http://h:many"),
        ("PLANTID_SANDBOX_URL", "http://h:0"),
        ("PLANTID_PLANT_ID_URL", "http://[::1"),
        ("PLANTID_REDIS_URL", "redis://h:abc"),
        ("PLANTID_REQUEST_DEADLINE_S", "inf"),
        ("PLANTID_READ_TIMEOUT_S", "inf"),
        ("PLANTID_EARLY_BETA", "nan"),
    ],
)
def test_what_no_call_could_use_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """A port that is none, and a time without end, are named before anything is asked."""
    monkeypatch.setenv(name, value)

    with pytest.raises(ConfigurationError, match=name):
        load_settings()


@pytest.mark.parametrize("url", ["redis://h:6379/0", "unix:///run/s", "redis+sentinel://a:1,b:2/x"])
def test_a_store_may_be_named_in_every_form(url: str) -> None:
    """The look at the port lets through the forms that have none, or several."""
    assert load_settings(redis_url=url).redis_url is not None


@pytest.mark.parametrize(
    "name",
    [
        "PLANTID_PLANT_ID_API_KEY",
        "PLANTID_ALERT_WEBHOOK",
        "PLANTID_QUOTA_PLANT_ID_PER_DAY",
        "PLANTID_QUOTA_USER_PER_MINUTE",
    ],
)
@pytest.mark.parametrize("value", ["", " "])
def test_an_empty_variable_counts_as_unset(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """As a template leaves it that had nothing to fill in."""
    monkeypatch.setenv(name, value)

    assert getattr(load_settings(), name.removeprefix("PLANTID_").lower()) is None


@pytest.mark.parametrize("source", ["argument", "environment", "secrets"])
def test_a_key_is_stripped_whatever_it_comes_from(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line's end that was copied with a key is no part of it."""
    monkeypatch.chdir(tmp_path)
    if source == "environment":
        monkeypatch.setenv("PLANTID_PLANT_ID_API_KEY", "key\n")
    elif source == "secrets":
        (tmp_path / ".streamlit").mkdir()
        table = '[plantid]\nplant_id_api_key = "key\\n"\n'
        (tmp_path / ".streamlit" / "secrets.toml").write_text(table)
    settings = load_settings(**({"plant_id_api_key": "key\n"} if source == "argument" else {}))

    assert settings.plant_id_api_key is not None
    assert settings.plant_id_api_key.get_secret_value() == "key"


@pytest.mark.parametrize("key", ["planted-schlüssel", "planted\nkey", "planted\x00key"])
def test_a_key_that_no_header_can_carry_is_refused_unseen(key: str) -> None:
    """The fault names the setting, and nothing that the error is chained to holds the key."""
    with pytest.raises(ConfigurationError, match="PLANTID_PLANTNET_API_KEY") as caught:
        load_settings(plantnet_api_key=key)

    assert "planted" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_secret_file_that_is_no_text_is_refused_unseen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The decoder's error holds the file's content, so it is not chained."""
    (tmp_path / "key").write_bytes(b"planted\xff")
    monkeypatch.setenv("PLANTID_PLANTNET_API_KEY_FILE", str(tmp_path / "key"))

    with pytest.raises(ConfigurationError, match="not UTF-8 text") as caught:
        load_settings()

    assert caught.value.__context__ is None
