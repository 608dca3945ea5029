"""Published checklists, loaded whole or not at all."""

from __future__ import annotations

import fcntl
import gzip
import sqlite3
import tracemalloc
import zipfile
from typing import TYPE_CHECKING

import pytest
from checklists import CITRUS, TAXON_HEAD, WCVP_HEAD, simple_txt, taxon_tsv, wcvp
from processes import until

from plantid_core.compare.names.load import load
from plantid_core.compare.names.loaded import FILE_NAME
from plantid_core.compare.names.reconcile import open_names
from plantid_core.errors import InputUnreadable, PlantIDError
from plantid_core.plants import Taxon

if TYPE_CHECKING:
    from pathlib import Path

    from checklists import Said

    from plantid_core.compare.names.values import Reconciled


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


def look_up(data_dir: Path, name: str, authorship: str | None = None) -> Reconciled:
    with open_names(data_dir) as names:
        return names.reconcile(Taxon(name, authorship))


def load_rows(data_dir: Path, *rows: Said) -> None:
    data_dir.mkdir(exist_ok=True)
    load(wcvp(data_dir.parent / "wcvp_names.csv", rows), data_dir)


def test_wcvp_is_loaded(tmp_path: Path, data_dir: Path) -> None:
    """Synonyms of synonyms lead to the accepted name, which is written with its sign."""
    loading = load(wcvp(tmp_path / "wcvp_names.csv", CITRUS), data_dir)

    orange = look_up(data_dir, "Citrus aurantium var. sinensis")
    assert (loading.kind, loading.names, loading.synonyms, loading.skipped) == ("wcvp", 5, 2, 0)
    assert (orange.scientific_name, orange.rank, orange.how) == (
        "Citrus × aurantium",
        "species",
        "synonym",
    )
    assert look_up(data_dir, "Citrus dubia").how == "as_given"


def test_gbif_taxon_tsv_is_loaded_with_its_ids(tmp_path: Path, data_dir: Path) -> None:
    """Ids lead to accepted names; animals and codes are passed over."""
    plant = {"kingdom": "Plantae", "family": "Rutaceae", "taxonRank": "species"}
    path = taxon_tsv(
        tmp_path / "Taxon.tsv",
        [
            {"taxonID": "20", "canonicalName": "Citrus aurantium", "taxonomicStatus": "accepted",
             "scientificName": "Citrus ×aurantium L.", **plant},
            {"taxonID": "30", "canonicalName": "Citrus sinensis", "taxonomicStatus": "synonym",
             "scientificName": "Citrus sinensis (L.) Osbeck", "acceptedNameUsageID": "20",
             "scientificNameAuthorship": "(L.) Osbeck", "genus": "Citrus", **plant},
            {"taxonID": "40", "canonicalName": "Prunella modularis", "kingdom": "Animalia",
             "scientificName": "Prunella modularis", "taxonomicStatus": "accepted"},
            {"taxonID": "50", "scientificName": "BOLD:AAA1234", **plant},
        ],
    )  # fmt: skip

    loading = load(path, data_dir)

    with open_names(data_dir) as names:
        found = names.reconcile(Taxon("orange tree", gbif_id=30))
    assert (loading.kind, loading.names, loading.synonyms, loading.skipped) == ("gbif", 2, 1, 2)
    assert (found.scientific_name, found.family, found.how) == (
        "Citrus × aurantium",
        "rutaceae",
        "gbif",
    )


