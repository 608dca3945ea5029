"""The people and tokens of an app where people sign in, on an empty database of either kind."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from plantid_core.access.registry import Registry
from plantid_core.settings import Settings, load_settings
from plantid_core.store.history.engine import Database
from plantid_core.store.history.schema import access_token, ended_sign_in, person

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from plantid_core.drill.postgres import Postgres

ISSUER = "https://issuer.example"


@pytest.fixture
def signing_in(tmp_path: Path) -> Settings:
    """Give settings with a sign-in service, and one admin by name."""
    return load_settings(
        data_dir=tmp_path,
        oidc_issuer=ISSUER,
        oidc_client_id="plants",
        oidc_client_secret="hush-hush",  # noqa: S106 - nobody's
        admins="root",
    )


@pytest.fixture(scope="session")
def used_in_turn(postgres: Postgres) -> str:
    """Give the address of a database for all of these tests, since a new one takes its time."""
    return postgres.create("people")


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the address of a database without people, of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'people.sqlite'}"
    found: str = request.getfixturevalue("used_in_turn")
    with closing(Database(found)) as before:
        before.write(lambda connection: connection.execute(access_token.delete()))
        before.write(lambda connection: connection.execute(person.delete()))
        before.write(lambda connection: connection.execute(ended_sign_in.delete()))
    return found


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    with closing(Database(url, wait_s=5)) as opened:
        yield opened


@pytest.fixture
def registry(signing_in: Settings, database: Database) -> Iterator[Registry]:
    with Registry(signing_in, database) as opened:
        yield opened


@pytest.fixture
def elsewhere(signing_in: Settings, url: str) -> Iterator[Registry]:
    """Give the registry of another process on the same database."""
    with closing(Database(url, wait_s=5)) as own, Registry(signing_in, own) as opened:
        yield opened
