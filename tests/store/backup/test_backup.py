"""A data directory as one file, and back."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import sqlite3
import tarfile
import uuid
import zlib
from contextlib import closing
from dataclasses import replace
from threading import Event, Thread
from typing import TYPE_CHECKING

import numpy as np
import pytest
from kept import CHERRY, DAISY, NOON, answer, determined, observed

from plantid_core.errors import InputUnreadable, PlantIDError
from plantid_core.store.backup.restore import restore_backup
from plantid_core.store.backup.write import write_backup
from plantid_core.store.history.history import History
from plantid_core.store.history.values import KeptPhoto
from plantid_core.store.hold import Hold
from plantid_core.store.photos import PhotoStore

if TYPE_CHECKING:
    from pathlib import Path

    from plantid_core.store.backup.restore import Restored
    from plantid_core.store.backup.write import Written
    from plantid_core.store.history.values import Observed


def history_in(data_dir: Path) -> History:
    return History(data_dir / "history.sqlite")


def keep(data_dir: Path, owner: str, content: bytes, history: History) -> Observed:
    photo_id = PhotoStore(data_dir / "photos").put(owner, b"\xff\xd8\xff" + content)
    made = observed(
        answer("offline", DAISY, CHERRY),
        owner=owner,
        photos=(KeptPhoto(photo_id, "leaf", 32, 24, "PNG"),),
        determinations=(determined(CHERRY, note="by the brook"),),
    )
    history.add(made)
    return made


def save(data_dir: Path, out: Path) -> Written:
    with history_in(data_dir) as history:
        return write_backup(out, data_dir, history, PhotoStore(data_dir / "photos"), now=NOON)


def bring_back(out: Path, data_dir: Path, *, force: bool = False) -> Restored:
    with history_in(data_dir) as history:
        return restore_backup(out, data_dir, history, force=force)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """Return a data directory in which two people keep things, and more that is worth keeping."""
    folder = tmp_path / "data"
    folder.mkdir()
    with history_in(folder) as history:
        keep(folder, "ann", b"one", history)
        keep(folder, "ann", b"two", history)
        keep(folder, "ben", b"one", history)
    (folder / "herbarium").mkdir()
    (folder / "herbarium" / "herbarium.safetensors").write_bytes(b"features")
    (folder / "calibration.json").write_text("{}")
    (folder / "valkey").mkdir()
    (folder / "valkey" / "appendonly.aof").write_bytes(b"cache")
    return folder


def test_all_of_it_comes_back(data_dir: Path, tmp_path: Path) -> None:
    """The same observations, photos of their owners alone, and files; the cache is not worth it."""
    out, new = tmp_path / "b.tar.gz", tmp_path / "new"

    saved = save(data_dir, out)
    restored = bring_back(out, new)

    assert (saved.observations, saved.photos, restored.observations, restored.photos) == (3,) * 4
    assert out.stat().st_mode & 0o777 == 0o600
    assert list(saved.left_out) == ["valkey"]
    with history_in(data_dir) as before, history_in(new) as after:
        for owner in ("ann", "ben"):
            assert list(after.all(owner)) == list(before.all(owner))
    kept, again = PhotoStore(data_dir / "photos"), PhotoStore(new / "photos")
    for owner in ("ann", "ben"):
        assert again.owned(owner) == kept.owned(owner)
        for photo in again.owned(owner):
            assert again.get(owner, photo.photo_id) == kept.get(owner, photo.photo_id)
    again.delete_all("ann")
    assert len(again.owned("ben")) == 1  # a photo that both keep is counted for each
    assert (new / "herbarium" / "herbarium.safetensors").read_bytes() == b"features"
    assert (new / "calibration.json").read_text() == "{}"
    assert not (new / "valkey").exists()


def test_it_is_taken_while_people_keep_and_delete(data_dir: Path, tmp_path: Path) -> None:
    """Whatever moment it is of: no observation in it lacks its photo."""
    stop = Event()

    def live() -> None:
        with history_in(data_dir) as history:
            photos = PhotoStore(data_dir / "photos")
            number = 0
            while not stop.is_set():
                made = keep(data_dir, "ann", b"live%d" % number, history)
                if number % 2:
                    for photo_id in history.delete("ann", [made.id]).photo_ids:
                        photos.delete("ann", photo_id)
                number += 1

    thread = Thread(target=live)
    thread.start()
    try:
        for number in range(4):
            save(data_dir, tmp_path / f"b{number}.tar.gz")
    finally:
        stop.set()
        thread.join()

    for number in range(4):
        new = tmp_path / f"new{number}"
        bring_back(tmp_path / f"b{number}.tar.gz", new)
        with history_in(new) as history:
            needed = {photo.photo_id for one in history.all("ann") for photo in one.photos}
        assert {one.photo_id for one in PhotoStore(new / "photos").owned("ann")} == needed


def test_what_is_deleted_meanwhile_is_in_no_backup(data_dir: Path, tmp_path: Path) -> None:
    """Neither the photo, which is gone, nor the observation, which was noted before: it begins anew."""
    photos = PhotoStore(data_dir / "photos")
    with history_in(data_dir) as history:
        left = [one for one in history.all("ann") if one.photos[0].photo_id != photo_of(b"two")]

        def delete(done: int, _of: int) -> None:
            if done == 0 and history.find("ann").total == 2:
                gone = {one.id for one in history.all("ann")} - {one.id for one in left}
                for photo_id in history.delete("ann", gone).photo_ids:
                    photos.delete("ann", photo_id)

        out = tmp_path / "b.tar.gz"
        saved = write_backup(out, data_dir, history, photos, now=NOON, progress=delete)

    assert (saved.observations, saved.photos, saved.damaged) == (2, 2, [])
    bring_back(out, tmp_path / "new")
    with history_in(tmp_path / "new") as history:
        assert list(history.all("ann")) == left


def test_what_lies_there_is_not_overwritten(data_dir: Path, tmp_path: Path) -> None:
    """Without --force nothing is touched; with it, what was there is moved aside, not deleted."""
    out = tmp_path / "b.tar.gz"
    save(data_dir, out)
    with history_in(data_dir) as history:
        newer = keep(data_dir, "ann", b"newer", history)

    with pytest.raises(PlantIDError, match="holds data already"):
        bring_back(out, data_dir)
    with history_in(data_dir) as history:
        assert history.get("ann", newer.id) == newer
    restored = bring_back(out, data_dir, force=True)

    assert restored.moved_to is not None
    with history_in(restored.moved_to) as history:
        assert history.get("ann", newer.id) == newer
    with history_in(data_dir) as history:
        assert newer.id not in {one.id for one in history.all("ann")}


def test_a_directory_in_use_is_left_alone(data_dir: Path, tmp_path: Path) -> None:
    """Also with --force: whoever runs there would write into what was moved."""
    save(data_dir, tmp_path / "b.tar.gz")

    with closing(Hold(data_dir)), pytest.raises(PlantIDError, match="in use"):
        bring_back(tmp_path / "b.tar.gz", data_dir, force=True)
    bring_back(tmp_path / "b.tar.gz", data_dir, force=True)


def unpacked(data: bytes) -> bytes | None:
    """Return what gzip makes of it, None where it finds damage."""
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error):
        return None


def test_a_damaged_backup_touches_nothing(data_dir: Path, tmp_path: Path) -> None:
    """Wherever a byte is wrong, or the end is missing."""
    out, new = tmp_path / "b.tar.gz", tmp_path / "new"
    save(data_dir, out)
    whole, draw = out.read_bytes(), np.random.default_rng(7)
    plain = gzip.decompress(whole)
    harmed = [whole[: int(draw.integers(len(whole)))] for _ in range(10)]
    for _ in range(10):
        # Behind gzip's own header, in which a file's name is nobody's data.
        place = int(draw.integers(100, len(whole) - 8))
        flipped = whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :]
        # In a run of equal bytes, another distance says the same: that is no harm.
        if unpacked(flipped) != plain:
            harmed.append(flipped)
    # A byte of a member, under a checksum of gzip's that is right.
    place = plain.index(b"\xff\xd8\xffone")
    harmed.append(gzip.compress(plain[:place] + b"\xfe" + plain[place + 1 :]))
    harmed += [gzip.compress(plain + b"x" * 512), b"no backup at all"]

    for number, data in enumerate(harmed):
        out.write_bytes(data)
        with pytest.raises(InputUnreadable):
            bring_back(out, new)
        assert not new.exists(), number
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".restoring")] == []


def member(name: str, content: bytes = b"x", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, content


@pytest.mark.parametrize(
    "hostile",
    [
        member("../outside.txt"),
        member("/etc/plantid"),
        member("photos/../../outside.jpg"),
        member("herbarium/../../outside"),
        member("herbarium/.hidden"),
        member("settings.toml"),
        member("calibration.json", b"", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
        member("calibration.json", b"", type=tarfile.LNKTYPE, linkname="/etc/passwd"),
        member("calibration.json", b"", type=tarfile.FIFOTYPE),
        member("herbarium", b"", type=tarfile.DIRTYPE),
        member("calibration.json", b"20 path=../outside\n", type=tarfile.XHDTYPE),
        member("history.sqlite", b"twice"),
        member(f"photos/{'ab' * 32}/{'cd' * 32}.jpg", b"another photo"),
    ],
    ids=lambda hostile: f"{hostile[0].name}-{hostile[0].type.decode()}",
)
def test_a_hostile_backup_touches_nothing(
    data_dir: Path, tmp_path: Path, hostile: tuple[tarfile.TarInfo, bytes]
) -> None:
    """Paths that lead out, links, devices, foreign files: refused, though its manifest vouches."""
    out, new = tmp_path / "b.tar.gz", tmp_path / "far" / "new"
    save(data_dir, out)
    info, content = hostile
    with tarfile.open(out) as archive:
        before = [(one, archive.extractfile(one).read()) for one in archive]  # type: ignore[union-attr]
    manifest = json.loads(before[-1][1])
    digest = hashlib.sha256(content).hexdigest()
    manifest["members"].setdefault(info.name, {"bytes": len(content), "sha256": digest})
    told = json.dumps(manifest).encode()
    with tarfile.open(out, "w:gz", format=tarfile.USTAR_FORMAT) as archive:
        for one, data in (*before[:-1], hostile, member("manifest.json", told)):
            archive.addfile(one, io.BytesIO(data))

    with pytest.raises(InputUnreadable):
        bring_back(out, new)

    assert not new.exists()
    assert not (tmp_path / "outside.txt").exists()


def test_a_database_elsewhere_must_be_empty_and_takes_all(data_dir: Path, tmp_path: Path) -> None:
    """Rows go into the database that the settings name, photos into the directory."""
    out, new, elsewhere = tmp_path / "b.tar.gz", tmp_path / "new", tmp_path / "other.sqlite"
    save(data_dir, out)
    with History(elsewhere) as history:
        restored = restore_backup(out, new, history)
        kept = list(history.all("ann"))
        with pytest.raises(PlantIDError, match="into an empty one"):
            restore_backup(out, tmp_path / "again", history)

    with history_in(data_dir) as before:
        assert kept == list(before.all("ann"))
    assert restored.observations == 3
    assert sorted(path.name for path in new.iterdir()) == [
        "calibration.json",
        "herbarium",
        "photos",
    ]


def test_a_directory_that_cannot_be_exchanged_leaves_the_database_empty(
    data_dir: Path, tmp_path: Path
) -> None:
    """Else the next attempt would be refused, for it holds what the first one brought."""
    out, place = tmp_path / "b.tar.gz", tmp_path / ("n" * 240)  # no longer name is left for it
    save(data_dir, out)
    place.mkdir()
    (place / "names.sqlite").write_bytes(b"kept")

    with History(tmp_path / "other.sqlite") as history:
        with pytest.raises(PlantIDError, match="could not be written"):
            restore_backup(out, place, history, force=True)

        assert history.owners() == ()
    assert [path.name for path in place.iterdir()] == ["names.sqlite"]


def test_a_file_in_the_place_of_the_directory_is_told(data_dir: Path, tmp_path: Path) -> None:
    """And left as it is."""
    save(data_dir, tmp_path / "b.tar.gz")
    (tmp_path / "file").write_text("mine")

    with (
        History(tmp_path / "other.sqlite") as history,
        pytest.raises(PlantIDError, match="file could not be written: Not a directory"),
    ):
        restore_backup(tmp_path / "b.tar.gz", tmp_path / "file", history, force=True)

    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("name", ["other.sqlite", "kept/other.sqlite"])
def test_a_database_in_the_directory_comes_back_where_it_lies(
    data_dir: Path, tmp_path: Path, name: str
) -> None:
    """The directory is exchanged whole: the database must not go with the old one."""
    out, new = tmp_path / "b.tar.gz", tmp_path / "new"
    save(data_dir, out)

    with History(new / name) as history:
        restore_backup(out, new, history)

    assert not (new / "history.sqlite").exists()
    with history_in(data_dir) as before, History(new / name) as after:
        assert list(after.all("ann")) == list(before.all("ann")) != []


def test_a_directory_behind_a_link_is_restored_there(data_dir: Path, tmp_path: Path) -> None:
    """The link stays, and leads to what was brought back."""
    out, real, link = tmp_path / "b.tar.gz", tmp_path / "disk" / "real", tmp_path / "link"
    save(data_dir, out)
    real.mkdir(parents=True)
    link.symlink_to(real)

    restored = bring_back(out, link)

    assert link.is_symlink()
    assert restored.observations == 3
    with history_in(real) as history:
        assert history.owners() == ("ann", "ben")


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE history_version SET version_num = '9999'", "newer version"),
        (
            "UPDATE answer SET body = 'no JSON' WHERE number = (SELECT max(number) FROM answer)",
            "cannot be read",
        ),
    ],
)
def test_a_backup_whose_observations_cannot_be_used_is_refused(
    data_dir: Path, tmp_path: Path, statement: str, said: str
) -> None:
    """Of a newer app, or of a database that was damaged already: the backup is named."""
    out, new = tmp_path / "b.tar.gz", tmp_path / "new"
    save(data_dir, out)
    with tarfile.open(out) as archive:
        parts = [(one, archive.extractfile(one).read()) for one in archive]  # type: ignore[union-attr]
    contents = {one.name: content for one, content in parts}
    (tmp_path / "meddled.sqlite").write_bytes(contents["history.sqlite"])
    with closing(sqlite3.connect(tmp_path / "meddled.sqlite")) as database:
        database.execute(statement)
        database.commit()
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    rows = contents["history.sqlite"] = (tmp_path / "meddled.sqlite").read_bytes()
    manifest = json.loads(contents["manifest.json"])
    digest = hashlib.sha256(rows).hexdigest()
    manifest["members"]["history.sqlite"] = {"bytes": len(rows), "sha256": digest}
    contents["manifest.json"] = json.dumps(manifest).encode()
    with tarfile.open(out, "w:gz", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in contents.items():
            info, _ = member(name, content)
            archive.addfile(info, io.BytesIO(content))

    with pytest.raises(InputUnreadable, match=f"b.tar.gz.*{said}"):
        bring_back(out, new)
    with History(tmp_path / "elsewhere.sqlite") as elsewhere:
        with pytest.raises(InputUnreadable):
            restore_backup(out, new, elsewhere)
        assert elsewhere.owners() == ()

    assert not new.exists()


@pytest.mark.parametrize("line", [b"no JSON", b"[]", b"{}", b'{"observation": 3}', b"\xff"])
def test_rows_that_no_dump_wrote_are_refused(tmp_path: Path, line: bytes) -> None:
    """Though the manifest vouches for them: the backup is named, and nothing is touched."""
    out, new = tmp_path / "b.tar.gz", tmp_path / "new"
    told = {"bytes": len(line), "sha256": hashlib.sha256(line).hexdigest()}
    manifest = {"format": "plantid-backup", "version": 1, "members": {"history.jsonl": told}}
    with tarfile.open(out, "w:gz", format=tarfile.USTAR_FORMAT) as archive:
        for info, data in (
            member("history.jsonl", line),
            member("manifest.json", json.dumps(manifest).encode()),
        ):
            archive.addfile(info, io.BytesIO(data))

    with pytest.raises(InputUnreadable, match=r"b\.tar\.gz.*cannot be read"):
        bring_back(out, new)

    assert not new.exists()


def test_a_lost_photo_is_told_and_does_not_stop_it(data_dir: Path, tmp_path: Path) -> None:
    """One that is damaged on disk, and one that is not there at all."""
    with history_in(data_dir) as history:
        absent = replace(
            observed(answer("offline", DAISY), owner="ann"),
            id=uuid.uuid4().hex,
            photos=(KeptPhoto("ef" * 32, "leaf", 1, 1, "PNG"),),
        )
        history.add(absent)
    (blob,) = (data_dir / "photos").glob(f"owners/*/{photo_of(b'two')}.jpg")
    blob.write_bytes(b"\xff\xd8\xffbad")

    saved = save(data_dir, tmp_path / "b.tar.gz")

    assert sorted(saved.damaged) == sorted([photo_of(b"two"), "ef" * 32])
    assert bring_back(tmp_path / "b.tar.gz", tmp_path / "new").photos == 2


def photo_of(content: bytes) -> str:
    return hashlib.sha256(b"\xff\xd8\xff" + content).hexdigest()
