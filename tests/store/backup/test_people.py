"""People come back with a backup, and stay out who was let in no more; tokens never do."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import pytest
from kept import DAISY, NOON, answer, observed

from plantid_core.access.registry import Registry
from plantid_core.errors import InputUnreadable, PlantIDError, TokenRefused
from plantid_core.settings import load_settings
from plantid_core.store.backup.restore import restore_backup
from plantid_core.store.backup.write import write_backup
from plantid_core.store.history.engine import Database
from plantid_core.store.history.history import History
from plantid_core.store.history.repeats import Repeats, Taken
from plantid_core.store.history.schema import access_token, ended_sign_in, idempotency, person
from plantid_core.store.photos import PhotoStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from plantid_core.drill.postgres import Postgres
    from plantid_core.store.backup.restore import Restored
    from plantid_core.store.backup.write import Written

ISSUER = "https://issuer.example"


@pytest.fixture(scope="session")
def used_in_turn(postgres: Postgres) -> str:
    """Give the address of a database for all of these tests, since a new one takes its time."""
    return postgres.create("restored")


@pytest.fixture(params=["sqlite", "postgres"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Open an empty database of either kind, and its data directory."""
    folder = tmp_path / "data"
    if request.param == "sqlite":
        database = Database(folder / "history.sqlite")
    else:
        database = Database(request.getfixturevalue("used_in_turn"))
        empty(database)
    with closing(database):
        place = Place(folder, database)
        with place.registry:
            yield place
        if request.param == "postgres":
            with History(database) as history:
                history.delete_all("ann")


class Place:
    """A data directory, its database, and the people in that."""

    def __init__(self, folder: Path, database: Database) -> None:
        folder.mkdir(exist_ok=True)
        self.folder, self.database = folder, database
        self.registry = Registry(load_settings(data_dir=folder, oidc_issuer=None), database)
        self.people, self.tokens = self.registry.people, self.registry.tokens

    def save(self, out: Path) -> Written:
        photos = PhotoStore(self.folder / "photos")
        return write_backup(out, self.folder, History(self.database), photos, now=NOON)

    def bring_back(self, out: Path, *, force: bool = False) -> Restored:
        self.database.close()
        return restore_backup(out, self.folder, History(self.database), force=force)


def empty(database: Database) -> None:
    for table in (access_token, person, ended_sign_in, idempotency):
        database.write(lambda connection, table=table: connection.execute(table.delete()))  # type: ignore[misc]


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Callable[[str], Place]]:
    """Give what makes places with a file of SQLite."""
    with ExitStack() as used:

        def make(name: str) -> Place:
            database = Database(tmp_path / name / "history.sqlite")
            used.callback(database.close)
            place = Place(tmp_path / name, database)
            used.enter_context(place.registry)
            return place

        yield make


def test_people_come_back_and_stay_out(
    kept: Place, tmp_path: Path, fresh: Callable[[str], Place]
) -> None:
    """From either database into SQLite, and from there into the same kind again."""
    ann = kept.people.seen(ISSUER, "ann", name="Ann", role="admin")
    ben = kept.people.seen(ISSUER, "ben")
    ben = kept.people.deactivate(ben.id)

    saved = kept.save(tmp_path / "a.tar.gz")
    second = fresh("second")
    second.bring_back(tmp_path / "a.tar.gz")
    second.save(tmp_path / "b.tar.gz")
    empty(kept.database)
    restored = kept.bring_back(tmp_path / "b.tar.gz", force=True)

    assert (saved.people, restored.people) == (2, 2)
    assert second.people.all() == kept.people.all() == (ann, ben)


def test_no_token_is_in_it(kept: Place, tmp_path: Path, fresh: Callable[[str], Place]) -> None:
    """Nor what was answered to a request, nor the key that signs: not even in a freed page."""
    ann = kept.people.seen(ISSUER, "ann")
    _, word = kept.tokens.create(ann.id, ("identify",), 1)
    token = kept.tokens.verify(word)
    taken = Repeats(kept.database, patience_s=1).take(ann.id, "once", "ab" * 32)
    assert isinstance(taken, Taken)
    Repeats(kept.database, patience_s=1).finish(taken, 200, "an answer that was told")
    (kept.folder / "secret-key").write_text("planted for this test")

    saved = kept.save(tmp_path / "a.tar.gz")
    second = fresh("second")
    second.bring_back(tmp_path / "a.tar.gz")

    held = gzip.decompress((tmp_path / "a.tar.gz").read_bytes())
    digest = hashlib.sha256(word.encode()).hexdigest()
    assert not [
        part
        for part in (token.id, digest, "an answer that was told", "planted for this test")
        if part.encode() in held
    ]
    assert "secret-key" in saved.left_out
    assert second.tokens.list() == ()
    with pytest.raises(TokenRefused):
        second.tokens.verify(word)
    assert kept.tokens.verify(word).id == token.id  # where it was taken, all stays