def test_gbif_simple_txt_is_loaded_from_gzip(tmp_path: Path, data_dir: Path) -> None:
    """It has no header, and each family is another row's id."""
    path = simple_txt(
        tmp_path / "simple.txt",
        [
            {0: "9", 3: "f", 4: "ACCEPTED", 5: "FAMILY", 10: "6", 18: "Rutaceae", 19: "Rutaceae"},
            {0: "20", 1: "8", 3: "f", 4: "ACCEPTED", 5: "SPECIES", 10: "6", 14: "9",
             18: "Citrus ×aurantium L.", 19: "Citrus aurantium", 24: "L."},
            {0: "30", 1: "20", 3: "t", 4: "SYNONYM", 5: "SPECIES", 10: "6", 14: "9",
             18: "Citrus sinensis (L.) Osbeck", 19: "Citrus sinensis", 24: "Osbeck", 26: "L."},
            {0: "40", 3: "f", 4: "ACCEPTED", 5: "SPECIES", 10: "1", 19: "Prunella modularis"},
        ],
    )  # fmt: skip
    packed = tmp_path / "simple.txt.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))

    loading = load(packed, data_dir)

    found = look_up(data_dir, "Citrus sinensis (L.) Osbeck")
    assert (loading.names, loading.synonyms, loading.skipped) == (3, 1, 1)
    assert (found.scientific_name, found.family) == ("Citrus × aurantium", "rutaceae")


@pytest.mark.parametrize("digits", [19, 5000])
def test_an_id_of_too_many_digits_is_none(tmp_path: Path, data_dir: Path, digits: int) -> None:
    """Its row is passed over, and as a family's id it is left out; the rest is loaded."""
    plant = {3: "f", 4: "ACCEPTED", 5: "SPECIES", 10: "6", 19: "Citrus aurantium"}
    rows = [{0: "9" * digits, **plant}, {0: "20", 14: "9" * digits, **plant}]

    loading = load(simple_txt(tmp_path / "simple.txt", rows[::-1]), data_dir)

    assert (loading.names, loading.skipped) == (1, 1)
    assert look_up(data_dir, "Citrus aurantium").how == "accepted"


def test_darwin_core_of_others_is_loaded(tmp_path: Path, data_dir: Path) -> None:
    """WCVP's own archive has pipes, small letters and two misspelt columns."""
    path = tmp_path / "wcvp_taxon.csv"
    path.write_text(
        "taxonid|family|scientfiicname|scientfiicnameauthorship|taxonrank|taxonomicstatus"
        "|acceptednameusageid\n"
        "7-az|Rutaceae|Citrus × aurantium|L.|Species|Accepted|7-az\n"
        "8-az|Rutaceae|Citrus sinensis|(L.) Osbeck|Species|Synonym|7-az\n"
    )

    assert load(path, data_dir).kind == "darwin core"
    assert look_up(data_dir, "Citrus sinensis").scientific_name == "Citrus × aurantium"


def test_a_zip_archive_is_read_in_place(tmp_path: Path, data_dir: Path) -> None:
    """The table is found by its columns; a member's path writes nothing anywhere."""
    path = wcvp(tmp_path / "wcvp_names.csv", CITRUS)
    packed = tmp_path / "wcvp.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("README.txt", "World Checklist")
        archive.write(path, "../../escaped.csv")

    assert load(packed, data_dir).names == len(CITRUS)
    assert not list(tmp_path.parent.glob("**/escaped.csv"))


