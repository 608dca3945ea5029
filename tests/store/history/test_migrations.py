"""Databases of every earlier version are brought to the newest one, and nothing in them is lost."""

from __future__ import annotations

import datetime as dt
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from observations import answered, determined, observed

from plantid_core.access.registry import Registry
from plantid_core.errors import HistoryUnavailable
from plantid_core.settings import load_settings
from plantid_core.store.history import migrations
from plantid_core.store.history.engine import Database
from plantid_core.store.history.history import History
from plantid_core.store.history.migrate import migrate, version
from plantid_core.store.history.schema import HEAD, VERSION_TABLE, metadata
from plantid_core.store.history.values import Filter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Rows as the first version wrote them.
OBSERVATION = """INSERT INTO observation VALUES (
    7, 'ann', 'old', '2025-05-01 12:00:00.123456', '2025-04-30', 35.0, 135.0, 25.0, 'Ann', '', 'en',
    'fresh', '{"suggestions":[],"abstained":"none"}')"""
PHOTO = "INSERT INTO photo VALUES (1, 7, 'abc', 'leaf', 640, 480, 'JPEG')"
NAMED = """INSERT INTO answer VALUES (1, 7, 'plantnet', 'ok', false, 'key',
    '{"provider":"plantnet","status":"ok","source":"upstream","sandbox":false,"elapsed_ms":1.5,
    "suggestions":[{"taxon":{"scientific_name":"Acer Ōsakazuki","common_names":["Maple"]},
    "score":0.5}]}')"""
SILENT = """INSERT INTO answer VALUES (2, 7, 'plant_id', 'unavailable', false, NULL,
    '{"provider":"plant_id","status":"unavailable","source":"upstream","sandbox":false,
    "elapsed_ms":1.5}')"""
ROWS_OF_0001 = (OBSERVATION, PHOTO, NAMED, SILENT)


def check_0001(history: History) -> None:
    """See that all of it is there, can be searched, and goes on."""
    kept = history.get("ann", "old")
    assert kept.made_at.isoformat() == "2025-05-01T12:00:00.123456+00:00"
    assert kept.answers[0].suggestions[0].taxon.common_names == ("Maple",)
    assert (kept.photos[0].photo_id, kept.answers[1].status) == ("abc", "unavailable")
    assert history.find("ann", Filter(text="ŌSAKA", verified=False)).total == 1
    history.determine("ann", "old", determined())
    assert history.find("ann", Filter(verified=True)).total == 1


# Rows as the second version wrote them.
NAMED_OF_0002 = NAMED.replace("VALUES (1", "VALUES (3").removesuffix(")") + ", 'acer')"
DETERMINED = """INSERT INTO determination VALUES (
    1, 7, 'said', '2025-05-02 12:00:00', 'ann', 'changed',
    '{"scientific_name":"Acer palmatum","authorship":"Thunb."}', 'acer palmatum', 'plantnet', 0.5,
    false, 'five lobes')"""
ROWS_OF_0002 = (OBSERVATION, PHOTO, NAMED_OF_0002, DETERMINED)


def check_0002(history: History) -> None:
    """See that what a person decided is there, and can be found."""
    made = history.get("ann", "old").determinations[0]
    assert made.taxon is not None
    assert (made.taxon.scientific_name, made.note) == ("Acer palmatum", "five lobes")
    assert history.find("ann", Filter(text="palmat", verified=True)).total == 1


# Somebody as the third version wrote them.
PERSON = """INSERT INTO person VALUES (
    1, 'p00', 'https://issuer', 'ann', 'Ann', 'admin', true, '2026-01-01 12:00:00',
    '2026-01-02 12:00:00', '2026-01-02 12:00:00')"""
ROWS_OF_0003 = (*ROWS_OF_0002, PERSON)


def check_0003(history: History) -> None:
    """See that whoever was known is, and that their sign-in can be ended."""
    check_0002(history)
    with Registry(load_settings(), history.database) as registry:
        ann = registry.people.get("p00")
        assert (ann.name, ann.active, ann.seen_at) == ("Ann", True, SEEN)
        registry.sign_ins.end(ann.id, SEEN)
        assert registry.sign_ins.is_over(ann.id, SEEN)


SEEN = dt.datetime(2026, 1, 2, 12, tzinfo=dt.UTC)
EARLIER: dict[str, tuple[tuple[str, ...], Callable[[History], None]]] = {
    "0001": (ROWS_OF_0001, check_0001),
    "0002": (ROWS_OF_0002, check_0002),
    "0003": (ROWS_OF_0003, check_0003),
}


@pytest.fixture
def engine(url: str) -> Iterator[sa.Engine]:
    """Give another way to the database, without any of ours."""
    made = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    yield made
    made.dispose()


def steps() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.set_main_option("path_separator", "os")
    return ScriptDirectory.from_config(config)


def at(engine: sa.Engine, revision: str, *statements: str) -> None:
    """Make a database as an earlier version left it."""
    with engine.begin() as connection:
        migrate(connection, "a test", revision)
        for statement in statements:
            connection.exec_driver_sql(statement)


def test_there_is_one_newest_step_and_an_example_of_every_earlier_one() -> None:
    """A step without an example of what it must bring on would go untried."""
    known = [step.revision for step in steps().walk_revisions()]

    assert steps().get_heads() == [HEAD]
    assert known == [HEAD, *sorted(EARLIER, reverse=True)]


@pytest.mark.parametrize("revision", EARLIER)
def test_what_an_earlier_version_kept_is_still_there(
    revision: str, url: str, engine: sa.Engine
) -> None:
    """Opening is all it takes."""
    rows, check = EARLIER[revision]
    at(engine, revision, *rows)

    with History(url) as history:
        check(history)


def test_people_and_tokens_have_a_place_in_an_earlier_database(url: str, engine: sa.Engine) -> None:
    """What was kept before stays its owner's."""
    at(engine, "0002", *ROWS_OF_0002)

    with closing(Database(url)) as database:
        database.open()
        with Registry(load_settings(), database) as registry:
            ann = registry.people.register("https://issuer", "ann")
            token, word = registry.tokens.create(ann.id, ["identify"], 1)

            assert registry.tokens.verify(word) == token
        with History(database) as history:
            assert history.owners() == ("ann",)


def test_the_steps_make_the_tables_that_we_use(url: str, engine: sa.Engine) -> None:
    """Columns, types, keys and indices are those of the schema; nothing is missing or left over."""
    with History(url) as history:
        history.owners()

    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, metadata) == []
        assert version(connection) == HEAD


def test_a_step_that_fails_changes_nothing(url: str, engine: sa.Engine) -> None:
    """Here because somebody else's table bears the name; once that is gone, all goes well."""
    rows, check = EARLIER["0001"]
    at(engine, "0001", *rows, "CREATE TABLE determination (x INTEGER)")

    with History(url) as history:
        with pytest.raises(HistoryUnavailable) as failed:
            history.owners()
        with engine.begin() as connection:
            assert version(connection) == "0001"
            columns = sa.inspect(connection).get_columns("answer")
            connection.exec_driver_sql("DROP TABLE determination")
        check(history)

    assert failed.value.reason == "damaged"
    assert "names" not in {column["name"] for column in columns}


def test_a_newer_database_is_left_alone(url: str, engine: sa.Engine) -> None:
    """It may hold what this version would spoil."""
    with History(url) as history:
        history.add(observed(answers=(answered(),)))
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE history_version SET version_num = '9999'")

    with History(url) as history, pytest.raises(HistoryUnavailable, match="newer") as failed:
        history.get("ann", "one")

    assert failed.value.reason == "newer"
