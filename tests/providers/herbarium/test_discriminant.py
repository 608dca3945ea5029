"""Distances to species, and what they would be without some photos."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plantid_core.providers.herbarium.discriminant import fit, unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from plantid_core.providers.herbarium.discriminant import Fitted

    Floats = NDArray[np.floating]
    Whole = NDArray[np.intp]

SIZE = 12


def photos(counts: list[int], seed: int = 3) -> tuple[Floats, Whole, Floats]:
    """Return features, labels and the expected features of random species."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(counts)), counts)
    middles = rng.gamma(2.0, 1.0, (len(counts), SIZE))
    features = middles[labels] + rng.normal(0, 0.4, (len(labels), SIZE))
    return features.astype(np.float32), labels, rng.gamma(2.0, 1.0, SIZE)


def without(
    group: list[int], features: Floats, labels: Whole, expected: Floats, fitted: Fitted
) -> tuple[Floats, Floats]:
    """Return the distances of a group to a model of the other rows, by plain inversion."""
    rows = unit(features)
    keep = np.setdiff1d(np.arange(len(rows)), group)
    scatter = np.zeros((SIZE, SIZE))
    means = {}
    for species in np.unique(labels[keep]):
        own = rows[keep][labels[keep] == species]
        means[int(species)] = own.mean(axis=0)
        scatter += (own - own.mean(axis=0)).T @ (own - own.mean(axis=0))
    # How strongly, and to what, the covariance is shrunk is the whole herbarium's.
    whole = np.linalg.inv(fitted.whitener.T @ fitted.whitener) / SIZE
    all_means = np.stack([rows[labels == one].mean(axis=0) for one in range(labels.max() + 1)])
    deviations = rows - all_means[labels]
    ridge = whole - fitted.weight / SIZE * deviations.T @ deviations
    inverse = np.linalg.inv(ridge + fitted.weight / SIZE * scatter) / SIZE
    mean_of_all = 0.6 * unit(expected[None])[0]
    stranger = (sum(means.values()) + mean_of_all) / (len(means) + 1)

    def distance(row: Floats, mean: Floats) -> float:
        return float((row - mean) @ inverse @ (row - mean))

    species = [
        [
            distance(rows[at], means[one]) if one in means else np.inf
            for one in range(len(all_means))
        ]
        for at in group
    ]
    return np.asarray(species), np.asarray([distance(rows[at], stranger) for at in group])


@pytest.mark.parametrize(
    ("counts", "group"),
    [
        ([4, 3, 5], [2]),
        ([4, 3, 1], [7]),
        ([4, 3, 5], [4, 5]),
        ([4, 3, 5], [0, 1, 2, 3]),
        ([3], [1]),
        ([2, 1], [0]),
    ],
    ids=[
        "a photo",
        "a lone photo",
        "a source",
        "a whole species",
        "of a single species",
        "of very few",
    ],
)
def test_leaving_out_equals_fitting_anew(counts: list[int], group: list[int]) -> None:
    """The closed form is the model of the other photos, to the last digits."""
    features, labels, expected = photos(counts)
    fitted = fit(features, labels, expected)

    found = fitted.held_out([np.asarray(group)])

    species, stranger = without(group, features, labels, expected, fitted)
    assert np.allclose(found.species[group], species, rtol=1e-9)
    assert np.allclose(found.stranger[group], stranger, rtol=1e-9)


def test_a_photo_is_nearest_to_its_own_species() -> None:
    """Species apart from each other are told apart, by photos the model has not seen."""
    features, labels, expected = photos([20, 20, 20])
    train = np.arange(60) % 2 == 0

    model = fit(features[train], labels[train], expected).discriminant()

    nearest = model.distances(features[~train]).species.argmin(axis=1)
    assert (nearest == labels[~train]).mean() > 0.9


def test_one_photo_is_enough() -> None:
    """From one photo a model is made: nearer to itself than what is expected of any photo."""
    features, labels, expected = photos([1])

    found = fit(features, labels, expected).discriminant().distances(features)

    assert found.species[0, 0] == pytest.approx(0.0, abs=1e-4)
    assert found.stranger[0] > 0.1


def test_several_pictures_count_as_one_photo() -> None:
    """The mean distance ranks the species as one photo of the mean features would."""
    features, labels, expected = photos([6, 6, 6])
    model = fit(features, labels, expected).discriminant()

    together = model.distances(features[:3]).mean()

    middle = unit(features[:3]).mean(axis=0)
    white = (middle @ model.whitener.T)[None] - model.means
    assert (together.species.argsort() == (white**2).sum(axis=1).argsort()).all()


@settings(max_examples=25)
@given(
    counts=st.lists(st.integers(1, 5), min_size=1, max_size=6),
    seed=st.integers(0, 2**32 - 1),
    scale=st.floats(1e-3, 1e3),
)
def test_any_herbarium_has_finite_distances(counts: list[int], seed: int, scale: float) -> None:
    """However few photos there are, and however alike, distances are numbers from 0 up."""
    features, labels, expected = photos(counts, seed)
    features = features * np.float32(scale)
    features[: counts[0]] = features[0]

    found = fit(features, labels, expected).discriminant().distances(features)

    assert np.isfinite(found.species).all()
    assert (found.species >= 0).all()
    assert np.isfinite(found.stranger).all()
