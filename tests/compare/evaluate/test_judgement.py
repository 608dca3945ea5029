"""How right one answer is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from labelled import answer, judged, photo

from plantid_core.compare.consensus import consensus
from plantid_core.compare.evaluate.judgement import Judgement, judge, judge_joint
from plantid_core.compare.names.reconcile import shipped

if TYPE_CHECKING:
    from plantid_core.plants import Answer


def test_a_synonym_is_right() -> None:
    """The sweet orange has many names, and all of them are right."""
    found = judged("Citrus × aurantium", ("Citrus sinensis (L.) Osbeck", 0.8))

    assert found.rank == 1
    assert found.right


def test_an_infraspecific_name_is_right_for_its_species() -> None:
    """What is told more precisely than asked for is no error."""
    found = judged("Brassica oleracea", ("Brassica oleracea var. capitata", 0.8))

    assert found.rank == 1


def test_a_second_name_has_the_second_rank() -> None:
    """The genus is that of the first name."""
    found = judged("Prunus serrulata", ("Malus domestica", 0.6), ("Prunus serrulata", 0.3))

    assert (found.rank, found.genus_right, found.right) == (2, False, False)
    assert found.family_right  # both are Rosaceae


def test_a_genus_is_not_its_species() -> None:
    """A banana that is called "Musa" is right at genus, and is no species."""
    found = judged("Musa × paradisiaca", ("Musa", 0.9))

    assert (found.rank, found.genus_right) == (None, True)


def test_a_genus_label_is_scored_at_genus() -> None:
    """Any hemlock is right for "Tsuga sp."."""
    found = judged("Tsuga sp.", ("Tsuga canadensis", 0.7))

    assert (found.rank, found.genus_right, found.right) == (None, True, True)


@pytest.mark.parametrize("status", ["no_match", "not_a_plant"])
def test_naming_nothing_rejects_a_chair(status: str) -> None:
    """Some services have no other word for what is no plant than "no match"."""
    assert judged("not a plant", status=status).right  # type: ignore[arg-type] # both are statuses
    assert not judged("not a plant", ("Rosa", 0.1)).right


@pytest.mark.parametrize("status", ["unavailable", "quota", "rejected"])
def test_silence_is_no_answer(status: str) -> None:
    """A service that could not be reached has neither named nor rejected."""
    found = judged("not a plant", status=status)  # type: ignore[arg-type] # all are statuses

    assert not found.answered
    assert not found.rejected
    assert found.credits == 0


def joint(label: str, *answers: Answer) -> Judgement:
    shown, names = photo(label), shipped()
    parts = [judge(shown, one, names) for one in answers]
    return judge_joint(shown, consensus(answers, names), parts, names)


def test_the_joint_ranking_s_order_is_its_ranking() -> None:
    """It is right as a provider would be."""
    found = joint(
        "Prunus serrulata",
        answer("plant_id", ("Prunus serrulata", 0.8)),
        answer("plantnet", ("Prunus serrulata", 0.7), ("Prunus persica", 0.1)),
    )

    assert (found.status, found.rank, found.credits) == ("ok", 1, 2)


def test_a_joint_ranking_that_abstains_names_no_species() -> None:
    """Where the services agree on the genus alone, that is what it has said."""
    found = joint(
        "Prunus serrulata",
        answer("plant_id", ("Prunus serrulata", 0.8)),
        answer("plantnet", ("Prunus persica", 0.7)),
    )

    assert [taxon.species for taxon in found.names] == [None]
    assert (found.rank, found.genus_right, found.family_right) == (None, True, True)


def test_a_genus_that_leads_without_being_the_verdict_is_not_said() -> None:
    """A single voice that is not sure of a genus has named nothing, jointly."""
    found = joint("Rosa canina", answer("offline", ("Rosa", 0.03)))

    assert (found.status, found.names, found.genus_right) == ("abstained", (), False)


def test_a_disagreement_is_neither_a_name_nor_a_rejection() -> None:
    """Nothing is said of a picture in which each sees another plant."""
    found = joint(
        "not a plant",
        answer("plant_id", ("Prunus serrulata", 0.8)),
        answer("plantnet", ("Zea mays", 0.7)),
    )

    assert (found.status, found.names, found.rejected) == ("abstained", (), False)


def test_the_joint_ranking_rejects_as_its_voters_do() -> None:
    """As many that see no plant as name one are enough; nobody who answers is no rejection."""
    tied = joint("not a plant", answer("a", ("Rosa", 0.9)), answer("b", status="not_a_plant"))
    silent = joint("not a plant", answer("a", status="unavailable"))

    assert (tied.rejected, tied.names) == (True, ())
    assert (silent.answered, silent.rejected) == (False, False)


def test_kept_answers_cost_nothing_and_tell_no_latency() -> None:
    """Only what was asked afresh is timed and paid for."""
    names, shown = shipped(), photo("Zea mays")
    fresh = judge(shown, answer("plantnet", ("Zea mays", 1.0), elapsed_ms=80.0), names)
    kept = judge(shown, answer("plantnet", ("Zea mays", 1.0), source="redis"), names)
    local = judge(shown, answer("offline", ("Zea mays", 1.0), source="local"), names)

    assert [one.credits for one in (fresh, kept, local)] == [1, 0, 0]
    assert [one.latency_ms for one in (fresh, kept, local)] == [80.0, None, 100.0]
