"""Every figure of a provider, as a function of how often each photo counts.

Photos that a provider did not answer (unreachable, no credits left, refused) are left out of all but
``answered``. A plant for which it named nothing counts as not right.

========================  ==================================================================
top1, top3, top5          share of species-labelled photos with the right species there
mrr                       mean of 1 / its rank, 0 where it is not named
macro_top1                mean over species of their photos' top1
genus_top1, family_top1   first name of the right genus, family; labels of a genus count too
ece                       expected calibration error of the first name's score
brier                     mean squared difference of that score and whether it is right
aurc                      area under the risk–coverage curve by that score
rejection                 share of non-plants for which no plant was named
false_rejection           share of plants for which none was; a joint ranking's disagreement is none
coverage                  share of plants for which any plant was named
answered                  share of all photos with an answer
credits_per_photo         credits spent a photo; an answer from a cache spends none
latency_ms                median of the answers that did not come from a cache
========================  ==================================================================

ece, brier and aurc are over the species-labelled photos for which a plant was named. scikit-learn has
brier_score_loss, and top_k_accuracy_score for a closed list of classes, for one sample at a time; it has
no calibration error and no risk–coverage curve. Here one formula serves the figure and all resamples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from plantid_core.compare.evaluate.column import Column, Floats, Masks

# Resamples x photos → resamples: what the figure would be if each photo counted so often.
Of = Callable[["Floats"], "Floats"]

BINS: Final = 10


@dataclass(frozen=True, slots=True)
class Statistic:
    """A figure over ``n`` photos; ``of`` takes weights (resamples x photos), NaN where undefined."""

    n: int
    of: Of


def judged(column: Column) -> Masks:
    """Mask the photos on which species are compared: labelled with one, and answered."""
    return column.species & column.answered


def claimed(column: Column) -> Masks:
    """Mask those of them for which a plant was named."""
    return judged(column) & column.named


def top(column: Column, most: int) -> Statistic:
    """Return the share with the right species among the first ``most`` names."""
    return mean(judged(column), column.rank <= most)


def mean(over: Masks, values: Masks | Floats) -> Statistic:
    """Return the mean of the values where ``over`` is true."""
    kept = values[over].astype(np.float64)
    return Statistic(
        int(over.sum()), lambda weights: _ratio(weights[:, over] @ kept, weights[:, over])
    )


def difference(one: Column, other: Column) -> Statistic:
    """Return top1 of the one less the other's, on the photos on which both are judged."""
    gain = (one.rank <= 1).astype(np.float64) - (other.rank <= 1)
    return mean(judged(one) & judged(other), gain)


def _ratio(sums: Floats, counts: Floats | Masks) -> Floats:
    whole = counts.sum(axis=1)
    ratio: Floats = np.full(len(whole), np.nan)
    np.divide(sums, whole, out=ratio, where=whole > 0)
    return ratio


def macro(column: Column) -> Statistic:
    """Return the mean over species of top1; a species counts once, however many photos it has."""
    over = np.flatnonzero(judged(column))
    over = over[np.argsort(column.kind[over], kind="stable")]
    right = (column.rank[over] <= 1).astype(np.float64)
    starts = np.flatnonzero(np.diff(column.kind[over], prepend=-1))

    def of(weights: Floats) -> Floats:
        own = weights[:, over]
        photos = np.add.reduceat(own, starts, axis=1)
        shares = np.divide(
            np.add.reduceat(own * right, starts, axis=1), photos,
            out=np.zeros_like(photos), where=photos > 0,
        )  # fmt: skip
        return _ratio(shares.sum(axis=1), photos > 0)

    return Statistic(len(over), of if len(over) else _undefined)


def _undefined(weights: Floats) -> Floats:
    return np.full(len(weights), np.nan)


def bin_of(scores: Floats) -> NDArray[np.int64]:
    """Return each score's bin of ten equally wide ones, closed above; 0 is in the first.

    These are scikit-learn's (``calibration_curve(strategy="uniform")``), and Guo's.
    """
    edges = np.linspace(0, 1, BINS + 1)[1:-1]
    return np.asarray(np.searchsorted(edges, scores), np.int64)


