"""What the charts of scores draw: bins of a reliability diagram, points of a risk–coverage curve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from plantid_core.compare.evaluate.metrics import BINS, bin_of, claimed, judged

if TYPE_CHECKING:
    from plantid_core.compare.evaluate.column import Column


@dataclass(frozen=True, slots=True)
class Bin:
    """The first names with a score above ``low`` and up to ``high``: ``n``, their mean score, share right."""

    low: float
    high: float
    n: int
    score: float
    right: float


@dataclass(frozen=True, slots=True)
class Risk:
    """With only names of ``threshold`` and more believed: the share of plants named, of those wrong."""

    threshold: float
    coverage: float
    risk: float


def reliability(column: Column) -> tuple[Bin, ...]:
    """Return the bins in which there is something, lowest scores first (Guo et al. 2017, fig. 1)."""
    over = claimed(column)
    scores, right = column.score[over], column.rank[over] <= 1
    bins = bin_of(scores)
    return tuple(
        Bin(
            number / BINS,
            (number + 1) / BINS,
            int((bins == number).sum()),
            float(scores[bins == number].mean()),
            float(right[bins == number].mean()),
        )
        for number in np.unique(bins).tolist()
    )


def risk_coverage(column: Column) -> tuple[Risk, ...]:
    """Return a point a distinct score, the highest first (Geifman and El-Yaniv 2017, eq. 1 and 2).

    Coverage is of the species-labelled photos with an answer, so that the curve of a service that keeps
    silent ends early.
    """
    over, of = claimed(column), int(judged(column).sum())
    scores, wrong = column.score[over], column.rank[over] > 1
    points = []
    for threshold in np.unique(scores)[::-1].tolist():
        believed = scores >= threshold
        points.append(Risk(threshold, float(believed.sum()) / of, float(wrong[believed].mean())))
    return tuple(points)