def test_whoever_is_there_stays_out_by_either(kept: Place, tmp_path: Path) -> None:
    """By the backup, or by what was done since: neither lets anybody in again."""
    for name in ("ann", "ben", "cem"):
        kept.people.seen(ISSUER, name)
    ann, ben, cem = (one.id for one in kept.people.all())
    kept.people.deactivate(ann)
    kept.save(tmp_path / "a.tar.gz")
    kept.people.activate(ann)
    kept.people.deactivate(ben)
    dan = kept.people.deactivate(kept.people.seen(ISSUER, "dan").id).id

    restored = kept.bring_back(tmp_path / "a.tar.gz", force=True)

    assert kept.people.inactive() == {ann, ben, dan}
    assert kept.people.get(cem).active
    assert not restored.unsure


def test_a_backup_that_brings_tokens_brings_none(
    tmp_path: Path, fresh: Callable[[str], Place]
) -> None:
    """As one would that was put together by hand from the database's own file."""
    first, second = fresh("first"), fresh("second")
    first.tokens.create(first.people.seen(ISSUER, "ann").id, ("identify",), 1)
    first.database.close()
    meddle(
        tmp_path / "a.tar.gz", {"history.sqlite": (first.folder / "history.sqlite").read_bytes()}
    )

    second.bring_back(tmp_path / "a.tar.gz")

    assert second.tokens.list() == ()
    assert [one.subject for one in second.people.all()] == ["ann"]


def test_a_database_that_cannot_be_read_is_told(
    tmp_path: Path, fresh: Callable[[str], Place]
) -> None:
    """A restore mends just that: who was deactivated since is to be looked through by hand."""
    place = fresh("data")
    place.people.seen(ISSUER, "ann")
    place.save(tmp_path / "a.tar.gz")
    place.database.close()
    (place.folder / "history.sqlite").write_bytes(b"SQLite format 3\0" + b"\x99" * 8192)

    assert place.bring_back(tmp_path / "a.tar.gz", force=True).unsure
    assert len(place.people.all()) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"role": "owner"},
        {"active": "yes"},
        {"id": "../ann"},
        {"subject": ""},
        {"issuer": "x" * 501},
        {"name": "\0"},
        {"made_at": "2026-05-01T12:00:00"},
        {"made_at": None},
    ],
    ids=str,
)
def test_what_is_no_person_is_refused(
    tmp_path: Path, fresh: Callable[[str], Place], wrong: dict[str, object]
) -> None:
    """The backup is named, and nothing is touched."""
    one = {
        "id": "p1",
        "issuer": ISSUER,
        "subject": "ann",
        "name": "Ann",
        "role": "user",
        "active": True,
        "made_at": NOON.isoformat(),
        "seen_at": None,
        **wrong,
    }
    parts = {"history.jsonl": b"", "people.jsonl": json.dumps(one).encode() + b"\n"}
    meddle(tmp_path / "a.tar.gz", parts)
    place = fresh("data")

    with pytest.raises(InputUnreadable, match=r"a\.tar\.gz.*cannot be read"):
        place.bring_back(tmp_path / "a.tar.gz")

    assert list(place.folder.iterdir()) == []


def test_a_restore_that_fails_takes_people_back(
    tmp_path: Path, fresh: Callable[[str], Place]
) -> None:
    """A database elsewhere is as it was: who came is gone, who was let in is in."""
    source = fresh("source")
    ann = source.people.deactivate(source.people.seen(ISSUER, "ann").id).id
    source.people.seen(ISSUER, "ben")
    with History(source.database) as history:
        history.add(observed(answer("offline", DAISY), owner=ann, photos=()))
    source.save(tmp_path / "a.tar.gz")
    full = tmp_path / ("n" * 240)  # no longer name is left to move it to
    full.mkdir()
    (full / "names.sqlite").write_bytes(b"kept")
    with closing(Database(tmp_path / "elsewhere.sqlite")) as elsewhere:
        place = Place(full, elsewhere)
        before = place.people.seen(ISSUER, "ann")

        with pytest.raises(PlantIDError, match="could not be written"):
            place.bring_back(tmp_path / "a.tar.gz", force=True)

        assert place.people.all() == (before,)


def meddle(out: Path, parts: dict[str, bytes]) -> None:
    """Write what passes for a backup of these members."""
    told = {
        name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in parts.items()
    }
    manifest = {"format": "plantid-backup", "version": 1, "made_at": "", "members": told}
    with tarfile.open(out, "w:gz", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in (*parts.items(), ("manifest.json", json.dumps(manifest).encode())):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
