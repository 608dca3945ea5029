"""Every figure with its interval, and every pair of providers on the same photos.

Intervals are the 2.5 and 97.5 percentiles over resamples of the photos (Efron and Tibshirani 1993,
ch. 13.3). A resample is drawn once and serves all providers and all pairs, so that what is hard in it is
hard for all. Those in which a figure is undefined are passed over.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from plantid_core.compare.evaluate.column import columns
from plantid_core.compare.evaluate.metrics import METRICS, Statistic, difference, judged

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from plantid_core.compare.evaluate.column import Column, Floats
    from plantid_core.compare.evaluate.judgement import Judgement

RESAMPLES: Final = 2_000

_TAILS = (0.025, 0.975)
# Resamples are drawn in blocks of so many weights, some 32 MB.
_BLOCK = 4_000_000


@dataclass(frozen=True, slots=True)
class Figure:
    """A value over ``n`` photos with its 95 % interval; None where there is nothing to count."""

    value: float | None
    low: float | None
    high: float | None
    n: int

    def to_dict(self) -> dict[str, object]:
        """Return the JSON form."""
        return {"value": self.value, "low": self.low, "high": self.high, "n": self.n}


@dataclass(frozen=True, slots=True)
class McNemar:
    """Photos that only ``a`` had right first, only ``b``, and the exact two-sided p of such a split."""

    only_a: int
    only_b: int
    p: float


@dataclass(frozen=True, slots=True)
class Pair:
    """How much better ``a`` is than ``b`` (top1 of the one less the other's), on the same photos."""

    a: str
    b: str
    difference: Figure
    mcnemar: McNemar

    def to_dict(self) -> dict[str, object]:
        """Return the JSON form."""
        gain, split = self.difference, self.mcnemar
        return {
            "a": self.a,
            "b": self.b,
            "metric": "top1",
            "difference": gain.value,
            "low": gain.low,
            "high": gain.high,
            "n": gain.n,
            "mcnemar": {"only_a": split.only_a, "only_b": split.only_b, "p": split.p},
        }


@dataclass(frozen=True, slots=True)
class Measured:
    """Every provider's figures by metric, and every pair's difference; ``n`` photos, so many resamples."""

    n: int
    providers: Mapping[str, Mapping[str, Figure]]
    pairs: tuple[Pair, ...]
    resamples: int


def measure(judgements: Sequence[Judgement], seed: int, resamples: int = RESAMPLES) -> Measured:
    """Return all figures; the same judgements, in any order, and seed give the same figures."""
    by_provider = columns(sorted(judgements, key=lambda one: one.photo.file))
    photos = len({judgement.photo.file for judgement in judgements})
    names = list(dict.fromkeys(judgement.provider for judgement in judgements))
    wanted: dict[tuple[str, str], Statistic] = {
        (name, metric): make(by_provider[name])
        for name in names
        for metric, make in METRICS.items()
    }
    duels = list(itertools.combinations(names, 2))
    wanted |= {duel: difference(by_provider[duel[0]], by_provider[duel[1]]) for duel in duels}
    found = figures(wanted, photos, seed, resamples)
    return Measured(
        photos,
        {name: {metric: found[name, metric] for metric in METRICS} for name in names},
        tuple(Pair(a, b, found[a, b], split(by_provider[a], by_provider[b])) for a, b in duels),
        resamples,
    )


def figures(
    wanted: Mapping[tuple[str, str], Statistic], photos: int, seed: int, resamples: int
) -> dict[tuple[str, str], Figure]:
    """Return each statistic with its interval, all from the same resamples."""
    whole = np.ones((1, photos))
    drawn: dict[tuple[str, str], list[Floats]] = {name: [] for name in wanted}
    for weights in resampled(photos, resamples, seed):
        for name, statistic in wanted.items():
            drawn[name].append(statistic.of(weights))
    return {
        name: _figure(
            statistic, float(statistic.of(whole)[0]), np.concatenate(drawn[name] or [whole[0]])
        )
        for name, statistic in wanted.items()
    }


def _figure(statistic: Statistic, value: float, drawn: Floats) -> Figure:
    if statistic.n == 0 or math.isnan(value):
        return Figure(None, None, None, statistic.n)
    known = drawn[~np.isnan(drawn)]
    if statistic.n == 1 or not len(known):  # one photo, drawn again and again, tells no spread
        return Figure(value, None, None, statistic.n)
    low, high = np.quantile(known, _TAILS)
    return Figure(value, float(low), float(high), statistic.n)


def resampled(photos: int, resamples: int, seed: int) -> Iterator[Floats]:
    """Yield blocks of weights: how often each photo is in each resample of as many, with replacement."""
    rng = np.random.default_rng(seed)
    block = max(1, _BLOCK // max(1, photos))
    for begin in range(0, resamples if photos else 0, block):
        many = min(block, resamples - begin)
        places = rng.integers(0, photos, (many, photos)) + np.arange(many)[:, None] * photos
        counts = np.bincount(places.ravel(), minlength=many * photos)
        yield counts.reshape(many, photos).astype(np.float64)


def split(one: Column, other: Column) -> McNemar:
    """Return McNemar's exact test on the photos on which both are judged; p is 1 where none differs.

    It is the binomial test on the photos that only one has right (scipy).
    """
    over = judged(one) & judged(other)
    right, others = one.rank[over] <= 1, other.rank[over] <= 1
    return mcnemar(int((right & ~others).sum()), int((others & ~right).sum()))


def mcnemar(only_a: int, only_b: int) -> McNemar:
    """Return the test of a split of the photos that only one of two has right."""
    from scipy.stats import binomtest

    differ = only_a + only_b
    return McNemar(only_a, only_b, float(binomtest(only_a, differ).pvalue) if differ else 1.0)
