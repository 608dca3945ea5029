"""What several services call one plant, and what must stay apart."""

from __future__ import annotations

import csv
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plantid_core import reference
from plantid_core.compare.names.reconcile import Names, open_names, shipped
from plantid_core.plants import Taxon

if TYPE_CHECKING:
    from pathlib import Path


def species(name: str, authorship: str | None = None) -> str | None:
    return shipped().reconcile(Taxon(name, authorship)).species


@pytest.mark.parametrize(
    "name",
    ["Citrus × aurantium", "Citrus sinensis", "Citrus × sinensis", "Citrus x sinensis (L.) Osbeck",
     "Citrus ×sinensis", "citrus xaurantium", "CITRUS SINENSIS", "Citrus Sinensis",
     "Citrus aurantium f. sinensis (L.) Hiroe", "Citrus aurantium var. sinensis L.",
     "Citrus sinensis 'Navel'", "Citrus cf. sinensis"],
)  # fmt: skip
def test_the_orange_of_every_service_is_one_species(name: str) -> None:
    """The offline model, Pl@ntNet and Plant.id call it differently, and mean one."""
    orange = shipped().reconcile(Taxon(name))

    assert (orange.species, orange.genus, orange.family) == (
        "citrus aurantium",
        "citrus",
        "rutaceae",
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Lychnis flos cuculi", "Silene flos-cuculi"),
        ("Rosa mülleri", "Rosa muelleri"),
        ("Rosa bjørnii", "Rosa bjoernii"),
        ("Isoëtes lacustris", "Isoetes lacustris"),
        ("Prunus cærulea", "Prunus caerulea"),
    ],
)
def test_spellings_of_one_name_are_one_species(one: str, other: str) -> None:
    """Letters that are no Latin are written out (ICN Art. 60.7), and a lost hyphen is found again."""
    assert species(one) == species(other) is not None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Musa × paradisiaca", "Musa acuminata"),
        ("Citrus × limon", "Citrus × aurantium"),
        ("Citrus × limon", "Citrus medica"),
        ("Prunus avium", "Prunus cerasus"),
        ("Prunus serrulata", "Prunus persica"),
        ("Malus domestica", "Malus sylvestris"),
        ("Brassica oleracea", "Brassica napus"),
        ("Cypripedium calceolus", "Cypripedium calceolus var. parviflorum"),
        ("Quercus robur", "Quercus robur subsp. petraea"),
        ("Sedum acre", "Hylotelephium telephium"),
        ("Chrysanthemum vulgare", "Leucanthemum vulgare"),
        ("Rosa aff. canina", "Rosa canina"),
    ],
)
def test_different_species_stay_apart(one: str, other: str) -> None:
    """Whatever their names share."""
    assert species(one) != species(other)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Lycopersicon esculentum Mill.", "solanum lycopersicum"),
        ("Lycopersicon esculentum var. cerasiforme", "solanum lycopersicum"),
        ("Actinidia deliciosa", "actinidia chinensis"),
        ("Brassica oleracea var. capitata", "brassica oleracea"),
        ("Brassica oleracea Capitata Group", "brassica oleracea"),
        ("Cucurbita pepo subsp. pepo", "cucurbita pepo"),
        ("Cerasus serrulata 'Kanzan'", "prunus serrulata"),
        ("Prunus dulcis", "prunus amygdalus"),
        ("Fallopia japonica", "reynoutria japonica"),
        ("Cynara scolymus", "cynara cardunculus"),
        ("Isoetes lacustris", "isoetes lacustris"),
        ("Isoëtes lacustris", "isoetes lacustris"),
    ],
)
def test_a_name_has_the_key_of_its_accepted_species(name: str, key: str) -> None:
    """Synonyms, infraspecific names and cultivars roll up."""
    assert species(name) == key


def test_a_homonym_is_told_by_its_author() -> None:
    """Two botanists gave one name to two plants; without an author, it stands for itself."""
    assert species("Chrysanthemum vulgare (L.) Bernh.") == "tanacetum vulgare"
    assert species("Chrysanthemum vulgare", "(Lam.) Gaterau") == "leucanthemum vulgare"
    assert species("Chrysanthemum vulgare") == "chrysanthemum vulgare"


def test_a_genus_has_no_species() -> None:
    """It still has a genus and, from the tables, a family."""
    rose = shipped().reconcile(Taxon("Rosa sp.", family="Compositae"))

    assert (rose.rank, rose.species, rose.genus, rose.family) == ("genus", None, "rosa", "rosaceae")


