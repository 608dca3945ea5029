"""From distances to scores: how sure a name is, and whether the plant is one of the herbarium's at all.

Both are fitted on photos that were held out: the temperature of the softmax over the species (C. Guo et
al., "On calibration of modern neural networks", ICML 2017) on photos left out one at a time, and the
chance that the plant is a known one by logistic regression (J. Platt, "Probabilistic outputs for support
vector machines", 1999) on those against photos whose whole species was left out, a known plant and a
stranger being thought equally likely. Neither leaves far the values that held for other herbaria until
enough photos speak for it. What is not known stays unknown: scores sum to less than 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from plantid_core.providers.herbarium.discriminant import Distances

    Floats = NDArray[np.float64]

NAMED_FROM = 0.5
"""The chance of a known plant from which on names are given."""

# Fitted to herbaria of 1 to 40 kinds with 1 to 20 photos each, drawn from 3,676 supermarket photos
# (GroceryStoreDataset, MIT), against other kinds and photos of packages.
_WEIGHTS = (1.93, -0.72, 1.03)
_TEMPERATURE = 0.154
# How hard those pull: as much as some photos that say the same.
_PULL, _TEMPERATURE_PULL = 2.0, 4.0
_FAR = 1e6


@dataclass(frozen=True, slots=True)
class Calibration:
    """``weights`` of 1, the least distance, and how much farther the stranger is.

    ``ceiling`` is the most that may be claimed: after n photos that were all of known plants, the next
    one is by Laplace's rule of succession with (n + 1) / (n + 2).
    """

    temperature: float = _TEMPERATURE
    weights: tuple[float, float, float] = _WEIGHTS
    ceiling: float = 1.0

    def known(self, distances: Distances) -> Floats:
        """Return the chance that each photo shows a plant of the herbarium, (m,)."""
        evidence = _clues(distances) @ np.asarray(self.weights)
        # Through tanh, which overflows on neither side.
        chance = (1 + np.tanh(evidence / 2)) / 2
        known: Floats = np.minimum(chance, self.ceiling)
        return known

    def scores(self, distances: Distances) -> Floats:
        """Return the chance of each species, (m, K); the rest of a row's 1 is unknown."""
        shares: Floats = np.exp(_log_shares(distances.species, self.temperature))
        return self.known(distances)[:, None] * shares


def fit(
    kept: Distances, labels: NDArray[np.intp], strangers: Distances | None, photos: int
) -> Calibration:
    """Return the calibration of a herbarium of so many photos.

    ``kept`` are distances of photos held out from their own species, ``labels`` which that is,
    ``strangers`` those of photos whose species was held out with them (None where there is only one).
    Without photos of either sort the usual values stand.
    """
    from scipy.optimize import minimize, minimize_scalar

    ceiling = (photos + 1) / (photos + 2)
    if not len(labels) or strangers is None:
        return Calibration(ceiling=ceiling)
    clues = np.concatenate([_clues(kept), _clues(strangers)])
    sign = np.repeat([1.0, -1.0], [len(labels), len(strangers.stranger)])
    # Either sort counts as much as the smaller one has photos.
    least = min(len(labels), len(strangers.stranger))
    weight = np.where(sign > 0, least / len(labels), least / len(strangers.stranger))
    usual = np.asarray(_WEIGHTS)

    def unlikely(weights: Floats) -> float:
        wrong = np.logaddexp(0.0, -sign * (clues @ weights))
        return float((weight * wrong).sum() + _PULL / 2 * ((weights - usual) ** 2).sum())

    def surprising(log_temperature: float) -> float:
        shares = _log_shares(kept.species, np.exp(log_temperature))
        said = shares[np.arange(len(labels)), labels].sum()
        return float(_TEMPERATURE_PULL / 2 * (log_temperature - usual_log) ** 2 - said)

    usual_log = float(np.log(_TEMPERATURE))
    found = minimize(unlikely, usual, method="BFGS").x
    log_temperature = minimize_scalar(
        surprising, bounds=(usual_log - 4, usual_log + 4), method="bounded"
    ).x
    weights = (float(found[0]), float(found[1]), float(found[2]))
    return Calibration(float(np.exp(log_temperature)), weights, ceiling)


def _clues(distances: Distances) -> Floats:
    nearest = distances.species.min(axis=1)
    return np.stack([np.ones_like(nearest), nearest, distances.stranger - nearest], axis=1)


def _log_shares(species: Floats, temperature: float) -> Floats:
    evidence = -np.minimum(species, _FAR) / temperature
    evidence = evidence - evidence.max(axis=1, keepdims=True)
    shares: Floats = evidence - np.log(np.exp(evidence).sum(axis=1, keepdims=True))
    return shares
