"""One verdict out of several answers, or what can be said where there is none."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from answering import answer
from hypothesis import given
from hypothesis import strategies as st

from plantid_core.compare.ballots import key_of
from plantid_core.compare.calibration import BetaMap, Calibration
from plantid_core.compare.consensus import consensus
from plantid_core.compare.names.reconcile import shipped
from plantid_core.plants import Answer, Suggestion, Taxon

if TYPE_CHECKING:
    import random

    from plantid_core.plants import AnswerStatus, Consensus


def first(joint: Consensus) -> tuple[str, str]:
    return joint.suggestions[0].scientific_name, joint.suggestions[0].rank


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


def test_synonyms_agree() -> None:
    """The orange under an accepted name and under two older ones is one plant."""
    joint = consensus(
        [
            answer("offline", ("Citrus × aurantium", 0.6)),
            answer("plantnet", ("Citrus sinensis", 0.4), ("Citrus × sinensis", 0.1)),
        ]
    )

    assert joint.abstained is None
    [orange] = joint.suggestions
    assert orange.scientific_name == "Citrus × aurantium"
    assert (orange.score, orange.providers) == (0.5, ("offline", "plantnet"))


def test_disagreement_inside_a_genus_names_the_genus() -> None:
    """When only the genus is common, the verdict is the genus, with its species' scores inside."""
    joint = consensus(
        [
            answer("plant_id", ("Prunus avium", 0.8), ("Rosa canina", 0.2)),
            answer("plantnet", ("Prunus serrulata", 0.5), ("Prunus avium", 0.1)),
        ]
    )

    assert joint.abstained == "The services disagree on the species: likely genus Prunus."
    assert [first(joint), joint.suggestions[1].scientific_name] == [
        ("Prunus", "genus"),
        "Rosa canina",
    ]
    assert joint.suggestions[0].score == pytest.approx((0.8 + 0.6) / 2)
    assert joint.suggestions[0].providers == ("plant_id", "plantnet")


def test_disagreement_inside_a_family_names_the_family() -> None:
    """When only the family is common, that is what can be said."""
    joint = consensus(
        [answer("plant_id", ("Prunus avium", 0.8)), answer("plantnet", ("Rosa canina", 0.7))]
    )

    assert joint.abstained == "The services disagree on the species: likely family Rosaceae."
    assert first(joint) == ("Rosaceae", "family")


def test_nothing_in_common_says_what_to_try() -> None:
    """Two services far apart name nothing together; what they said stays in the ranking."""
    joint = consensus(
        [answer("plant_id", ("Ficus carica", 0.9)), answer("plantnet", ("Rosa canina", 0.8))]
    )

    assert joint.abstained == (
        "The services do not agree on a plant. Try a closer photo of a flower, a fruit or one leaf."
    )
    assert {entry.scientific_name for entry in joint.suggestions} == {"Ficus carica", "Rosa canina"}


def test_two_of_three_decide() -> None:
    """What more than half name first leads, also where the reciprocal ranks favour another."""
    joint = consensus(
        [
            answer("plant_id", ("Prunus avium", 0.5), ("Rosa canina", 0.4)),
            answer("plantnet", ("Prunus avium", 0.5), ("Rosa canina", 0.4)),
            answer("offline", ("Rosa canina", 0.9)),
        ]
    )

    assert joint.abstained is None
    assert first(joint) == ("Prunus avium", "species")


def test_each_others_second_name_is_no_verdict() -> None:
    """Two that swap two species are torn: the genus is what they share."""
    joint = consensus(
        [
            answer("plant_id", ("Prunus avium", 0.5), ("Prunus serrulata", 0.4)),
            answer("plantnet", ("Prunus serrulata", 0.9), ("Prunus avium", 0.1)),
        ]
    )

    assert joint.abstained == "The services disagree on the species: likely genus Prunus."


def test_a_genus_supports_its_species() -> None:
    """A less precise answer is no contradiction; it counts for the one species that fits it."""
    genus = answer("plantnet", ("Prunus", 0.9))

    one = consensus([answer("plant_id", ("Prunus avium", 0.6)), genus])
    two = consensus(
        [
            answer("plant_id", ("Prunus avium", 0.6)),
            answer("offline", ("Prunus serrulata", 0.6)),
            genus,
        ]
    )

    more = consensus(
        [
            answer("plant_id", ("Prunus avium", 0.6)),
            answer("offline", ("Rosaceae", 0.7)),
            genus,
        ]
    )

    assert (one.abstained, first(one)) == (None, ("Prunus avium", "species"))
    assert (more.abstained, first(more)) == (None, ("Prunus avium", "species"))
    assert two.abstained == "The services disagree on the species: likely genus Prunus."


