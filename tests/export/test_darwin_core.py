"""Darwin Core Archives, read back by python-dwca-reader."""

from __future__ import annotations

import datetime as dt
import io
import json
import uuid
import zipfile
from contextlib import contextmanager
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from dwca.darwincore.utils import qualname
from dwca.read import DwCAReader
from hypothesis import given, settings
from hypothesis import strategies as st
from kept import CHERRY, DAISY, NOON, SLIPPER, answer, determined, observed

from plantid_core.compare.names.reconcile import shipped as names
from plantid_core.errors import PhotoNotFound
from plantid_core.export.darwin_core.archive import NAMELESS, REJECTED, write_archive
from plantid_core.export.darwin_core.records import ALL_RIGHTS, licence_address
from plantid_core.export.darwin_core.tables import TABLES
from plantid_core.export.release import ONLY_SANDBOX, Terms
from plantid_core.export.sensitive import Sensitive
from plantid_core.export.sensitive import shipped as rules
from plantid_core.plants import Taxon
from plantid_core.store.history.values import Circumstances

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from plantid_core.export.darwin_core.archive import LoadPhoto
    from plantid_core.export.release import Exported
    from plantid_core.store.history.values import Observed

MULTIMEDIA = "http://rs.gbif.org/terms/1.0/Multimedia"
IDENTIFICATION = "http://rs.tdwg.org/dwc/terms/Identification"


@pytest.fixture(scope="module")
def terms() -> Terms:
    """Return the terms that others' eyes get."""
    return Terms(names(), Sensitive(rules(), names()))


def write(
    path: Path, *kept: Observed, terms: Terms, load_photo: LoadPhoto | None = None
) -> Exported:
    with path.open("wb") as file:
        return write_archive(file, kept, terms, now=NOON, load_photo=load_photo)


@contextmanager
def read(path: Path) -> Iterator[DwCAReader]:
    with DwCAReader(str(path)) as archive:
        yield archive


def test_an_occurrence_with_its_photo_and_identifications(tmp_path: Path, terms: Terms) -> None:
    """Core and extensions are linked, and hold what the observation holds."""
    kept = observed(
        answer("plantnet", CHERRY, DAISY),
        determinations=(determined(CHERRY, action="confirmed", provider="plantnet", score=0.8),),
    )

    done = write(tmp_path / "a.zip", kept, terms=terms)

    with read(tmp_path / "a.zip") as archive:
        (row,) = archive.rows
        told = {term.rpartition("/")[2]: value for term, value in row.data.items()}
        extensions = [(one.rowtype, one.data) for one in row.extensions]
    photos = [data for kind, data in extensions if kind == MULTIMEDIA]
    identified = [data for kind, data in extensions if kind == IDENTIFICATION]
    assert row.id == told["occurrenceID"] == uuid.UUID(kept.id).urn
    assert told["scientificName"] == "Prunus serrulata"
    assert told["scientificNameAuthorship"] == "Lindl."
    assert (told["kingdom"], told["family"], told["genus"]) == ("Plantae", "Rosaceae", "Prunus")
    assert (told["basisOfRecord"], told["eventDate"]) == ("HumanObservation", "2026-04-30")
    assert (told["decimalLatitude"], told["decimalLongitude"]) == ("50.08804", "14.42076")
    assert (told["geodeticDatum"], told["coordinateUncertaintyInMeters"]) == ("EPSG:4326", "25")
    assert told["license"] == "http://creativecommons.org/licenses/by/4.0/legalcode"
    assert told["identificationVerificationStatus"] == "ValidatedByHuman"
    assert (told["identifiedBy"], told["recordedBy"]) == ("Ben", "Ana Nováková")
    assert told["taxonID"] == "https://www.gbif.org/species/3022609"
    assert [photo["http://purl.org/dc/terms/identifier"] for photo in photos] == [
        told["associatedMedia"]
    ]
    assert [data[qualname("scientificName")] for data in identified] == [
        "Prunus serrulata",
        "Leucanthemum vulgare",
        "Prunus serrulata",
    ]
    statuses = [data[qualname("identificationVerificationStatus")] for data in identified]
    assert statuses == ["PredictedByMachine", "PredictedByMachine", "ValidatedByHuman"]
    assert (done.observations, done.rows) == (1, 1 + len(photos) + len(identified))


