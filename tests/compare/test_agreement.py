"""How far providers agree."""

from __future__ import annotations

import orjson
import pytest
from answering import answer

from plantid_core.compare.agreement import agreement, agreement_over, in_words
from plantid_core.compare.names.reconcile import shipped

PROVIDERS = ("plant_id", "plantnet", "offline")


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (["Prunus avium"] * 3, "All three name Prunus avium first."),
        (["Citrus sinensis", "Citrus × aurantium"], "Both name Citrus × aurantium first."),
        (
            ["Prunus avium", "Prunus avium", "Prunus serrulata"],
            "Two of three name Prunus avium first; all three agree on the genus Prunus.",
        ),
        (
            ["Prunus avium", "Prunus avium", "Ficus carica"],
            "Two of three name Prunus avium first.",
        ),
        (
            ["Prunus avium", "Prunus serrulata", "Ficus carica"],
            "They do not agree on the species; two agree on the genus Prunus.",
        ),
        (
            ["Prunus avium", "Rosa canina"],
            "They do not agree on the species; both agree on the family Rosaceae.",
        ),
        (
            ["Ficus carica", "Rosa canina"],
            "They do not agree on the species, nor on the genus or the family.",
        ),
        (
            ["Prunus avium", "Prunus"],
            "Only Plant.id names a species first; both agree on the genus Prunus.",
        ),
        (["Prunus", "Prunus"], "Both leave the species open; both agree on the genus Prunus."),
        (
            ["Prunus", "Ficus carica"],
            "Only Pl@ntNet names a species first; they do not agree on the genus.",
        ),
        (["Prunus avium"], "Only Plant.id names a plant."),
        ([], "No service names a plant."),
    ],
)
def test_agreement_in_words(names: list[str], sentence: str) -> None:
    """One sentence, with the most precise level on which they are at one."""
    answers = [answer(who, (name, 0.5)) for who, name in zip(PROVIDERS, names, strict=False)]

    assert in_words(agreement(answers, shipped())) == sentence


def test_figures_at_every_level() -> None:
    """Sister species are two at one level and one at the next; silence is left out."""
    found = agreement(
        [
            answer("plant_id", ("Prunus avium", 0.6), ("Prunus serrulata", 0.2)),
            answer("plantnet", ("Prunus serrulata", 0.6), ("Rosa canina", 0.2)),
            answer("offline", status="not_a_plant"),
        ],
        shipped(),
    )

    [species], [genus] = found.at("species").pairs, found.at("genus").pairs
    assert found.providers == ("plant_id", "plantnet")
    assert (species.first, species.overlap) == (False, pytest.approx(1 / 3))
    assert species.rbo == pytest.approx(0.1 * 0 + (0.1 / 0.9) * 0.5 * 0.81 + 0.5 * 0.81)
    assert (genus.first, genus.overlap) == (True, 0.5)
    assert (found.at("species").first, found.at("genus").first) == (None, "prunus")
    assert orjson.loads(orjson.dumps(found.to_dict()))["genus"]["title"] == "Prunus"


def test_kappa_corrects_for_chance() -> None:
    """Cohen's own kind of table: 35 of 50 alike, 25 of them by chance, so kappa is 0.4."""
    one, other = "Prunus avium", "Ficus carica"
    counts = [(one, one, 20), (one, other, 5), (other, one, 10), (other, other, 15)]
    plants = [
        [answer("plant_id", (a, 0.9)), answer("plantnet", (b, 0.9))]
        for a, b, count in counts
        for _ in range(count)
    ]

    species = agreement_over(plants, shipped())[0]

    assert (species.level, species.n, species.first) == ("species", 50, 0.7)
    assert species.kappa == pytest.approx(0.4)


def test_figures_that_are_not_defined_are_none() -> None:
    """With one name throughout, all agreement is chance's; with no plant there is no share."""
    fig = [answer("plant_id", ("Ficus carica", 0.9)), answer("plantnet", ("Ficus carica", 0.9))]
    same = [fig, fig]
    apart = [[answer("plant_id", ("Ficus carica", 0.9))], [answer("plantnet", ("Rosa", 0.9))]]

    alike, never = agreement_over(same, shipped())[0], agreement_over(apart, shipped())[0]

    assert (alike.n, alike.first, alike.kappa) == (2, 1.0, None)
    assert (never.n, never.first, never.rbo, never.kappa) == (0, None, None, None)