@pytest.mark.parametrize(
    ("score", "abstained"),
    [
        (0.5, None),
        (0.49, "Plant.id is not sure. Try a closer photo of a flower, a fruit or one leaf."),
    ],
)
def test_one_voice_must_be_sure(score: float, abstained: str | None) -> None:
    """What a single service says is the verdict if it is likelier right than wrong."""
    assert consensus([answer("plant_id", ("Ficus carica", score))]).abstained == abstained


def test_one_voice_may_be_sure_of_the_genus_only() -> None:
    """Scores inside one genus add up to what a single name does not reach."""
    joint = consensus(
        [
            answer("plantnet", ("Prunus avium", 0.4), ("Prunus serrulata", 0.3)),
            answer("plant_id", status="no_match"),
        ]
    )

    assert joint.abstained == (
        "Only Pl@ntNet names a plant, and it is not sure of the species: likely genus Prunus."
    )
    assert joint.suggestions[0].score == pytest.approx(0.35), "half of those that answered"


def test_two_that_whisper_are_no_verdict() -> None:
    """The same name twice is nothing where neither gives it a tenth."""
    whispered = [answer(name, ("Ficus carica", 0.09)) for name in ("plant_id", "plantnet")]

    assert "The services are not sure." in (consensus(whispered).abstained or "")
    assert consensus([answer("offline", ("Ficus carica", 0.1)), *whispered]).abstained is None


@pytest.mark.parametrize(
    ("statuses", "abstained"),
    [
        (
            ["ok", "not_a_plant", "not_a_plant"],
            "The offline model and Pl@ntNet see no plant in this picture; Plant.id names one.",
        ),
        (["ok", "not_a_plant", "unavailable"], None),
        (["ok", "not_a_plant", "ok"], None),
        (["not_a_plant", "unavailable"], "No plant was recognised in this picture."),
        (["no_match", "quota"], "No service knows this plant."),
        (["unavailable", "rejected"], "No service could answer."),
    ],
)
def test_who_sees_no_plant_has_a_say(statuses: list[AnswerStatus], abstained: str | None) -> None:
    """More that see no plant than name one, and there is no verdict; nobody at all, and it says why."""
    answers = [
        answer(provider, ("Ficus carica", 0.9), status="ok")
        if status == "ok"
        else answer(provider, status=status)
        for provider, status in zip(("plant_id", "plantnet", "offline"), statuses, strict=False)
    ]

    assert consensus(answers).abstained == abstained


@pytest.mark.parametrize(("score", "speaks"), [(0.49, False), (0.5, True)])
def test_one_that_sees_no_plant_silences_only_an_unsure_one(score: float, speaks: bool) -> None:  # noqa: FBT001
    """One against one, the name counts where it is likelier right than wrong."""
    seen = answer("plant_id", ("Ficus carica", score))

    abstained = consensus([seen, answer("offline", status="not_a_plant")]).abstained

    assert (abstained is None) is speaks
    assert speaks or abstained == (
        "The offline model sees no plant in this picture; Plant.id names one."
    )


def test_scores_are_calibrated_each_by_its_own_map() -> None:
    """A service that boasts weighs less, its emulator is not it, and no mass is made."""
    boasting = Calibration({"plant_id": BetaMap(1.0, 1.0, -3.0, 100)})
    told = [answer("plant_id", ("Ficus carica", 0.9)), answer("plantnet", ("Rosa canina", 0.1))]

    joint = consensus(told, shipped(), boasting)
    emulated = consensus([replace(one, sandbox=True) for one in told], shipped(), boasting)

    scores = {entry.scientific_name: entry.score for entry in joint.suggestions}
    odds = 9 * 2.718281828459045**-3
    assert scores["Ficus carica"] == pytest.approx(odds / (1 + odds) / 2)
    assert scores["Rosa canina"] == 0.05
    assert emulated.suggestions[0].score == 0.45


NAMES = [
    Taxon("Prunus avium"), Taxon("Prunus serrulata"), Taxon("Cerasus serrulata"), Taxon("Prunus"),
    Taxon("Rosaceae", rank="family"), Taxon("Rosa canina"), Taxon("Citrus sinensis"),
    Taxon("Citrus × aurantium"), Taxon("Actinidia chinensis var. deliciosa"), Taxon("12 ?!"),
]  # fmt: skip
PROVIDERS = ("plant_id", "plantnet", "offline", "herbarium")