@pytest.mark.parametrize(
    ("given_licence", "told"),
    [
        ("CC-BY-NC-4.0", "http://creativecommons.org/licenses/by-nc/4.0/legalcode"),
        ("cc by 4.0", "http://creativecommons.org/licenses/by/4.0/legalcode"),
        ("CC0 1.0", "http://creativecommons.org/publicdomain/zero/1.0/legalcode"),
        ("https://example.org/mine", "https://example.org/mine"),
        ("CC-BY-4.0-or-later", "CC-BY-4.0-or-later"),
        (" ", ALL_RIGHTS),
    ],
)
def test_a_known_licence_is_told_by_its_address(given_licence: str, told: str) -> None:
    """However its short name is written; another stands as the person chose it."""
    assert licence_address(given_licence) == told


def test_a_machines_name_says_that_it_is_one(tmp_path: Path, terms: Terms) -> None:
    """Software, version and score stand beside it."""
    write(tmp_path / "a.zip", observed(answer("plantnet", CHERRY)), terms=terms)

    with read(tmp_path / "a.zip") as archive:
        (row,) = archive.rows
    assert row.data[qualname("identificationVerificationStatus")] == "PredictedByMachine"
    assert row.data[qualname("identifiedBy")] == "Pl@ntNet"
    assert row.data[qualname("identificationReferences")].startswith("Pl@ntNet API v2 | plantid ")
    assert row.data[qualname("identificationRemarks")] == "joint ranking, joint score 0.8000"


def test_where_machines_disagree_their_genus_stands(tmp_path: Path, terms: Terms) -> None:
    """Nothing is named more precisely than they agree; with nothing in common there is no record."""
    plum = Taxon("Prunus domestica", "L.", family="Rosaceae", genus="Prunus")
    cousins = observed(answer("plant_id", CHERRY), answer("plantnet", plum))
    strangers = observed(answer("plant_id", CHERRY), answer("plantnet", DAISY))
    rejected = observed(answer("plantnet", CHERRY), determinations=(determined(None),))

    done = write(tmp_path / "a.zip", cousins, strangers, rejected, terms=terms)

    with read(tmp_path / "a.zip") as archive:
        (row,) = archive.rows
    assert row.data[qualname("scientificName")] == "Prunus"
    assert row.data[qualname("taxonRank")] == "genus"
    assert done.left_out == {NAMELESS: 1, REJECTED: 1}


def test_the_sandbox_comes_only_when_asked_for_and_is_marked(tmp_path: Path, terms: Terms) -> None:
    """Nobody may take its names for botany, in whatever table they read them."""
    kept = observed(answer("plantnet", CHERRY, sandbox=True))

    without = write(tmp_path / "without.zip", kept, terms=terms)
    asked = Terms(names(), terms.sensitive, include_sandbox=True)
    write(tmp_path / "with.zip", kept, terms=asked)

    assert (without.observations, without.left_out) == (0, {ONLY_SANDBOX: 1})
    with read(tmp_path / "without.zip") as archive:
        assert list(archive.rows) == []
    with read(tmp_path / "with.zip") as archive:
        (row,) = archive.rows
        (identified,) = [one for one in row.extensions if one.rowtype == IDENTIFICATION]
        title = archive.metadata.findtext("dataset/title")
    assert row.data[qualname("occurrenceRemarks")] == "SANDBOX: no botany"
    assert json.loads(row.data[qualname("dynamicProperties")]) == {"sandbox": True}
    for cells in (row.data, identified.data):
        assert cells[qualname("identificationRemarks")].startswith("SANDBOX: no botany")
        assert cells[qualname("identifiedBy")] == "Pl@ntNet (sandbox)"
        assert "Pl@ntNet API v2 (sandbox)" in cells[qualname("identificationReferences")]
    assert "SANDBOX" in title


def test_a_ranking_with_the_sandboxs_vote_is_marked(tmp_path: Path, terms: Terms) -> None:
    """Also where another leads it, who is named without the mark."""
    kept = observed(
        answer("plant_id", CHERRY),
        answer("plantnet", CHERRY),
        answer("offline", DAISY, sandbox=True, score=0.1),
    )
    asked = Terms(names(), terms.sensitive, include_sandbox=True)

    write(tmp_path / "a.zip", kept, terms=asked)

    with read(tmp_path / "a.zip") as archive:
        (row,) = archive.rows
    assert row.data[qualname("scientificName")] == "Prunus serrulata"
    assert row.data[qualname("identifiedBy")] == "Plant.id | Pl@ntNet"
    assert row.data[qualname("identificationRemarks")].startswith("SANDBOX: no botany")


