"""Each check of ``plantid check --deploy``: one change makes it fire, and without it it is silent."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from plantid_core.deploy import CHECKS, Facts, findings
from plantid_core.deploy.facts import facts_of
from plantid_core.deploy.readable import readable_settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

KEY, FORMER = ("".join(chr(33 + (step * number) % 90) for number in range(60)) for step in (7, 11))
GOOD = {
    "ENVIRONMENT": "production",
    "PUBLIC_URL": "https://plants.example.org",
    "ALLOWED_HOSTS": "plants.example.org",
    "SECRET_KEY": KEY,
    "SECRET_KEY_FALLBACKS": FORMER.replace(",", ";"),
    "METRICS_TOKEN": KEY[:40],
    "PLANT_ID_API_KEY": "k3y-of-plant-id-0123456789",
    "PLANTNET_API_KEY": "k3y-of-plantnet-0123456789",
    "REDIS_URL": "rediss://app:pass-of-redis@10.0.0.5/0",
    "DATABASE_URL": "postgresql://app:pass-of-pg@10.0.0.6/plants?sslmode=verify-full",
    "OIDC_ISSUER": "https://sign-in.example.org",
    "OIDC_CLIENT_ID": "plants",
    "OIDC_CLIENT_SECRET": "pass-of-oidc",
    "ADMINS": "somebody",
    "TRUSTED_PROXIES": "10.0.0.2",
    "LOG_FORMAT": "json",
}
SECRETS = (
    KEY, FORMER, "k3y-of-plant-id", "k3y-of-plantnet", "pass-of-redis", "pass-of-pg", "pass-of-oidc",
    "hook-of-alert",
)  # fmt: skip
OPTIONS: dict[str, object] = {
    "browser.gatherUsageStats": False,
    "client.showErrorDetails": "type",
    "client.toolbarMode": "viewer",
    "global.developmentMode": False,
    "logger.level": "warning",
    "server.enableAgentApi": False,
    "server.enableCORS": True,
    "server.enableStaticServing": False,
    "server.enableXsrfProtection": True,
    "server.fileWatcherType": "none",
    "server.maxUploadSize": 10,
    "server.scriptHealthCheckEnabled": False,
}

# What makes each fire, over the good ones; None: it is not set.
SETTINGS: dict[str, dict[str, str | None]] = {
    "secret.missing": {"SECRET_KEY": None},
    "secret.short": {"SECRET_KEY": KEY[:49]},
    "secret.uniform": {"SECRET_KEY": "abcd" * 20},
    "secret.example": {"SECRET_KEY": "django-insecure-" + KEY},
    "secret.fallback_weak": {"SECRET_KEY_FALLBACKS": "letmein"},
    "secret.fallback_same": {"SECRET_KEY_FALLBACKS": "x" * 60 + ",xx" + "," + "x" * 60},
    "secret.fallbacks_many": {"SECRET_KEY_FALLBACKS": ",".join("abcd")},
    "metrics.token_missing": {"METRICS_TOKEN": None},
    "metrics.token_weak": {"METRICS_TOKEN": "scraper"},
    "environment.development": {"ENVIRONMENT": "development"},
    "hosts.missing": {"ALLOWED_HOSTS": None},
    "hosts.any": {"ALLOWED_HOSTS": "*"},
    "hosts.suffix": {"ALLOWED_HOSTS": ".org"},
    "hosts.local": {"ALLOWED_HOSTS": "localhost,127.0.0.1,[::1]"},
    "url.missing": {"PUBLIC_URL": None},
    "url.plain": {"PUBLIC_URL": "http://plants.example.org"},
    "url.foreign": {"PUBLIC_URL": "https://plants.example.com"},
    "https.redirect": {"HTTPS_REDIRECT": "0"},
    "https.proxies": {"TRUSTED_PROXIES": None},
    "proxies.any": {"TRUSTED_PROXIES": "10.0.0.2,::/0"},
    "listen.everywhere": {"HOST": "::", "TRUSTED_PROXIES": None},
    "hsts.off": {"HSTS_SECONDS": "0"},
    "hsts.short": {"HSTS_SECONDS": "60"},
    "hsts.subdomains": {"HSTS_SECONDS": "63072000"},
    "hsts.preload": {"HSTS_PRELOAD": "1", "HSTS_SUBDOMAINS": "1"},
    "cookies.insecure": {"ENVIRONMENT": "development", "PUBLIC_URL": "http://plants.example.org"},
    "people.local": {"ENVIRONMENT": "development", "OIDC_ISSUER": None},
    "demo.open": {"ENVIRONMENT": "development"},
    "oidc.missing": {"OIDC_ISSUER": None},
    "oidc.plain": {"OIDC_ISSUER": "http://sign-in.example.org"},
    "admins.missing": {"ADMINS": None, "OIDC_ROLE_CLAIM": ""},
    "throttle.anonymous": {"THROTTLE_ANONYMOUS": "off"},
    "throttle.user": {"THROTTLE_USER": "off"},
    "throttle.token": {"THROTTLE_TOKEN": "off"},
    "throttle.exempt": {"THROTTLE_EXEMPT": "10.0.0.0/8"},
    "sandbox.allowed": {"ALLOW_SANDBOX": "1"},
    "sandbox.answers": {"PLANTNET_API_KEY": None},
    "service.plain": {"PLANT_ID_URL": "http://plant.id"},
    "quota.user": {"QUOTA_USER_PER_MINUTE": "100000"},
    "redis.embedded": {"REDIS_URL": None},
    "redis.password": {"REDIS_URL": "rediss://10.0.0.5/0"},
    "redis.tls": {"REDIS_URL": "redis://:pass-of-redis@10.0.0.5/0"},
    "redis.sentinels": {"REDIS_URL": "redis+sentinel://:pass-of-redis@127.0.0.1:1,10.0.0.5:2/garden"},
    "database.sqlite": {"DATABASE_URL": None},
    "database.plain": {"DATABASE_URL": "postgresql://app:pass-of-pg@10.0.0.6/plants"},
    "database.unverified": {
        "DATABASE_URL": "postgresql://app:pass-of-pg@10.0.0.6/plants?sslmode=require"
    },
    "log.debug": {"LOG_LEVEL": "debug"},
    "log.console": {"LOG_FORMAT": "console"},
    "telemetry.plain": {"OTEL_ENDPOINT": "http://spans.example.org"},
    "webhook.plain": {"ALERT_WEBHOOK": "http://chat.example.org/hook-of-alert"},
    "body.large": {"BODY_LIMIT_BYTES": str(1 << 30)},
    "deadline.long": {"REQUEST_DEADLINE_S": "300"},
}  # fmt: skip
SWITCHES: dict[str, tuple[str, object]] = {
    "debug.errors": ("client.showErrorDetails", "full"),
    "debug.development_mode": ("global.developmentMode", True),
    "debug.toolbar": ("client.toolbarMode", "developer"),
    "debug.watcher": ("server.fileWatcherType", "auto"),
    "xsrf.off": ("server.enableXsrfProtection", False),
    "cors.off": ("server.enableCORS", False),
    "agent.on": ("server.enableAgentApi", True),
    "health.script": ("server.scriptHealthCheckEnabled", True),
    "static.on": ("server.enableStaticServing", True),
    "telemetry.usage": ("browser.gatherUsageStats", True),
    "upload.large": ("server.maxUploadSize", 200),
}
MACHINE: dict[str, dict[str, object]] = {
    "data.readable": {"data_mode": 0o755},
    "secret.file_readable": {"secret_files": {"/run/secrets/key": 0o644}},
    "process.umask": {"umask": 0o002},
    "process.root": {"root": True},
    "routes.uncovered": {"uncovered": ("GET /admin names no permission: it is refused.",)},
}


def facts(monkeypatch: pytest.MonkeyPatch, changed: Mapping[str, str | None]) -> Facts:
    """Return the facts of an environment, as the command reads them."""
    for name, value in {**GOOD, **changed}.items():
        if value is not None:
            monkeypatch.setenv(f"PLANTID_{name}", value)
    settings, unreadable = readable_settings()
    assert unreadable == []
    return Facts(settings, 0o700, {"/run/secrets/key": 0o400}, 0o077, options=OPTIONS)


def ids(facts: Facts) -> set[str]:
    return {finding.id for finding in findings(facts)}


def test_nothing_is_amiss_with_good_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every check is silent on them."""
    assert findings(facts(monkeypatch, {})) == []


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_makes_its_check_fire(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what it says holds no secret."""
    found = findings(facts(monkeypatch, SETTINGS[name]))

    assert name in {finding.id for finding in found}
    told = " ".join(finding.message + finding.hint for finding in found)
    assert not any(secret in told for secret in SECRETS)


@pytest.mark.parametrize("name", SWITCHES)
def test_a_switch_of_streamlit_makes_its_check_fire(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That one, and no other."""
    option, value = SWITCHES[name]
    assert ids(replace(facts(monkeypatch, {}), options={**OPTIONS, option: value})) == {name}


@pytest.mark.parametrize("name", MACHINE)
def test_a_fact_of_the_machine_makes_its_check_fire(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That one, and no other."""
    changed = replace(facts(monkeypatch, {}), **MACHINE[name])  # type: ignore[arg-type]
    assert ids(changed) == {name}


def test_every_check_is_shown_to_fire() -> None:
    """A new one without a case fails here; each has an id of its own and a hint."""
    known = [check.id for check in CHECKS]

    assert sorted(known) == sorted([*SETTINGS, *SWITCHES, *MACHINE])
    assert all(check.hint.endswith((".", ").")) for check in CHECKS)


def test_errors_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """What must be put right is read before what may be."""
    found = findings(facts(monkeypatch, {"LOG_FORMAT": "console", "ALLOW_SANDBOX": "1"}))

    assert [finding.severity for finding in found] == ["error", "warning"]


@pytest.mark.parametrize(
    "changed",
    [
        {"ALLOWED_HOSTS": ".example.org"},
        {"ALLOWED_HOSTS": "localhost", "PUBLIC_URL": "https://localhost:8443"},
        {"HSTS_SECONDS": "63072000", "HSTS_SUBDOMAINS": "1", "HSTS_PRELOAD": "1"},
        {"REDIS_URL": "unix:///run/valkey.sock"},
        {"REDIS_URL": "redis://:pass@127.0.0.1/0"},
        {"DATABASE_URL": "postgresql:///plants?host=/run/postgresql"},
        {"DATABASE_URL": "postgresql://app:pass@localhost/plants"},
        {"THROTTLE_EXEMPT": "127.0.0.0/8,10.1.2.3"},
        {"OTEL_ENDPOINT": "http://127.0.0.1:4318"},
    ],
)
def test_what_is_well_meant_is_left_alone(
    changed: dict[str, str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sockets and this machine itself need no TLS; names and stages that are right are right."""
    assert ids(facts(monkeypatch, changed)) == set()


def test_the_machine_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Modes of the folder and of files with secrets are the real ones."""
    secret = tmp_path / "key"
    secret.write_text(KEY)
    secret.chmod(0o640)
    (tmp_path / "data").mkdir(mode=0o750)
    monkeypatch.setenv("PLANTID_SECRET_KEY_FILE", str(secret))
    monkeypatch.setenv("PLANTID_DATA_DIR", str(tmp_path / "data"))
    settings, _ = readable_settings()

    found = facts_of(settings, OPTIONS, (), running=True)

    assert (found.data_mode, found.secret_files[str(secret)]) == (0o750, 0o640)
    assert settings.secret_key is not None
    assert settings.secret_key.get_secret_value() == KEY
