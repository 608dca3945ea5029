"""Intervals, and pairs on the same photos."""

from __future__ import annotations

import csv
import io
import random
from dataclasses import replace

import numpy as np
import pytest
from labelled import answer, evaluation, judged, made_up, photo
from recomputed import Row, recomputed, spent, split, waited
from scipy.stats import binom

from plantid_core.compare.consensus import consensus
from plantid_core.compare.evaluate.measure import mcnemar, measure
from plantid_core.evaluation import tables
from plantid_core.evaluation.result import Heard


def as_rows(table: str) -> list[Row]:
    return list(csv.DictReader(io.StringIO(table)))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_figure_equals_its_recomputation(seed: int) -> None:
    """From the table of answers as it is written, in plain loops, to 1e-9."""
    made = evaluation(made_up(np.random.default_rng(seed), 60))
    rows = as_rows(tables.answers(made).to_csv(index=False))

    for provider, figures in made.measured.providers.items():
        expected = recomputed(rows, provider)
        if provider != "consensus":
            expected |= {
                "credits_per_photo": spent(rows, provider),
                "latency_ms": waited(rows, provider),
            }
        for metric, value in expected.items():
            assert figures[metric].value == pytest.approx(value, abs=1e-9), (provider, metric)
    for pair in made.measured.pairs:
        found = {
            "difference": pair.difference.value, "only_a": pair.mcnemar.only_a,
            "only_b": pair.mcnemar.only_b, "p": pair.mcnemar.p,
        }  # fmt: skip
        assert found == pytest.approx(dict(split(rows, pair.a, pair.b)), abs=1e-9)


def test_intervals_are_percentiles_over_resampled_photos() -> None:
    """The same draws in a plain loop: the photos' rows are repeated, and all is computed anew."""
    seed, resamples, photos = 7, 40, 25
    made = evaluation(made_up(np.random.default_rng(4), photos), seed, resamples)
    rows = as_rows(tables.answers(made).to_csv(index=False))
    files = sorted({row["file"] for row in rows})
    rng = np.random.default_rng(seed)
    drawn: dict[tuple[str, str], list[float]] = {}

    for _ in range(resamples):
        places = rng.integers(0, photos, photos)
        resample = [
            {**row, "file": f"{copy}"}
            for copy, place in enumerate(places)
            for row in rows
            if row["file"] == files[place]
        ]
        for provider in made.measured.providers:
            for metric, value in recomputed(resample, provider).items():
                if value is not None:
                    drawn.setdefault((provider, metric), []).append(value)

    for (provider, metric), values in drawn.items():
        figure = made.measured.providers[provider][metric]
        low, high = np.quantile(values, (0.025, 0.975))
        assert (figure.low, figure.high) == pytest.approx((low, high), abs=1e-9), (provider, metric)


def test_what_is_hard_is_hard_for_all() -> None:
    """Resamples are shared: of two that always answer alike, the difference has no spread."""
    same = [
        Heard(photo(label, f"{number}"), "", answers, consensus(answers))
        for number, label in enumerate(["Zea mays", "Prunus persica"] * 10)
        for answers in [(answer("a", ("Zea mays", 0.9)), answer("b", ("Zea mays", 0.9)))]
    ]

    (pair, *_) = evaluation(same).measured.pairs

    assert (pair.a, pair.b) == ("a", "b")
    assert (pair.difference.value, pair.difference.low, pair.difference.high) == (0, 0, 0)
    assert evaluation(same).measured.providers["a"]["top1"].low < 0.5


def test_nothing_to_count_has_no_value() -> None:
    """No species, no non-plant, no photo: None and never NaN."""
    only_genus = [replace(judged("Tsuga", ("Tsuga", 0.9)), latency_ms=None)]

    found = measure(only_genus, 1).providers["plantnet"]

    for metric in ("top1", "macro_top1", "ece", "aurc", "rejection", "latency_ms"):
        assert found[metric].to_dict() == {"value": None, "low": None, "high": None, "n": 0}
    assert found["genus_top1"].to_dict() == {"value": 1.0, "low": None, "high": None, "n": 1}
    assert measure([], 1).n == 0


def test_the_order_of_the_photos_makes_no_difference() -> None:
    """Value and interval are the same, for the same seed."""
    judgements = list(evaluation(made_up(np.random.default_rng(5), 30)).judgements)
    providers = list(dict.fromkeys(one.provider for one in judgements))
    mixed = random.Random(3).sample(judgements, len(judgements))  # noqa: S311 - an order, no secret
    mixed.sort(key=lambda one: providers.index(one.provider))

    assert measure(mixed, 1, 30) == measure(judgements, 1, 30)


@pytest.mark.parametrize(("only_a", "only_b"), [(0, 0), (5, 0), (0, 5), (3, 9), (40, 41)])
def test_mcnemar_is_the_binomial_test(only_a: int, only_b: int) -> None:
    """Twice the smaller tail of as many tosses of a coin; 1 where they never differ."""
    differ = only_a + only_b
    expected = min(1.0, 2 * binom.cdf(min(only_a, only_b), differ, 0.5)) if differ else 1.0

    assert mcnemar(only_a, only_b).p == pytest.approx(expected)
