"""The figures, by example and held against scikit-learn's where it has them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from labelled import SPECIES, judged
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss

from plantid_core.compare.evaluate.column import Column, columns
from plantid_core.compare.evaluate.curves import reliability, risk_coverage
from plantid_core.compare.evaluate.metrics import METRICS

if TYPE_CHECKING:
    from plantid_core.compare.evaluate.judgement import Judgement

WRONG = "Quercus robur"


def column(*judgements: Judgement) -> Column:
    """Return them as those of different photos."""
    told = [
        replace(one, photo=replace(one.photo, file=f"{number:04}"))
        for number, one in enumerate(judgements)
    ]
    return columns(told)["plantnet"]


def value(metric: str, *judgements: Judgement) -> float:
    found = column(*judgements)
    return float(METRICS[metric](found).of(np.ones((1, len(judgements))))[0])


def scored(score: float, *, right: bool) -> Judgement:
    return judged("Zea mays", ("Zea mays" if right else WRONG, score))


def test_ranks_make_the_accuracies() -> None:
    """First, second, fourth and not at all."""
    ladder = [("Rosa canina", 0.4), ("Rosa gallica", 0.3), ("Rosa rugosa", 0.2)]
    judgements = (
        judged("Zea mays", ("Zea mays", 0.9)),
        judged("Zea mays", ladder[0], ("Zea mays", 0.1)),
        judged("Zea mays", *ladder, ("Zea mays", 0.1)),
        judged("Zea mays", *ladder),
    )

    found = [value(metric, *judgements) for metric in ("top1", "top3", "top5", "mrr")]

    assert found == [1 / 4, 2 / 4, 3 / 4, (1 + 1 / 2 + 1 / 4) / 4]


def test_each_species_counts_the_same() -> None:
    """Three right photos of maize do not hide that no potato was known."""
    maize = [judged("Zea mays", ("Zea mays", 0.9))] * 3
    potato = judged("Solanum tuberosum", ("Zea mays", 0.9))

    assert value("top1", *maize, potato) == 3 / 4
    assert value("macro_top1", *maize, potato) == (1 + 0) / 2


def test_naming_nothing_is_not_right_and_silence_is_not_wrong() -> None:
    """No match counts, an unreachable service does not."""
    judgements = (
        judged("Zea mays", ("Zea mays", 0.9)),
        judged("Zea mays", status="no_match"),
        judged("Zea mays", status="unavailable"),
    )

    assert value("top1", *judgements) == 1 / 2
    assert value("answered", *judgements) == 2 / 3
    assert value("coverage", *judgements) == 1 / 2
    assert value("false_rejection", *judgements) == 1 / 2


def test_the_calibration_error_is_guo_s() -> None:
    """Two names at 0.75 of which one is right, and one right at 0.95: (2·0.25 + 1·0.05) / 3."""
    judgements = (scored(0.75, right=True), scored(0.75, right=False), scored(0.95, right=True))

    assert value("ece", *judgements) == pytest.approx((2 * 0.25 + 0.05) / 3)


def test_risk_rises_along_the_coverage() -> None:
    """Right at 0.9, wrong at 0.8, right at 0.7: risks 0, 1/2 and 1/3, and their mean."""
    judgements = (scored(0.7, right=True), scored(0.9, right=True), scored(0.8, right=False))

    curve = risk_coverage(column(*judgements))

    assert [one.coverage for one in curve] == pytest.approx([1 / 3, 2 / 3, 1])
    assert [one.risk for one in curve] == pytest.approx([0, 1 / 2, 1 / 3])
    assert value("aurc", *judgements) == pytest.approx((0 + 1 / 2 + 1 / 3) / 3)


def test_equal_scores_have_no_order() -> None:
    """One right and one wrong at the same score: the risk is a half wherever one stops."""
    assert value("aurc", scored(0.5, right=True), scored(0.5, right=False)) == pytest.approx(0.5)


def test_a_curve_of_one_that_keeps_silent_ends_early() -> None:
    """Coverage is of the plants it was asked for."""
    curve = risk_coverage(column(scored(0.9, right=True), judged("Zea mays", status="no_match")))

    assert [one.coverage for one in curve] == [0.5]


scores = st.integers(0, 40).map(lambda number: number / 40)
claims = st.lists(st.tuples(scores, st.booleans()), min_size=1, max_size=30)


@settings(max_examples=40)
@given(claims)
def test_scikit_learn_agrees(made: list[tuple[float, bool]]) -> None:
    """On the Brier score, and on the bins of the reliability diagram."""
    truth, told = [right for _, right in made], [score for score, _ in made]
    judgements = [scored(score, right=right) for score, right in made]

    bins = reliability(column(*judgements))
    shares, means = calibration_curve(truth, told, n_bins=10, strategy="uniform")

    assert value("brier", *judgements) == pytest.approx(
        brier_score_loss(truth, told, labels=[False, True]), abs=1e-12
    )
    assert [one.right for one in bins] == pytest.approx(list(shares))
    assert [one.score for one in bins] == pytest.approx(list(means))


guesses = st.builds(
    lambda label, names, given, status: judged(
        label, *zip(names, sorted(given, reverse=True), strict=False), status=status
    ),
    st.sampled_from([*SPECIES, "Prunus", "not a plant"]),
    st.lists(st.sampled_from(SPECIES), min_size=1, unique=True),
    st.lists(scores, min_size=6, max_size=6),
    st.sampled_from(["ok", "ok", "no_match", "not_a_plant", "unavailable"]),
)


@settings(max_examples=40)
@given(st.lists(guesses, min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_figures_are_in_range_whatever_the_order(
    judgements: list[Judgement], random: object
) -> None:
    """Every figure but time is in 0…1 or undefined, and the photos' order makes no difference."""
    shuffled = random.sample(judgements, len(judgements))  # type: ignore[attr-defined]

    for metric in METRICS:
        one, other = value(metric, *judgements), value(metric, *shuffled)

        assert one == pytest.approx(other, abs=1e-12, nan_ok=True), metric
        assert np.isnan(one) or metric == "latency_ms" or 0 <= one <= 1, metric