def files_that_are_none(folder: Path) -> dict[str, Path]:
    table = wcvp(folder / "good.csv", CITRUS * 2000).read_bytes()
    packed = gzip.compress(table)
    members = {
        "other.zip": ("a.txt", b"hello"),
        "bomb.zip": ("a.txt", WCVP_HEAD.encode() + (b"\n" + b"|" * 500) * 40_000),
    }
    for name, (member, data) in members.items():
        with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(member, data)
    plain = {
        "comma.csv": WCVP_HEAD.replace("|", ",").encode(),
        "photo.jpg": b"\xff\xd8\xff\xe0" + bytes(range(256)) * 20,
        "empty.csv": b"",
        "head.csv": WCVP_HEAD.encode(),
        "animals.tsv": TAXON_HEAD.encode() + b"\n" + b"1\t" * 30,
        "cut.csv.gz": packed[: len(packed) // 2],
        "cut.zip": (folder / "other.zip").read_bytes()[:-9],
        "endless.csv": b"plant_name_id|" * 200_000,
    }
    for name, data in plain.items():
        (folder / name).write_bytes(data)
    with zipfile.ZipFile(folder / "rotten.zip", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a.txt", table)
    with zipfile.ZipFile(folder / "garbled.zip", "w") as archive:
        archive.writestr("ä.txt", table)
    rotten, garbled = folder / "rotten.zip", folder / "garbled.zip"
    data = bytearray(rotten.read_bytes())
    data[60:90] = b"\xff" * 30
    rotten.write_bytes(data)
    garbled.write_bytes(garbled.read_bytes().replace("ä".encode(), b"\xff\xff"))
    names = [*members, *plain, "rotten.zip", "garbled.zip", "missing.csv", "."]
    return {name: folder / name for name in names}


def test_what_is_no_checklist_is_refused_and_the_old_one_stays(
    tmp_path: Path, data_dir: Path
) -> None:
    """The sentence names the file and what was looked for; nothing is left beside."""
    load_rows(data_dir, *CITRUS)
    before = (data_dir / FILE_NAME).read_bytes()

    said = {}
    for name, path in files_that_are_none(tmp_path).items():
        with pytest.raises(InputUnreadable) as refused:
            load(path, data_dir)
        said[name] = str(refused.value)

    assert "accepted_plant_name_id" in said["comma.csv"]
    assert "acceptedNameUsageID" in said["photo.jpg"]
    assert "a.txt" in said["other.zip"]
    assert "200 times" in said["bomb.zip"]
    assert "too early" in said["cut.csv.gz"]
    assert "damaged" in said["rotten.zip"]
    assert "damaged" in said["garbled.zip"]
    assert "a line has more" in said["endless.csv"]
    assert "no such file" in said["missing.csv"]
    assert "no plant's name" in said["head.csv"]
    assert (data_dir / FILE_NAME).read_bytes() == before
    assert {path.name for path in data_dir.iterdir()} == {FILE_NAME, f"{FILE_NAME}.lock"}


def test_an_interrupted_loading_leaves_the_old_one(tmp_path: Path, data_dir: Path) -> None:
    """Ctrl-C in the middle is as if nothing had been asked."""
    load_rows(data_dir, *CITRUS)
    before = (data_dir / FILE_NAME).read_bytes()

    def interrupt(*_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load(wcvp(tmp_path / "other.csv", CITRUS[:1]), data_dir, interrupt)

    assert (data_dir / FILE_NAME).read_bytes() == before
    assert not list(data_dir.glob("*.part"))


def test_a_killed_loading_is_cleared_by_the_next(data_dir: Path) -> None:
    """What a kill left is half a file under another name."""
    data_dir.mkdir()
    (data_dir / f"{FILE_NAME}.k1ll3d.part").write_bytes(b"half")

    load_rows(data_dir, *CITRUS)

    assert not list(data_dir.glob("*.part"))


def test_one_loading_at_a_time(tmp_path: Path, data_dir: Path) -> None:
    """A second one says so, and does not wait."""
    load_rows(data_dir, *CITRUS)

    with (data_dir / f"{FILE_NAME}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(PlantIDError, match="under way"):
            load(wcvp(tmp_path / "again.csv", CITRUS), data_dir)


def test_the_progress_ends_at_the_whole(tmp_path: Path, data_dir: Path) -> None:
    """Bytes read rise to all of them, names to their number."""
    told = []
    path = wcvp(tmp_path / "wcvp_names.csv", CITRUS * 3000)

    load(path, data_dir, lambda *said: told.append(said))

    assert told == sorted(told)
    assert told[-1] == (path.stat().st_size, path.stat().st_size, 15_000)
    assert len(told) > 2


def test_names_loaded_later_are_used_without_opening_anew(data_dir: Path) -> None:
    """What was remembered of the older file is forgotten; a file that goes is forgotten too."""
    taxon = Taxon("Nonesuchia alba")
    accepted = (2, "Species", "Accepted", "Rosaceae", "Nonesuchia rubra", "L.", 2)
    with open_names(data_dir) as names:
        assert names.reconcile(taxon).how == "as_given"

        load_rows(
            data_dir, (1, "Species", "Synonym", "Rosaceae", "Nonesuchia alba", "L.", 2), accepted
        )
        assert until(lambda: names.reconcile(taxon).species == "nonesuchia rubra")

        (data_dir / FILE_NAME).unlink()
        assert until(lambda: names.reconcile(taxon).how == "as_given")


def test_a_damaged_file_leaves_the_shipped_names(data_dir: Path) -> None:
    """Garbage and another version's file are as good as none."""
    data_dir.mkdir()
    (data_dir / FILE_NAME).write_bytes(b"SQLite format 3\x00" + b"\x00\xff" * 5000)
    assert look_up(data_dir, "Citrus sinensis").scientific_name == "Citrus × aurantium"

    load_rows(data_dir, (1, "Species", "Accepted", "Rutaceae", "Citrus sinensis", "L.", 1))
    with sqlite3.connect(data_dir / FILE_NAME) as base:
        base.execute("UPDATE about SET value = 99 WHERE key = 'format'")
    base.close()
    assert look_up(data_dir, "Citrus sinensis").scientific_name == "Citrus × aurantium"


def test_the_loaded_file_goes_before_the_shipped_table(data_dir: Path) -> None:
    """It decides of the names it has; the shipped table's accepted names are brought to its own."""
    load_rows(
        data_dir,
        (1, "Species", "Accepted", "Rutaceae", "Citrus sinensis", "(L.) Osbeck", 1),
        (2, "Species", "Synonym", "Solanaceae", "Solanum lycopersicum", "L.", 3),
        (3, "Species", "Accepted", "Solanaceae", "Nonesuchia edulis", "L.", 3),
    )

    assert look_up(data_dir, "Citrus sinensis").how == "accepted"
    assert look_up(data_dir, "Lycopersicon esculentum").species == "nonesuchia edulis"


def test_homonyms_of_a_file_are_told_apart_or_left(data_dir: Path) -> None:
    """By author and rank; a wrong use of a name is none, a circle leads nowhere."""
    load_rows(
        data_dir,
        (1, "Species", "Accepted", "Rosaceae", "Nonesuchia alba", "L.", 1),
        (2, "Species", "Accepted", "Rosaceae", "Nonesuchia nigra", "Mill.", 2),
        (3, "Species", "Synonym", "Rosaceae", "Nonesuchia bina", "Mill.", 1),
        (4, "Species", "Illegitimate", "Rosaceae", "Nonesuchia bina", "Jacq.", 2),
        (5, "Species", "Synonym", "Rosaceae", "Nonesuchia nigra", "Lam.", 1),
        (6, "Species", "Misapplied", "Rosaceae", "Nonesuchia falsa", "auct.", 1),
        (7, "Species", "Synonym", "Rosaceae", "Nonesuchia rota", "L.", 8),
        (8, "Species", "Synonym", "Rosaceae", "Nonesuchia rotans", "L.", 7),
    )

    def species(name: str, authorship: str | None = None) -> str | None:
        return look_up(data_dir, name, authorship).species

    assert species("Nonesuchia bina") == "nonesuchia bina"
    assert species("Nonesuchia bina Miller") == "nonesuchia alba"
    assert species("Nonesuchia bina", "Jacq.") == "nonesuchia nigra"
    assert species("Nonesuchia nigra") == "nonesuchia nigra"
    assert species("Nonesuchia nigra Lam.") == "nonesuchia alba"
    assert species("Nonesuchia nigra Pall.") == "nonesuchia nigra"
    assert species("Nonesuchia falsa") == "nonesuchia falsa"
    assert species("Nonesuchia rota") == "nonesuchia rota"


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(tmp_path: Path, data_dir: Path) -> None:
    """Four times the rows need no more memory."""
    peaks = []
    for times in (5_000, 20_000):
        path = wcvp(tmp_path / "wcvp_names.csv", CITRUS * times)
        tracemalloc.start()
        load(path, data_dir)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()

    assert peaks[1] < 1.2 * peaks[0]
