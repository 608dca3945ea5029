"""Settings: the environment (prefix ``PLANTID_``), files named by ``…_FILE``, Streamlit's secrets.

The order of precedence is: arguments, environment, the file that ``PLANTID_X_FILE`` names,
``.streamlit/secrets.toml`` (keys without the prefix, any case, in a ``[plantid]`` table).
"""

from __future__ import annotations

import os
import re
import tomllib
from contextlib import suppress
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast
from urllib.parse import urlsplit

import platformdirs
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from plantid_core.errors import ConfigurationError

if TYPE_CHECKING:
    from typing import Self
    from urllib.parse import SplitResult

    from pydantic.fields import FieldInfo

_SECRETS_FILE = Path(".streamlit") / "secrets.toml"
_REDIS_HOST_SCHEMES = {"redis", "rediss"}
_DATABASE_SCHEMES = {"postgresql", "sqlite"}
_REDIS_SCHEMES = _REDIS_HOST_SCHEMES | {"unix", "redis+sentinel"}


class _FileSource(PydanticBaseSettingsSource):
    """``PLANTID_X_FILE=/run/secrets/x`` gives X, as container platforms mount secrets."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[object, str, bool]:
        del field
        named = os.environ.get(f"PLANTID_{field_name.upper()}_FILE")
        if not named:
            return None, field_name, False
        try:
            return Path(named).read_text(encoding="utf-8").strip(), field_name, False
        except OSError as error:
            reason = error.strerror
        except UnicodeDecodeError:
            # Not chained to ours: it holds the file's content.
            reason = "not UTF-8 text"
        raise ConfigurationError([f"PLANTID_{field_name.upper()}_FILE: {named}: {reason}"])

    def __call__(self) -> dict[str, object]:
        named = (
            self.get_field_value(field, name)
            for name, field in self.settings_cls.model_fields.items()
        )
        return {name: value for value, name, _ in named if value is not None}


class _StreamlitSecretsSource(PydanticBaseSettingsSource):
    """The ``[plantid]`` table of ``.streamlit/secrets.toml``, if there is one."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[object, str, bool]:
        del field
        return self._table().get(field_name), field_name, False

    def _table(self) -> dict[str, object]:
        if not _SECRETS_FILE.is_file():
            return {}
        with suppress(OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, AttributeError):
            table = tomllib.loads(_SECRETS_FILE.read_text(encoding="utf-8")).get("plantid", {})
            return {str(key).lower(): value for key, value in table.items()}
        raise ConfigurationError([f"{_SECRETS_FILE} is not readable TOML"])

    def __call__(self) -> dict[str, object]:
        return self._table()


