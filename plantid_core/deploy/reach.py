"""Whether what the settings name is there: stores, the sign-in service, keys that could be keys."""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING

from plantid_core.deploy.finding import Finding
from plantid_core.errors import PlantIDError

if TYPE_CHECKING:
    from plantid_core.settings import Settings

_CONNECT_S = 3.0
_LEAST_KEY = 16
_EXAMPLES = ("your", "example", "changeme", "xxx", "api-key", "api_key", "sandbox")


def reached(settings: Settings) -> list[Finding]:
    """Return what cannot be reached or used; it asks over the network, and calls no service."""
    found = [_data(settings), _redis(settings), _database(settings), _sign_in(settings)]
    return [one for one in (*found, *_keys(settings)) if one is not None]


def _data(settings: Settings) -> Finding | None:
    folder = settings.data_dir
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if folder.is_dir() and os.access(folder, os.W_OK | os.X_OK):
        return None
    message = f"Nothing can be written in the data directory {settings.data_dir}."
    return _error("data.unwritable", message, "Give it to the user that runs the app.")


def _redis(settings: Settings) -> Finding | None:
    if settings.redis_url is None:
        return None
    from redis import RedisError

    from plantid_core.store.connection import connect

    hint = "Is the server up, and the password right? Without it the app answers, and costs more."
    try:
        with closing(
            connect(
                settings.redis_url.get_secret_value(),
                connect_timeout_s=_CONNECT_S,
                socket_timeout_s=_CONNECT_S,
            )
        ) as client:
            role = client.info("replication")["role"]
    except PlantIDError as error:
        return _error("redis.unusable", str(error), hint)
    except (RedisError, OSError) as error:
        # Not its own words: they may quote the address.
        message = f"PLANTID_REDIS_URL cannot be reached ({type(error).__name__})."
        return _error("redis.unreachable", message, hint)
    if role == "master":
        return None
    return _error(
        "redis.replica", "PLANTID_REDIS_URL names a replica, which takes no writes.", hint
    )


def _database(settings: Settings) -> Finding | None:
    if settings.database_url is None:
        return None
    import sqlalchemy as sa

    from plantid_core import parts

    try:
        with closing(parts.make_database(settings)) as database:
            database.read(lambda connection: connection.execute(sa.text("SELECT 1")).scalar())
    except PlantIDError as error:
        return _error("database.unreachable", str(error), "See docs/operate.md, Postgres.")
    return None


def _sign_in(settings: Settings) -> Finding | None:
    if settings.oidc_issuer is None:
        return None
    import requests

    # OpenID Connect Discovery 1.0, section 4.
    url = f"{settings.oidc_issuer}/.well-known/openid-configuration"
    try:
        answer = requests.get(url, timeout=_CONNECT_S)
        told = answer.json() if answer.ok else None
    except (requests.RequestException, ValueError):
        told = None
    if isinstance(told, dict) and "authorization_endpoint" in told:
        return None
    message = f"{url} does not describe a sign-in service."
    return _error("oidc.unreachable", message, "Is PLANTID_OIDC_ISSUER the issuer's own address?")


def _keys(settings: Settings) -> list[Finding | None]:
    keys = {
        "plant_id_api_key": settings.plant_id_api_key,
        "plantnet_api_key": settings.plantnet_api_key,
    }
    return [
        _error(
            f"key.{name.removesuffix('_api_key')}",
            f"PLANTID_{name.upper()} does not look like a key of the service.",
            "Copy it anew from the service's own page.",
        )
        for name, key in keys.items()
        if key is not None and not _is_plausible(key.get_secret_value())
    ]


def _is_plausible(key: str) -> bool:
    return len(key) >= _LEAST_KEY and not any(word in key.lower() for word in _EXAMPLES)


def _error(name: str, message: str, hint: str) -> Finding:
    return Finding(name, "error", message, hint)
