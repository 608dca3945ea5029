"""Shrunk linear discriminant analysis over the image model's features: no training loop.

A species is the mean of its photos' features, each of unit length; a photo's distance to it is
Mahalanobis' in the pooled covariance within species, which is shrunk towards a multiple of the identity
(R. A. Fisher, "The use of multiple measurements in taxonomic problems", Annals of Eugenics 7, 1936;
O. Ledoit and M. Wolf, "A well-conditioned estimator for large-dimensional covariance matrices", J.
Multivariate Analysis 88, 2004). All species are thought equally likely: how many photos somebody took
of one says nothing of how common it is.

What a photo of something else looks like is the *stranger*: the mean of the species and of the
features that the network expects of any photo; the distance to it is what the distance to a species is
held against (J. Ren et al., "A simple fix to Mahalanobis distance for improving near-OOD detection",
arXiv:2106.09022, 2021).

Distances are divided by the number of features: a photo's to its own species is 1 where the covariance
is known, and more where it is estimated from few.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Whole = NDArray[np.intp]

# How far photos of one kind lie from their mean: the squared length, of unit features. Measured on 3,676
# supermarket photos of 51 kinds of fruit and vegetables (GroceryStoreDataset, MIT).
_SPREAD = 0.34
# So many degrees of freedom is that figure trusted for, beside those of the herbarium's own photos.
_TRUSTED = 5.0
# The length of the mean of many photos' unit features, on the same photos.
_MEAN_LENGTH = 0.6


@dataclass(frozen=True, slots=True, eq=False)
class Distances:
    """Squared distances of m photos: (m, K) to each species, (m,) to the stranger.

    A species that is left without any photo is infinitely far.
    """

    species: Floats
    stranger: Floats

    def __getitem__(self, rows: Whole | NDArray[np.bool_]) -> Distances:
        return Distances(self.species[rows], self.stranger[rows])

    def mean(self) -> Distances:
        """Return those of several pictures of one plant together, as of one photo.

        The mean squared distance ranks as the distance of their mean features does, and claims no more
        certainty than one photo gives.
        """
        species, stranger = self.species.mean(axis=0), self.stranger.mean(axis=0)
        return Distances(species[None], np.atleast_1d(stranger))


@dataclass(frozen=True, slots=True, eq=False)
class Discriminant:
    """``whitener`` (d, d) makes the covariance the identity; ``means`` (K, d) and ``stranger`` (d,)."""

    whitener: NDArray[np.float32]
    means: NDArray[np.float32]
    stranger: NDArray[np.float32]

    def distances(self, features: NDArray[np.floating]) -> Distances:
        """Return the distances of photos by their features, (m, d) as the model gives them."""
        white = (unit(features).astype(np.float32) @ self.whitener.T).astype(np.float64)
        return Distances(
            squared(white, self.means.astype(np.float64)),
            squared(white, self.stranger.astype(np.float64)[None])[:, 0],
        )


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A discriminant and the photos it was made from, whitened (n, d); ``labels`` (n,) from 0.

    ``weight`` is the share of one photo's own deviation in the covariance; ``shrinkage`` 0…1.
    """

    whitener: Floats
    rows: Floats
    labels: Whole
    means: Floats
    expected: Floats
    weight: float
    shrinkage: float

    def discriminant(self) -> Discriminant:
        """Return what answers, in single precision."""
        stranger = (self.means.sum(axis=0) + self.expected) / (len(self.means) + 1)
        return Discriminant(
            self.whitener.astype(np.float32),
            self.means.astype(np.float32),
            stranger.astype(np.float32),
        )

    def held_out(self, groups: Sequence[Whole]) -> Distances:
        """Return each photo's distances in a herbarium that lacks its group.

        ``groups`` part the rows, and the photos of a group are of one species. Means and covariance are
        those of the other photos, exactly, by Woodbury's identity; only how strongly the covariance is
        shrunk, and to what, is left as it was.
        """
        species = np.empty((len(self.rows), len(self.means)))
        stranger = np.empty(len(self.rows))
        along = self.rows @ self.means.T
        among = self.means @ self.means.T
        plain = squared(self.rows, self.means)
        counts = np.bincount(self.labels, minlength=len(self.means))
        total = self.means.sum(axis=0) + self.expected
        for group in groups:
            own, size = int(self.labels[group[0]]), len(group)
            left = int(counts[own]) - size
            photos = self.rows[group]
            away = self._sheared(photos - self.means[own], left)
            inner = _root(np.eye(len(away)) - away @ away.T)
            across = self._sheared(along[group] - among[own], left)
            nearer = squared(_solved(inner, away @ photos.T).T, _solved(inner, across).T)
            species[group] = plain[group] + nearer
            rest, others = total - self.means[own], len(self.means)
            if left:
                mean = (counts[own] * self.means[own] - photos.sum(axis=0)) / left
                rest, others = rest + mean, others + 1
                species[group, own] = _corrected(photos, mean, away, inner)
            else:
                species[group, own] = np.inf
            stranger[group] = _corrected(photos, rest / others, away, inner)
        return Distances(species, stranger)

    def _sheared(self, deviations: Floats, left: int) -> Floats:
        """Return the rows by which the covariance shrinks when these photos leave ``left`` others."""
        rows = [deviations]
        if left:
            rows.append(deviations.sum(axis=0, keepdims=True) / np.sqrt(left))
        sheared: Floats = np.concatenate(rows) * np.sqrt(self.weight)
        return sheared