class Settings(BaseSettings):
    """Everything that can be set from outside; frozen, secrets hidden in ``repr``.

    Durations are seconds and end in ``_s``. Raises `ConfigurationError` (through
    `load_settings`) with every fault at once.
    """

    model_config = SettingsConfigDict(
        env_prefix="PLANTID_", frozen=True, extra="ignore", allow_inf_nan=False
    )

    environment: Literal["development", "production"] = "development"
    data_dir: Path = Field(default_factory=lambda: Path(platformdirs.user_data_dir("plantid")))
    redis_url: SecretStr | None = None
    database_url: SecretStr | None = None
    secret_key: SecretStr | None = None
    secret_key_fallbacks: SecretStr | None = None
    allowed_hosts: str = ""
    allow_sandbox: bool = False

    plant_id_api_key: SecretStr | None = None
    plant_id_url: str = "https://plant.id"
    plantnet_api_key: SecretStr | None = None
    plantnet_url: str = "https://my-api.plantnet.org"
    sandbox_url: str | None = None

    host: str = "127.0.0.1"
    port: int = Field(default=8501, ge=1, le=65535)
    log_format: Literal["console", "json"] = "console"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    request_deadline_s: float = Field(default=30.0, gt=0)
    connect_timeout_s: float = Field(default=3.0, gt=0)
    read_timeout_s: float = Field(default=20.0, gt=0)
    redis_connect_timeout_s: float = Field(default=0.1, gt=0)
    redis_socket_timeout_s: float = Field(default=0.2, gt=0)
    redis_max_connections: int = Field(default=50, ge=1)
    redis_health_check_interval_s: int = Field(default=15, ge=0)

    bulkhead_size: int = Field(default=8, ge=1)
    bulkhead_queue: int = Field(default=32, ge=0)
    retry_attempts: int = Field(default=2, ge=1, le=5)
    retry_budget: float = Field(default=0.1, ge=0, le=1)
    quota_plant_id_per_day: int | None = Field(default=None, ge=0)
    quota_plantnet_per_day: int | None = Field(default=None, ge=0)
    quota_user_per_minute: int | None = Field(default=None, ge=1)
    breaker_fail_max: int = Field(default=5, ge=1)
    breaker_reset_s: float = Field(default=60.0, gt=0)
    breaker_failure_rate: float = Field(default=0.5, gt=0, le=1)
    breaker_slow_call_s: float = Field(default=15.0, gt=0)
    breaker_slow_rate: float = Field(default=0.5, gt=0, le=1)
    breaker_window_s: float = Field(default=60.0, gt=0)
    breaker_minimum_calls: int = Field(default=10, ge=1)
    breaker_open_max_s: float = Field(default=600.0, gt=0)
    alert_webhook: SecretStr | None = None

    soft_ttl_s: float = Field(default=1800.0, gt=0)
    hard_ttl_s: float = Field(default=86400.0, gt=0)
    negative_ttl_s: float = Field(default=600.0, gt=0)
    error_ttl_s: float = Field(default=5.0, ge=0)
    ttl_jitter: float = Field(default=0.1, ge=0, lt=1)
    early_beta: float = Field(default=1.0, ge=0)
    lease_s: float = Field(default=1.5, gt=0)
    near_size: int = Field(default=4096, ge=0)

    public_url: str | None = None
    oidc_issuer: str | None = None
    oidc_client_id: str = ""
    oidc_client_secret: SecretStr | None = None
    oidc_scope: str = "openid profile"
    oidc_role_claim: str = "roles"
    oidc_admin_role: str = "admin"
    admins: str = ""

    trusted_proxies: str = ""
    https_redirect: bool | None = None
    hsts_seconds: int = Field(default=3600, ge=0)
    hsts_subdomains: bool = False
    hsts_preload: bool = False
    body_limit_bytes: int = Field(default=51 * 1024 * 1024, ge=1)
    throttle_anonymous: str = "60/minute"
    throttle_user: str = "240/minute"
    throttle_token: str = "600/minute"  # noqa: S105 - a rate
    throttle_exempt: str = ""
    metrics_token: SecretStr | None = None
    otel_endpoint: str | None = None

    history_keep_days: int | None = Field(default=None, ge=1)
    recorded_by: str = ""
    licence: str = ""

    @field_validator("redis_url")
    @classmethod
    def _known_redis_scheme(cls, url: SecretStr | None) -> SecretStr | None:
        if url is None:
            return None
        parts = _parts(url.get_secret_value())
        if parts.scheme not in _REDIS_SCHEMES:
            message = "must begin with redis://, rediss://, unix:// or redis+sentinel://"
            raise ValueError(message)
        if parts.scheme in _REDIS_HOST_SCHEMES:
            _require_port(parts)
        return url

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and _parts(url.get_secret_value()).scheme not in _DATABASE_SCHEMES:
            message = "must begin with postgresql:// or sqlite:///"
            raise ValueError(message)
        return url

    @field_validator(
        "plant_id_url", "plantnet_url", "sandbox_url", "public_url", "oidc_issuer", "otel_endpoint"
    )
    @classmethod
    def _http_url(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = _parts(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            message = "must be an http:// or https:// address"
            raise ValueError(message)
        _require_port(parts)
        return url.rstrip("/")

    @field_validator("trusted_proxies", "throttle_exempt")
    @classmethod
    def _networks(cls, text: str) -> str:
        for one in words(text):
            try:
                ip_network(one, strict=False)
            except ValueError:
                message = f"must be addresses or networks like 10.0.0.0/8; {one!r} is none"
                raise ValueError(message) from None
        return text

    @field_validator("throttle_anonymous", "throttle_user", "throttle_token")
    @classmethod
    def _rate(cls, text: str) -> str:
        if text.strip().lower() in {"", "off"}:
            return ""
        if re.fullmatch(r"[1-9]\d{0,8}/(second|minute|hour|day)", text.strip()) is None:
            message = f"must be like 60/minute (second, minute, hour, day) or off; it is {text!r}"
            raise ValueError(message)
        return text.strip()

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, path: Path) -> Path:
        return path.expanduser().absolute()

    @field_validator("alert_webhook")
    @classmethod
    def _webhook_is_http(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            cls._http_url(url.get_secret_value())
        return url

    @field_validator("plant_id_api_key", "plantnet_api_key", "secret_key")
    @classmethod
    def _bare(cls, secret: SecretStr | None) -> SecretStr | None:
        return SecretStr(secret.get_secret_value().strip()) if secret is not None else None

    @field_validator("plant_id_api_key", "plantnet_api_key")
    @classmethod
    def _fit_for_a_header(cls, key: SecretStr | None) -> SecretStr | None:
        text = key.get_secret_value() if key is not None else ""
        if not (text.isascii() and text.isprintable()):
            message = "must hold nothing but printable ASCII characters"
            raise ValueError(message)
        return key

    @field_validator(
        "plant_id_api_key",
        "plantnet_api_key",
        "secret_key",
        "alert_webhook",
        "quota_plant_id_per_day",
        "quota_plantnet_per_day",
        "quota_user_per_minute",
        "history_keep_days",
        "database_url",
        "secret_key_fallbacks",
        "public_url",
        "oidc_issuer",
        "oidc_client_secret",
        "metrics_token",
        "otel_endpoint",
        "https_redirect",
        mode="before",
    )
    @classmethod
    def _empty_is_unset(cls, value: object) -> object:
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        return None if isinstance(text, str) and not text.strip() else value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if faults := self.contradictions():
            raise ValueError("; ".join(faults.values()))
        return self

    def contradictions(self) -> dict[str, str]:
        """Return what cannot be together, or is missing where others depend on it: a sentence by its id."""
        faults = {}
        if self.hard_ttl_s < self.soft_ttl_s:
            faults["ttl.order"] = "PLANTID_HARD_TTL_S must not be below PLANTID_SOFT_TTL_S"
        if self.breaker_open_max_s < self.breaker_reset_s:
            faults["breaker.order"] = (
                "PLANTID_BREAKER_OPEN_MAX_S must not be below PLANTID_BREAKER_RESET_S"
            )
        if self.oidc_issuer is not None and not (
            self.oidc_client_id and self.oidc_client_secret is not None
        ):
            faults["oidc.client"] = (
                "PLANTID_OIDC_ISSUER needs PLANTID_OIDC_CLIENT_ID and PLANTID_OIDC_CLIENT_SECRET"
            )
        if self.production:
            faults |= self._production_faults()
        return faults

    def former_keys(self) -> tuple[str, ...]:
        """Return the keys that what was signed may still be read with, the newest first."""
        if self.secret_key_fallbacks is None:
            return ()
        return words(self.secret_key_fallbacks.get_secret_value())

    @property
    def production(self) -> bool:
        """Tell whether this is where others depend on it."""
        return self.environment == "production"

    @property
    def hosts(self) -> tuple[str, ...]:
        """Return the names this app answers to; ``.example.org`` stands for all beneath it too."""
        return words(self.allowed_hosts) or ("localhost", "127.0.0.1", "[::1]")

    @property
    def redirects_to_https(self) -> bool:
        """Tell whether plain HTTP is sent on to HTTPS: in production, unless it is told otherwise."""
        return self.production if self.https_redirect is None else self.https_redirect

    @property
    def signs_in(self) -> bool:
        """Tell whether people can sign in."""
        return self.oidc_issuer is not None

    @property
    def address(self) -> str:
        """Return the app's own address, as browsers have it."""
        if self.public_url is not None:
            return self.public_url
        if self.production:
            return f"https://{self.hosts[0].removeprefix('.')}"
        return f"http://{'localhost' if self.host == '127.0.0.1' else self.host}:{self.port}"

    def _production_faults(self) -> dict[str, str]:
        faults = {}
        if self.secret_key is None:
            faults["secret.missing"] = "production needs PLANTID_SECRET_KEY"
        if not self.allowed_hosts.strip():
            faults["hosts.missing"] = "production needs PLANTID_ALLOWED_HOSTS"
        if not self.allow_sandbox and None in {self.plant_id_api_key, self.plantnet_api_key}:
            faults["sandbox.answers"] = (
                "production needs PLANTID_PLANT_ID_API_KEY and PLANTID_PLANTNET_API_KEY"
                " (or PLANTID_ALLOW_SANDBOX=1, to answer from the sandbox)"
            )
        return faults

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the sources in the order of this module's docstring."""
        del dotenv_settings, file_secret_settings
        return (
            init_settings,
            env_settings,
            *cls._file_sources(settings_cls),
        )

    @classmethod
    def _file_sources(
        cls, settings_cls: type[BaseSettings]
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return _FileSource(settings_cls), _StreamlitSecretsSource(settings_cls)


def words(text: str) -> tuple[str, ...]:
    """Return the parts of a list that commas separate."""
    return tuple(part for part in (one.strip() for one in text.split(",")) if part)


def _parts(url: str) -> SplitResult:
    """Return an address's parts; the error of a bad one does not hold it, for it may be a secret."""
    try:
        return urlsplit(url)
    except ValueError:
        message = "must be an address"
    raise ValueError(message)


def _require_port(parts: SplitResult) -> None:
    with suppress(ValueError):
        if parts.port != 0:
            return
    message = "must have a port in 1–65535, or none"
    raise ValueError(message)


def load_settings(**overrides: object) -> Settings:
    """Return the settings in force; raises `ConfigurationError` that lists every fault."""
    try:
        return Settings(**overrides)  # type: ignore[arg-type]  # pydantic checks them
    except ValidationError as error:
        faults = [_sentence(dict(fault)) for fault in error.errors()]
    # Outside the clause, so that pydantic's own error, which holds every value, is not chained.
    raise ConfigurationError(faults)


def _sentence(fault: dict[str, object]) -> str:
    where = ".".join(str(part) for part in cast("tuple[object, ...]", fault["loc"]))
    text = str(fault["msg"]).removeprefix("Value error, ")
    return f"PLANTID_{where.upper()}: {text}" if where else text
