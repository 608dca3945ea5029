"""Browsers that have signed in: their cookies, made by Streamlit's own code."""

from __future__ import annotations

import hashlib
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from itsdangerous import TimestampSigner, URLSafeTimedSerializer
from streamlit.auth_util import set_cookie_with_chunks

from plantid_core.access.registry import Registry
from plantid_core.access.signing import key_ring
from plantid_core.settings import Settings, load_settings
from plantid_core.store.history.engine import Database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ISSUER = "http://issuer.example"


def signing_in(data_dir: Path, **more: object) -> Settings:
    """Return settings with a sign-in service."""
    told = {"oidc_issuer": ISSUER, "oidc_client_id": "plants", "oidc_client_secret": "hush-hush"}
    return load_settings(**{"data_dir": data_dir, **told, **more})


# More than fits in a cookie, and nothing that packs well.
MANY_GROUPS = [hashlib.sha256(bytes([number])).hexdigest() for number in range(200)]


@contextmanager
def registered(settings: Settings) -> Iterator[Registry]:
    """Give the people and tokens of a process on the database beneath the data directory."""
    path = settings.data_dir / "history.sqlite"
    with (
        closing(Database(f"sqlite:///{path}", wait_s=5)) as database,
        Registry(settings, database) as opened,
    ):
        yield opened


def key_of(settings: Settings) -> str:
    """Return the key that these settings have Streamlit sign with."""
    return key_ring(settings).derived("streamlit-cookies")[0]


def signed(key: str, name: str, value: str, age_s: float = 0) -> str:
    """Return a cookie's value as Streamlit signed it so long ago."""

    class Then(TimestampSigner):
        def get_timestamp(self) -> int:
            return int(time.time() - age_s)

    made = URLSafeTimedSerializer(key, salt=name, signer=Then).dumps(value)
    return made if isinstance(made, str) else made.decode()


def cookies(settings: Settings, *, age_s: float = 0, **claimed: object) -> dict[str, str]:
    """Return the cookies of somebody of these claims, signed in so long ago; large ones in chunks."""
    key, jar = key_of(settings), dict[str, str]()
    claims = {
        "iss": settings.oidc_issuer,
        "is_logged_in": True,
        "origin": settings.address,
        "provider": "default",
        **claimed,
    }

    def keep(name: str, value: str) -> None:
        jar[name] = signed(key, name, value, age_s)

    set_cookie_with_chunks(
        keep,
        lambda name, value: signed(key, name, value).encode(),
        "_streamlit_user",
        claims,
        cookie_attr_size=60,
    )
    return jar


def header(jar: dict[str, str]) -> dict[str, str]:
    """Return the header that sends these cookies."""
    return {"Cookie": "; ".join(f"{name}={value}" for name, value in jar.items())}