@st.composite
def given_answers(draw: st.DrawFn, *, favoured: bool = False) -> list[Answer]:
    """Draw up to four providers' answers, with synonyms, genera, ties and scores of any sum.

    Where one taxon is favoured, it is often put first, so that there are verdicts to look at.
    """
    answers = []
    favourite = draw(st.sampled_from(NAMES)) if favoured else None
    statuses = st.sampled_from(["ok", "ok", "ok", "not_a_plant", "no_match", "unavailable"])
    for provider in draw(st.lists(st.sampled_from(PROVIDERS), min_size=favoured, unique=True)):
        status = draw(statuses)
        taxa = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=6, unique=True))
        if favourite is not None and draw(st.integers(0, 3)):
            taxa = [favourite, *(taxon for taxon in taxa if taxon != favourite)]
        score = st.sampled_from([0.0, 0.05, 0.3, 0.5, 1.0]) | st.floats(0, 1)
        named = tuple(Suggestion(taxon, draw(score)) for taxon in taxa) if status == "ok" else ()
        answers.append(Answer(provider, status, "near", False, 1.0, suggestions=named))  # noqa: FBT003
    return answers


def decided() -> st.SearchStrategy[list[Answer]]:
    return given_answers(favoured=True).filter(lambda drawn: consensus(drawn).abstained is None)


def key(taxon: Taxon) -> str:
    return key_of(shipped().reconcile(taxon))


@given(given_answers() | decided(), st.randoms(use_true_random=False))
def test_the_order_of_the_answers_does_not_matter(
    answers: list[Answer], order: random.Random
) -> None:
    """Whoever answers first has no more say."""
    assert consensus(order.sample(answers, len(answers))) == consensus(answers)


@given(given_answers())
def test_the_sandbox_is_heard_like_its_service(answers: list[Answer]) -> None:
    """The mark is on the answers; the verdict is the same."""
    assert consensus([replace(one, sandbox=True) for one in answers]) == consensus(answers)


@given(given_answers() | decided())
def test_no_mass_is_invented(answers: list[Answer]) -> None:
    """All scores add up to 1 at most, and none is above what a provider gave the taxon."""
    joint = consensus(answers)

    assert sum(entry.score for entry in joint.suggestions) <= 1 + 1e-9
    rolled_up = joint.abstained is not None and "likely" in joint.abstained
    for entry in joint.suggestions[rolled_up:]:
        own = key(Taxon(entry.scientific_name))
        given_to = [s.score for one in answers for s in one.suggestions if key(s.taxon) == own]
        assert entry.score <= max(given_to) + 1e-9


@given(decided())
def test_a_verdict_is_a_species_that_more_than_half_name_first(answers: list[Answer]) -> None:
    """It speaks only for the species at the head, which half of the naming or fewer cannot decide."""
    joint = consensus(answers)

    taxon = shipped().reconcile(Taxon(joint.suggestions[0].scientific_name))
    tops = [shipped().reconcile(one.suggestions[0].taxon) for one in answers if one.suggestions]
    backing = [
        top
        for top in tops
        if top.species == taxon.species
        or (top.species is None and top.genus == taxon.genus)
        or (top.genus is None and top.family == taxon.family)
    ]
    assert taxon.species is not None
    assert len(backing) * 2 > len(tops)


@given(given_answers())
def test_a_name_said_twice_counts_once(answers: list[Answer]) -> None:
    """A provider that gives its first taxon again under any name is heard once."""
    doubled = [
        replace(one, suggestions=(*one.suggestions, replace(one.suggestions[0], score=1.0)))
        if one.suggestions
        else one
        for one in answers
    ]

    assert consensus(doubled) == consensus(answers)


@given(decided(), st.floats(0, 1))
def test_one_more_that_agrees_takes_no_verdict_away(answers: list[Answer], score: float) -> None:
    """Support never turns a verdict into silence, nor into another."""
    joint = consensus(answers)
    name = joint.suggestions[0].scientific_name

    more = consensus([*answers, answer("another", (name, score))])

    assert more.abstained is None
    assert key(Taxon(more.suggestions[0].scientific_name)) == key(Taxon(name))


@given(decided(), st.sampled_from(PROVIDERS))
def test_a_better_rank_takes_no_verdict_away(answers: list[Answer], provider: str) -> None:
    """A provider that moves the verdict's species to its head leaves it the verdict."""
    joint = consensus(answers)
    own = key(Taxon(joint.suggestions[0].scientific_name))

    moved = [
        replace(one, suggestions=tuple(sorted(one.suggestions, key=lambda s: key(s.taxon) != own)))
        if one.provider == provider
        else one
        for one in answers
    ]

    better = consensus(moved)
    assert better.abstained is None
    assert key(Taxon(better.suggestions[0].scientific_name)) == own