def test_a_sensitive_plant_is_told_by_the_grid(tmp_path: Path, terms: Terms) -> None:
    """The record says that and why, and holds the exact place nowhere."""
    note = determined(SLIPPER, note="at 50.08804 14.42076")
    write(tmp_path / "a.zip", observed(determinations=(note,)), terms=terms)

    with read(tmp_path / "a.zip") as archive:
        (row,) = archive.rows
    assert row.data[qualname("decimalLatitude")] == "50.05"
    assert float(row.data[qualname("coordinateUncertaintyInMeters")]) > 6_000
    assert "0.1°" in row.data[qualname("dataGeneralizations")]
    assert "Cypripedium calceolus" in row.data[qualname("informationWithheld")]
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        everything = b"".join(archive.read(name) for name in archive.namelist())
    assert b"50.088" not in everything


def test_photos_go_along_where_they_are_wanted(tmp_path: Path, terms: Terms) -> None:
    """Each once, under the name that its rows give; one that is gone is counted."""
    gone = "cd" * 32
    first = observed(answer("plantnet", CHERRY))
    second = observed(answer("plantnet", CHERRY))
    third = observed(
        answer("plantnet", CHERRY),
        photos=(first.photos[0].__class__(gone, "auto", 10, 10, "JPEG"),),
    )

    def load(photo_id: str) -> bytes:
        if photo_id == gone:
            raise PhotoNotFound
        return b"\xff\xd8\xff"

    done = write(tmp_path / "a.zip", first, second, third, terms=terms, load_photo=load)

    name = f"media/{'ab' * 32}.jpg"
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert [member for member in archive.namelist() if member.startswith("media/")] == [name]
    with read(tmp_path / "a.zip") as archive:
        media = [row.data[qualname("associatedMedia")] for row in archive.rows]
    assert media == [name, name, ""]
    assert done.photos_missing == 1


@settings(max_examples=40)
@given(st.lists(st.tuples(st.text(), st.text(), st.text()), min_size=1, max_size=4))
def test_any_text_keeps_rows_and_columns(
    tmp_path_factory: pytest.TempPathFactory, texts: list[tuple[str, str, str]]
) -> None:
    """Tabs, line ends, quotes and whatever else a person writes break no row."""
    kept = [
        observed(
            answer("plantnet", Taxon(name, family="Rosaceae")),
            circumstances=Circumstances(dt.date(2026, 1, 1), recorded_by=who),
            determinations=(determined(CHERRY, note=note),),
        )
        for name, who, note in texts
    ]
    path = tmp_path_factory.mktemp("archive") / "a.zip"

    write(path, *kept, terms=Terms(names(), None))

    with read(path) as archive:
        rows = archive.rows
        notes = [row.data[qualname("identificationRemarks")] for row in rows]
        counts = [len(row.extensions) for row in rows]
    assert counts == [3] * len(kept)  # a photo, a suggestion, a determination
    for told, (_, _, note) in zip(notes, texts, strict=True):
        letters = [letter for letter in note if letter.isalnum()]
        assert [letter for letter in told.removeprefix("changed; ") if letter.isalnum()] in (
            letters,
            [*"changed", *letters],
        )


def test_the_description_fits_the_files(terms: Terms) -> None:
    """Every column that a file has is declared once, at its place, with a full term."""
    file = io.BytesIO()
    write_archive(file, [observed(answer("plantnet", CHERRY))], terms, now=NOON)

    with zipfile.ZipFile(file) as archive:
        meta = ET.fromstring(archive.read("meta.xml"))  # noqa: S314 - our own
        eml = ET.fromstring(archive.read("eml.xml"))  # noqa: S314 - the same
        lines = {table.file: archive.read(table.file).decode().split("\n") for table in TABLES}
    space = "{http://rs.tdwg.org/dwc/text/}"
    assert [child.tag for child in meta] == [f"{space}core", *[f"{space}extension"] * 2]
    for described in meta:
        name = described.findtext(f"{space}files/{space}location")
        assert name is not None
        header = lines[name][0].split("\t")
        key = described[1]
        fields = [(one.get("index"), one.get("term")) for one in described.iter(f"{space}field")]
        assert (key.tag.removeprefix(space), key.get("index")) in {("id", "0"), ("coreid", "0")}
        assert [index for index, _ in fields] == [str(n) for n in range(1, len(header))]
        assert [str(term).rpartition("/")[2] for _, term in fields] == header[1:]
        assert len({term for _, term in fields}) == len(fields)
        assert all(len(line.split("\t")) == len(header) for line in lines[name][:-1])
    assert [child.tag for child in eml[0]] == [
        "title",
        "creator",
        "pubDate",
        "language",
        "abstract",
        "intellectualRights",
        "contact",
    ]
