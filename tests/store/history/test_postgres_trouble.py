"""Postgres gone, cut off, busy, or not as it should be: told, survived, and nothing done twice."""

from __future__ import annotations

import socket
import threading
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING

import psycopg
import pytest
from observations import determined, observed, reason
from processes import in_child

from plantid_core.errors import HistoryUnavailable
from plantid_core.store.history.engine import Database
from plantid_core.store.history.history import History
from plantid_core.store.history.statements import take_turns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from plantid_core.drill.postgres import Postgres


@pytest.fixture
def database(postgres: Postgres, request: pytest.FixtureRequest) -> Iterator[str]:
    """Give the name of an empty database of Postgres."""
    name = request.node.name[:50]
    postgres.create(name)
    yield name
    postgres.drop(name)


def test_a_forked_child_shares_no_connection(postgres: Postgres, database: str) -> None:
    """The server sees the parent's one, and the child's one."""
    count = b"SELECT count(*) FROM pg_stat_activity WHERE datname = %s"
    with History(postgres.url(database)) as history:
        history.add(observed())

        def work() -> object:
            history.get("ann", "one")
            with psycopg.connect(postgres.url()) as other:
                return other.execute(count, [database]).fetchone()

        assert in_child(work) == "(2,)"
        history.get("ann", "one")


def test_a_connection_that_the_server_ended_is_replaced(postgres: Postgres, database: str) -> None:
    """Nobody notices."""
    with History(postgres.url(database)) as history:
        history.add(observed())
        postgres.cut_off(database)

        assert history.add(observed("two"))
        postgres.cut_off(database)
        assert history.find("ann").total == 2


def test_a_commit_whose_answer_was_lost_is_not_done_twice(
    postgres: Postgres, database: str
) -> None:
    """The connection breaks between the server's commit and its word of it."""
    with (
        _losing_commits(postgres) as (port, lose),
        History(f"postgresql://postgres@127.0.0.1:{port}/{database}") as history,
    ):
        history.add(observed())
        lose.set()
        history.determine("ann", "one", determined())
        assert not lose.is_set()
        assert history.get("ann", "one").determinations == (determined(),)
        lose.set()
        forgotten = history.delete("ann", ["one"])

    assert not lose.is_set()
    assert forgotten.observations == 1
    assert forgotten.photo_ids == (observed().photos[0].photo_id,)


def test_a_server_that_is_gone_is_told_and_comes_back(postgres: Postgres, database: str) -> None:
    """What it had acknowledged is there when it does."""
    with History(postgres.url(database)) as history:
        history.add(observed())
        postgres.stop()
        try:
            assert reason(history) == "unreachable"
        finally:
            postgres.start()

        assert history.get("ann", "one") == observed()
        assert history.add(observed("two"))


def test_postgres_is_not_waited_for_for_ever(postgres: Postgres, database: str) -> None:
    """Somebody holds the table."""
    with (
        History(postgres.url(database), wait_s=0.2) as history,
        psycopg.connect(postgres.url(database)) as other,
    ):
        history.add(observed())
        other.execute("LOCK TABLE observation IN ACCESS EXCLUSIVE MODE")

        assert reason(history) == "locked"

        other.rollback()
        assert history.add(observed("two"))


def test_an_owners_changes_take_turns_and_nobody_elses(postgres: Postgres, database: str) -> None:
    """Else a photo could be let go of that another change has just begun to need."""
    with (
        closing(Database(postgres.url(database))) as first,
        History(postgres.url(database), wait_s=0.2) as second,
    ):
        second.add(observed())

        def work(connection: Connection) -> None:
            take_turns(connection, "ann")
            for change in (
                lambda: second.add(observed("two")),
                lambda: second.determine("ann", "one", determined()),
                lambda: second.delete("ann", ["one"]),
            ):
                with pytest.raises(HistoryUnavailable) as refused:
                    change()
                assert refused.value.reason == "locked"
            assert second.add(observed("two", owner="bob"))

        first.write(work)
        assert second.delete("ann", ["one"]).observations == 1


def test_a_postgres_that_takes_no_changes_is_read(postgres: Postgres, database: str) -> None:
    """As a standby is."""
    with History(postgres.url(database)) as history:
        history.add(observed())
    with psycopg.connect(postgres.url(), autocommit=True) as other:
        other.execute(
            f'ALTER DATABASE "{database}" SET default_transaction_read_only = on'.encode()
        )

    with History(postgres.url(database)) as history:
        assert history.get("ann", "one") == observed()
        assert reason(history) == "read_only"


def test_a_postgres_of_another_encoding_is_refused(postgres: Postgres) -> None:
    """It could not hold every name; the way to make a right one is told."""
    with psycopg.connect(postgres.url(), autocommit=True) as other:
        other.execute(b"CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")

    with (
        History(postgres.url("latin")) as history,
        pytest.raises(HistoryUnavailable, match="ENCODING 'UTF8'") as failed,
    ):
        history.owners()

    assert failed.value.reason == "unreachable"
    postgres.drop("latin")


@contextmanager
def _losing_commits(postgres: Postgres) -> Iterator[tuple[int, threading.Event]]:
    """Run a proxy before the server; once told to, it loses the answer to the next commit."""
    lose = threading.Event()
    socket_path = f"{postgres.url().partition('host=')[2].partition('&')[0]}/.s.PGSQL.5432"
    listener = socket.create_server(("127.0.0.1", 0))
    open_sockets: list[socket.socket] = []

    def pump(source: socket.socket, sink: socket.socket, *, asks: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                lost = asks and lose.is_set() and b"COMMIT" in data
                if lost:
                    losing.add(sink)
                sink.sendall(data)
                if not asks and source in losing:
                    lose.clear()
                    break
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    losing: set[socket.socket] = set()

    def serve() -> None:
        with suppress(OSError):
            while True:
                client = listener.accept()[0]
                server = socket.socket(socket.AF_UNIX)
                server.connect(socket_path)
                open_sockets.extend((client, server))
                for source, sink, asks in ((client, server, True), (server, client, False)):
                    threading.Thread(
                        target=pump, args=(source, sink), kwargs={"asks": asks}, daemon=True
                    ).start()

    serving = threading.Thread(target=serve, daemon=True)
    serving.start()
    try:
        yield listener.getsockname()[1], lose
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        serving.join(10)
        for one in open_sockets:
            one.close()
