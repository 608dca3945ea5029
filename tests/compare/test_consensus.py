"""One ranking out of several."""

from __future__ import annotations

from plantid_core.compare.consensus import consensus
from plantid_core.plants import Answer, Suggestion, Taxon


def answer(provider: str, *names: tuple[str, float], status: str = "ok") -> Answer:
    suggestions = tuple(Suggestion(Taxon(name), score) for name, score in names)
    return Answer(provider, status, "upstream", False, 1.0, suggestions=suggestions)  # type: ignore[arg-type]  # noqa: FBT003


def test_agreement_is_counted_and_scores_are_averaged() -> None:
    """Two that name a plant outrank one, and the mean score invents no mass."""
    joint = consensus(
        [
            answer("plant_id", ("Ficus carica", 0.9), ("Rosa canina", 0.1)),
            answer("plantnet", ("Ficus carica", 0.5)),
        ]
    )

    assert joint.abstained is None
    assert joint.suggestions[0].scientific_name == "Ficus carica"
    assert joint.suggestions[0].providers == ("plant_id", "plantnet")
    assert joint.suggestions[0].score == 0.7
    assert sum(entry.score for entry in joint.suggestions) <= 1.0


def test_hybrid_signs_do_not_divide_a_name() -> None:
    """The sign, the letter x and nothing at all are one name."""
    joint = consensus(
        [answer("plant_id", ("Citrus x limon", 0.9)), answer("plantnet", ("Citrus × limon", 0.8))]
    )

    assert len(joint.suggestions) == 1


def test_disagreement_inside_a_genus_names_the_genus() -> None:
    """When only the genus is common, the verdict abstains and says so."""
    joint = consensus(
        [answer("plant_id", ("Prunus avium", 0.9)), answer("plantnet", ("Prunus serrulata", 0.8))]
    )

    assert joint.abstained == "The services disagree on the species: likely genus Prunus."


def test_no_plant_abstains_with_the_reason() -> None:
    """Where nobody names a plant, the reason is the strongest that was heard."""
    joint = consensus(
        [answer("plant_id", status="not_a_plant"), answer("plantnet", status="unavailable")]
    )

    assert joint == consensus([answer("plant_id", status="not_a_plant")])
    assert joint.abstained == "No plant was recognised in this picture."
