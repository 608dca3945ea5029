"""Scores: what is unknown stays unknown."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from plantid_core.providers.herbarium.calibration import NAMED_FROM, Calibration, fit
from plantid_core.providers.herbarium.discriminant import Distances

distance = st.floats(0, 1e4)


def drawn(rng: np.random.Generator, near: float, count: int = 40, species: int = 4) -> Distances:
    """Return distances of photos whose nearest species is about ``near``."""
    found = rng.uniform(2.5, 4.0, (count, species))
    found[:, 0] = rng.normal(near, 0.2, count).clip(0.1)
    return Distances(found, np.full(count, 2.5))


@settings(max_examples=60)
@given(
    species=arrays.arrays(
        np.float64, st.tuples(st.integers(1, 4), st.integers(1, 6)), elements=distance
    ),
    stranger=distance,
    temperature=st.floats(1e-3, 1e2),
    photos=st.integers(1, 10_000),
)
def test_scores_are_chances(
    species: np.ndarray, stranger: float, temperature: float, photos: int
) -> None:
    """Each is in 0…1, and a photo's sum stays below 1 and is the chance that it is known."""
    tuned = Calibration(temperature, ceiling=(photos + 1) / (photos + 2))
    distances = Distances(species, np.full(len(species), stranger))

    scores = tuned.scores(distances)

    assert ((scores >= 0) & (scores <= 1)).all()
    assert (scores.sum(axis=1) < 1).all()
    assert np.allclose(scores.sum(axis=1), tuned.known(distances))


def test_one_photo_of_one_species_claims_two_thirds_at_most() -> None:
    """Laplace's rule of succession, even for the very same photo."""
    tuned = fit(Distances(np.empty((0, 1)), np.empty(0)), np.empty(0, np.intp), None, photos=1)

    scores = tuned.scores(Distances(np.asarray([[0.0]]), np.asarray([50.0])))

    assert scores[0, 0] == pytest.approx(2 / 3)


def test_strangers_are_told_from_known_plants() -> None:
    """After seeing both sorts, new ones of each are mostly put on the right side."""
    rng = np.random.default_rng(5)
    labels = np.zeros(40, np.intp)

    tuned = fit(drawn(rng, 1.0), labels, drawn(rng, 2.4), photos=40)

    assert (tuned.known(drawn(rng, 1.0)) >= NAMED_FROM).mean() > 0.9
    assert (tuned.known(drawn(rng, 2.4)) >= NAMED_FROM).mean() < 0.1


def test_few_photos_move_the_usual_values_little_and_many_move_them_far() -> None:
    """The fit begins at what held for other herbaria."""
    rng, usual = np.random.default_rng(6), np.asarray(Calibration().weights)

    def moved(count: int) -> float:
        known, strangers = drawn(rng, 1.0, count), drawn(rng, 2.4, count)
        tuned = fit(known, np.zeros(count, np.intp), strangers, photos=count)
        return float(np.linalg.norm(np.asarray(tuned.weights) - usual))

    assert moved(2) < moved(200) / 2


def test_a_species_that_is_left_out_gets_no_score() -> None:
    """It is infinitely far; the others share what is known."""
    scores = Calibration().scores(Distances(np.asarray([[1.0, np.inf]]), np.asarray([3.0])))

    assert scores[0, 1] == 0
    assert scores[0, 0] > 0.5
