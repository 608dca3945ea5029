"""The finding in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from labelled import answer, evaluation, photo

from plantid_core.compare.consensus import consensus
from plantid_core.compare.evaluate.measure import Figure
from plantid_core.compare.evaluate.sentence import p_value
from plantid_core.compare.evaluate.wording import points, told
from plantid_core.evaluation.result import Heard

if TYPE_CHECKING:
    from plantid_core.evaluation import Evaluation


def contest(first: list[bool], second: list[bool], *, sandbox: bool = False) -> Evaluation:
    """Return Plant.id against Pl@ntNet, by who was right on which photo."""
    heard = []
    for number, (one, other) in enumerate(zip(first, second, strict=True)):
        answers = (
            answer("plant_id", ("Zea mays" if one else "Quercus robur", 0.9), sandbox=sandbox),
            answer("plantnet", ("Zea mays" if other else "Acer campestre", 0.9)),
        )
        heard.append(Heard(photo("Zea mays", f"{number}"), "", answers, consensus(answers)))
    return evaluation(heard)


def test_the_better_one_is_named_with_its_p() -> None:
    """Right on 18 of 20 against 6: the test is sure."""
    found = contest([True] * 18 + [False] * 2, [True] * 6 + [False] * 14).finding

    assert found.startswith("Plant.id was right first time on 90 % [")
    assert ", Pl@ntNet on 30 % [" in found
    assert ": Plant.id is better, p < .001." in found


def test_a_small_difference_has_no_winner() -> None:
    """One photo more is no evidence; the p stands without its zero."""
    found = contest([True, True, False, False], [True, False, False, False]).finding

    assert ": no clear winner, p = 1.00." in found
    assert p_value(0.424) == "p = .42"
    assert p_value(0.0123) == "p = .012"


def test_the_sandbox_is_marked_wherever_it_is_named() -> None:
    """And the joint ranking that it had a say in."""
    made = contest([True, False], [True, True], sandbox=True)

    assert made.sandbox == ("plant_id", "consensus")
    assert "Plant.id (sandbox) on" in made.finding
    assert "Pl@ntNet was right first time" in made.finding
    assert "no botany" in made.finding


def test_no_species_is_no_finding() -> None:
    """Where only genera are labelled, nobody can be right first time."""
    answers = (answer("plantnet", ("Tsuga", 0.9)),)

    made = evaluation([Heard(photo("Tsuga"), "", answers, consensus(answers))])

    assert made.finding.startswith("No photo labelled with a species was answered")


@pytest.mark.parametrize(
    ("metric", "figure", "said"),
    [
        ("top1", Figure(0.7143, 0.64, 0.7749, 200), "71 % [64–77]"),
        ("top1", Figure(1.0, None, None, 1), "100 %"),
        ("ece", Figure(0.0789, 0.05, 0.123, 200), "0.08 [0.05–0.12]"),
        ("latency_ms", Figure(221.0, 202.0, 240.4, 42), "221 ms [202–240]"),
        ("latency_ms", Figure(950.0, 910.0, 1200.0, 42), "950 ms [910 ms–1.2 s]"),
        ("aurc", Figure(None, None, None, 0), "–"),
    ],
)
def test_figures_are_told_with_their_interval(metric: str, figure: Figure, said: str) -> None:
    """In the unit that a person reads."""
    assert told(metric, figure) == said


def test_differences_are_told_in_points() -> None:
    """With their sign, but no signed zero."""
    assert [points(share) for share in (0.031, -0.02, 0.0, -0.001)] == ["+3", "-2", "0", "0"]