def calibration_error(column: Column) -> Statistic:
    """Return the mean over bins of |share right - mean score|, weighted by their photos (Guo, eq. 3)."""
    over = claimed(column)
    scores, right = column.score[over], (column.rank[over] <= 1).astype(np.float64)
    gaps = np.zeros((len(scores), BINS))
    gaps[np.arange(len(scores)), bin_of(scores)] = right - scores

    def of(weights: Floats) -> Floats:
        own = weights[:, over]
        return _ratio(np.abs(own @ gaps).sum(axis=1), own)

    return Statistic(len(scores), of)


def brier(column: Column) -> Statistic:
    """Return the mean squared difference of the first name's score and its being right."""
    return mean(claimed(column), ((column.rank <= 1) - column.score) ** 2)


def risk_area(column: Column) -> Statistic:
    """Return the mean, over k, of the share wrong among the k photos with the highest scores.

    Equal scores have no order: each of their places has the mean over all orders. So photos that a
    resample has twice are no special case.
    """
    over = np.flatnonzero(claimed(column))
    over = over[np.argsort(-column.score[over], kind="stable")]
    wrong = (column.rank[over] > 1).astype(np.float64)
    starts = np.flatnonzero(np.diff(column.score[over], prepend=np.nan) != 0)

    def of(weights: Floats) -> Floats:
        own = weights[:, over]
        photos = np.add.reduceat(own, starts, axis=1)
        errors = np.add.reduceat(own * wrong, starts, axis=1)
        after, past = np.cumsum(photos, axis=1), np.cumsum(errors, axis=1) - errors
        share = np.divide(errors, photos, out=np.zeros_like(photos), where=photos > 0)
        before = after - photos
        # Σ over j = 1…T of (past + j·share) / (before + j), by harmonic numbers.
        parts = photos * share + (past - share * before) * (_harmonic(after) - _harmonic(before))
        return _ratio(parts.sum(axis=1), own)

    return Statistic(len(over), of if len(over) else _undefined)


def _harmonic(counts: Floats) -> Floats:
    """Return 1 + 1/2 + … + 1/k for each whole number k."""
    most = int(counts.max(initial=0))
    sums = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, most + 1))])
    return np.asarray(sums[counts.astype(np.int64)], np.float64)


def latency(column: Column) -> Statistic:
    """Return the median latency, in ms."""
    over = np.flatnonzero(~np.isnan(column.latency_ms))
    over = over[np.argsort(column.latency_ms[over], kind="stable")]
    values = column.latency_ms[over]

    def of(weights: Floats) -> Floats:
        reached = np.cumsum(weights[:, over], axis=1)
        photos = reached[:, -1:]
        low = np.argmax(reached > (photos - 1) // 2, axis=1)
        high = np.argmax(reached > photos // 2, axis=1)
        return np.where(photos[:, 0] > 0, (values[low] + values[high]) / 2, np.nan)

    return Statistic(len(over), of if len(over) else _undefined)


METRICS: Final[dict[str, Callable[[Column], Statistic]]] = {
    "top1": lambda column: top(column, 1),
    "top3": lambda column: top(column, 3),
    "top5": lambda column: top(column, 5),
    "mrr": lambda column: mean(judged(column), 1 / column.rank),
    "macro_top1": macro,
    "genus_top1": lambda column: mean(column.genus & column.answered, column.genus_right),
    "family_top1": lambda column: mean(column.family & column.answered, column.family_right),
    "ece": calibration_error,
    "brier": brier,
    "aurc": risk_area,
    "rejection": lambda column: mean(column.no_plant & column.answered, column.rejected),
    "false_rejection": lambda column: mean(_plants(column), column.rejected),
    "coverage": lambda column: mean(_plants(column), column.named),
    "answered": lambda column: mean(column.asked, column.answered),
    "credits_per_photo": lambda column: mean(column.answered, column.credits),
    "latency_ms": latency,
}


def _plants(column: Column) -> Masks:
    return column.asked & column.answered & ~column.no_plant