@pytest.mark.parametrize(
    ("given_", "family"),
    [("Leguminosae", "fabaceae"), ("Aceraceae", "sapindaceae"), ("Rosaceae Juss.", "rosaceae")],
)
def test_families_of_old_are_todays(given_: str, family: str) -> None:
    """The family that came with a name is brought to the accepted one."""
    assert shipped().reconcile(Taxon("Nonesuchia alba", family=given_)).family == family
    assert shipped().reconcile(Taxon(given_)).family == family


def test_a_text_that_is_no_name_stands_for_itself() -> None:
    """What came with it, genus and family, still counts."""
    formula = Taxon("Salix alba × S. fragilis", genus="Salix", family="Salicaceae")

    found = shipped().reconcile(formula)

    assert (found.scientific_name, found.species, found.how) == (
        formula.scientific_name,
        None,
        "unparsed",
    )
    assert (found.genus, found.family) == ("salix", "salicaceae")


def test_a_gbif_id_goes_before_the_name() -> None:
    """A service's misspelt name has the right taxon, if it gives the id."""
    found = shipped().reconcile(Taxon("Leucojum vernale", gbif_id=2860409))

    assert (found.species, found.how) == ("leucojum vernum", "gbif")


def test_same_looks_at_the_level_asked_for() -> None:
    """Less precise names are the same at no level that they do not reach."""
    names = shipped()
    orange, lemon, citrus = Taxon("Citrus sinensis"), Taxon("Citrus limon"), Taxon("Citrus")

    assert not names.same(orange, lemon)
    assert names.same(orange, lemon, "genus")
    assert not names.same(citrus, citrus)


@given(name=st.text(max_size=60), genus=st.none() | st.text(max_size=9), gbif_id=st.integers())
@settings(max_examples=200)
def test_nothing_raises(name: str, genus: str | None, gbif_id: int) -> None:
    """Whatever a service calls a taxon, it is reconciled; again, to the same."""
    taxon = Taxon(name, genus=genus, family=genus, gbif_id=gbif_id)

    found = shipped().reconcile(taxon)

    assert Names().reconcile(taxon) == found


def table(name: str) -> list[dict[str, str]]:
    with reference.table(name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_row_of_the_shipped_table_leads_where_it_says() -> None:
    """No name is ambiguous, none leads in a circle, and each accepted name is itself."""
    names = shipped()
    for row in table("synonyms.csv"):
        rank = row["rank"] if row["rank"] in {"genus", "family"} else "species"
        found, accepted = (
            names.reconcile(Taxon(row[column])) for column in ("name", "accepted_name")
        )
        assert found.key(rank) == accepted.key(rank) is not None, row
        assert accepted.scientific_name == row["accepted_name"], row
        assert found.family == row["family"].lower(), row
        assert row["source"] in {"POWO", "WCVP"}, row


def test_every_genus_of_the_shipped_tables_has_its_family() -> None:
    """Genera are written once, and cover the synonyms and the offline model's taxa."""
    genera = [row["genus"] for row in table("genera.csv")]
    accepted = {
        row["accepted_name"].replace("× ", "").split()[0]
        for row in table("synonyms.csv")
        if row["rank"] != "family"
    }

    assert len(genera) == len(set(genera))
    assert accepted | {row["genus"] for row in table("taxa.csv")} <= set(genera)


def test_every_labelled_photo_has_its_keys(pytestconfig: pytest.Config) -> None:
    """The labels of the photos to develop with are reconciled, down to their own rank."""
    photos: Path = pytestconfig.rootpath.parent / "shared" / "photos-dev" / "manifest.csv"
    if not photos.is_file():
        pytest.skip("needs ../shared/photos-dev")
    with photos.open(encoding="utf-8", newline="") as file:
        labels = {row["scientific_name"] for row in csv.DictReader(file)} - {"not a plant"}

    found = {label: shipped().reconcile(Taxon(label)) for label in labels}

    assert all(taxon.genus and taxon.family for taxon in found.values())
    assert {label for label, taxon in found.items() if not taxon.species} == {"Tsuga"}


def test_threads_share_one_set_of_names(tmp_path: Path) -> None:
    """Many at once, from a loaded file or none, get what one gets."""
    wanted = [Taxon(name) for name in ("Citrus sinensis", "Prunus persica", "Rosa", "Tsuga x")] * 50
    alone = [shipped().reconcile(taxon) for taxon in wanted]
    start = threading.Barrier(8)

    def all_of_them(names: Names) -> list[object]:
        start.wait()
        return [names.reconcile(taxon) for taxon in wanted]

    with open_names(tmp_path) as names, ThreadPoolExecutor(8) as pool:
        together = list(pool.map(all_of_them, [names] * 8))

    assert together == [alone] * 8
