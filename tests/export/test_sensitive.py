"""Places of sensitive plants are told by a grid, and what is told is true."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plantid_core.compare.names.reconcile import shipped as shipped_names
from plantid_core.errors import InputUnreadable
from plantid_core.export.sensitive import Rule, Sensitive, generalised, read, shipped
from plantid_core.plants import Place, Taxon

if TYPE_CHECKING:
    from pathlib import Path

HEADER = "scientific_name,rank,family,grid_degrees,reason,source\n"


@pytest.fixture(scope="module")
def sensitive() -> Sensitive:
    """Return the rules shipped, by the names shipped."""
    return Sensitive(shipped(), shipped_names())


@pytest.mark.parametrize(
    ("name", "rank"),
    [
        ("Cypripedium calceolus", "species"),
        ("Cypripedium calceolus L.", "species"),
        ("Paphiopedilum rothschildianum", "species"),
        ("Paphiopedilum × maudiae", "species"),
        ("Cypripedium", "genus"),
        ("Orchidaceae", "family"),
        ("Cypripedium calceolus × Cypripedium macranthos", "species"),
        ("cypripedium CALCEOLUS", "species"),
        ("Cypripedium calceolus f. viride", "form"),
    ],
)
def test_the_species_its_author_genus_and_family_are_sensitive(
    sensitive: Sensitive, name: str, rank: str
) -> None:
    """Whoever knows no more than the genus may have seen the sensitive species."""
    assert sensitive.rule([Taxon(name, rank=rank)]) is not None


@pytest.mark.parametrize(
    "name", ["Prunus serrulata", "Cypripedium parviflorum", "Prunus", "nothing at all 123"]
)
def test_other_plants_are_told_exactly(sensitive: Sensitive, name: str) -> None:
    """A relative of a sensitive species is no sensitive one."""
    rank = "species" if " " in name else "genus"
    assert sensitive.rule([Taxon(name, rank=rank, family="Rosaceae")]) is None


def test_one_name_among_many_is_enough(sensitive: Sensitive) -> None:
    """A confirmed daisy whose photo a service took for a slipper orchid is told by the grid."""
    found = sensitive.rule([Taxon("Bellis perennis"), Taxon("Cypripedium calceolus")])

    assert found is not None
    assert found.scientific_name == "Cypripedium calceolus"


def test_of_several_rules_the_coarsest_holds() -> None:
    """In whatever order they stand: a user's own beside ours, a genus beside its species."""
    fine, coarse = (
        Rule("Cypripedium calceolus", "species", "Orchidaceae", grid, "", "") for grid in (0.1, 1.0)
    )
    other = Rule("Ariocarpus", "genus", "Cactaceae", 0.5, "", "")
    slipper, cactus = Taxon("Cypripedium calceolus"), Taxon("Ariocarpus retusus")

    for rules in ([fine, coarse, other], [other, coarse, fine]):
        found = Sensitive(rules, shipped_names())
        assert found.rule([slipper]) == coarse
        assert found.rule([Taxon("Cypripedium", rank="genus")]) == coarse
        assert found.rule([cactus, slipper]) == found.rule([slipper, cactus]) == coarse
        assert found.rule([cactus]) == other


@given(
    st.floats(-90, 90),
    st.floats(-180, 180),
    st.floats(0, 10_000),
    st.sampled_from([0.001, 0.01, 0.1, 0.2, 1.0, 7.0]),
)
def test_the_plant_is_within_the_radius_that_is_told(
    latitude: float, longitude: float, uncertainty_m: float, grid: float
) -> None:
    """The true place lies in the circle, which keeps the place's own uncertainty besides."""
    told, radius_m = generalised(Place(latitude, longitude), uncertainty_m, grid)

    assert -90 <= told.latitude <= 90
    assert -180 <= told.longitude <= 180
    assert distance_m(Place(latitude, longitude), told) <= radius_m - uncertainty_m


@given(st.floats(0.0001, 0.0999), st.floats(0.0001, 0.0999))
def test_all_places_of_a_cell_are_told_alike(north: float, east: float) -> None:
    """Nothing of where in its cell a plant grows is left."""
    told, _ = generalised(Place(50.0 + north, 14.4 + east), None, 0.1)

    assert told == Place(50.05, 14.45)


@pytest.mark.parametrize("place", [Place(90.0, 180.0), Place(-90.0, -180.0), Place(0.1, 0.3)])
def test_a_place_on_a_cells_edge_is_not_told_by_its_number(place: Place) -> None:
    """Not even at the world's end, where no cell begins."""
    told, _ = generalised(place, None, 0.1)

    assert abs(told.latitude - place.latitude) == pytest.approx(0.05)
    assert abs(told.longitude - place.longitude) == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name\nCypripedium\n", "'scientific_name' is missing"),
        (HEADER + "Cypripedium,genus,Orchidaceae,far,,\n", "line 2: grid_degrees is 'far'"),
        (HEADER + "Cypripedium,genus,Orchidaceae,nan,,\n", "line 2: grid_degrees is 'nan'"),
        (HEADER + "Cypripedium,tribe,Orchidaceae,0.1,,\n", "line 2: a rule needs a name"),
    ],
)
def test_a_list_that_is_none_is_refused(tmp_path: Path, text: str, said: str) -> None:
    """A rule that was misread would tell a place: none is guessed."""
    (tmp_path / "own.csv").write_text(text)

    with pytest.raises(InputUnreadable, match=said):
        read(tmp_path / "own.csv")


def distance_m(one: Place, other: Place) -> float:
    """Return the great circle's length on a sphere of the Earth's mean radius (haversine)."""
    south, north = math.radians(one.latitude), math.radians(other.latitude)
    width = math.radians(other.longitude - one.longitude)
    chord = (
        math.sin((north - south) / 2) ** 2
        + math.cos(south) * math.cos(north) * math.sin(width / 2) ** 2
    )
    return 2 * 6_371_008.8 * math.asin(math.sqrt(min(1.0, chord)))