def fit(features: NDArray[np.floating], labels: Whole, expected: NDArray[np.floating]) -> Fitted:
    """Return the discriminant of n photos by their features (n, d).

    ``labels`` count from 0 without a gap, ``expected`` (d,) are the features of any photo. Works from
    one photo on.
    """
    rows = unit(features)
    count, size = rows.shape
    means = _means(rows, labels)
    deviations = rows - means[labels]
    free = count - len(means)
    scatter = float((deviations**2).sum())
    shrinkage = _shrinkage(deviations) if free and scatter else 1.0
    target = (scatter + _TRUSTED * _SPREAD) / (free + _TRUSTED) / size
    weight = (1 - shrinkage) / max(1, free)
    whitener = _whitener(deviations, weight, shrinkage * target) / np.sqrt(size)
    direction = unit(expected[None])[0] * _MEAN_LENGTH
    return Fitted(
        whitener=whitener,
        rows=rows @ whitener.T,
        labels=labels,
        means=means @ whitener.T,
        expected=direction @ whitener.T,
        weight=weight * size,
        shrinkage=shrinkage,
    )


def unit(features: NDArray[np.floating]) -> Floats:
    """Return the rows at length 1; one of nothing but zeros stays so."""
    rows = features.astype(np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    result: Floats = rows / np.where(lengths > 0, lengths, 1.0)
    return result


def squared(rows: Floats, others: Floats) -> Floats:
    """Return the squared Euclidean distances, (m, K); none is below 0."""
    lengths = (rows**2).sum(axis=1)[:, None] + (others**2).sum(axis=1)[None]
    result: Floats = np.maximum(0.0, lengths - 2 * rows @ others.T)
    return result


def _corrected(photos: Floats, mean: Floats, away: Floats, inner: Floats) -> Floats:
    difference = photos - mean
    more = _solved(inner, away @ difference.T)
    total: Floats = (difference**2).sum(axis=1) + (more**2).sum(axis=0)
    return total


def _whitener(deviations: Floats, weight: float, ridge: float) -> Floats:
    """Return a matrix that makes ``weight`` DᵀD + ``ridge`` I the identity, for deviations D (n, d)."""
    count, size = deviations.shape
    if count > size // 4:
        covariance = weight * (deviations.T @ deviations) + ridge * np.eye(size)
        return _solved(_root(covariance), np.eye(size))
    # Few photos span few directions: in all others the covariance is the ridge alone.
    _, widths, axes = np.linalg.svd(deviations, full_matrices=False)
    flatter = 1 - np.sqrt(ridge / (ridge + weight * widths**2))
    whitener: Floats = (np.eye(size) - (axes.T * flatter) @ axes) / np.sqrt(ridge)
    return whitener


def _root(covariance: Floats) -> Floats:
    return np.linalg.cholesky(covariance).astype(np.float64, copy=False)


def _solved(root: Floats, side: Floats) -> Floats:
    from scipy.linalg import solve_triangular

    return np.asarray(solve_triangular(root, side, lower=True), np.float64)


def _means(rows: Floats, labels: Whole) -> Floats:
    count = int(labels.max()) + 1
    sums = np.zeros((count, rows.shape[1]))
    np.add.at(sums, labels, rows)
    means: Floats = sums / np.bincount(labels, minlength=count)[:, None]
    return means


def _shrinkage(deviations: Floats) -> float:
    from sklearn.covariance import ledoit_wolf_shrinkage

    # None at all would leave directions in which no two photos differ without any width.
    return max(0.01, float(ledoit_wolf_shrinkage(deviations, assume_centered=True)))
