"""Figures as people read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from plantid_core.palette import duration

if TYPE_CHECKING:
    from plantid_core.compare.evaluate.measure import Figure

TITLES: Final = {
    "top1": "Right first",
    "top3": "Among three",
    "top5": "Among five",
    "mrr": "Mean of 1 / rank",
    "macro_top1": "First, a species each",
    "genus_top1": "Genus right",
    "family_top1": "Family right",
    "ece": "Calibration error",
    "brier": "Brier score",
    "aurc": "Risk over coverage",
    "rejection": "Non-plants rejected",
    "false_rejection": "Plants rejected",
    "coverage": "Plants named",
    "answered": "Answered",
    "credits_per_photo": "Credits a photo",
    "latency_ms": "Latency",
}
MEANINGS: Final = {
    "top1": "share of photos whose species is named first",
    "top3": "share with it among the first three names",
    "top5": "share with it among the first five",
    "mrr": "1 when it is named first, a half when second, 0 when not at all",
    "macro_top1": "each species counts the same, however many photos it has",
    "genus_top1": "the first name is of the right genus",
    "family_top1": "the first name is of the right family",
    "ece": "how far scores are from the share that is right; 0 is best",
    "brier": "squared distance of score and truth; 0 is best",
    "aurc": "share wrong, averaged from the surest names to all; 0 is best",
    "rejection": "share of photos of no plant that got no name",
    "false_rejection": "share of plants taken for none, or for none it knows",
    "coverage": "share of plants that got any name",
    "answered": "share of photos with an answer, be it none",
    "credits_per_photo": "spent in this evaluation; kept answers cost none",
    "latency_ms": "median of answers that were not kept ones",
}

_SHARES = frozenset(TITLES) - {"mrr", "ece", "brier", "aurc", "credits_per_photo", "latency_ms"}


def told(metric: str, figure: Figure) -> str:
    """Return the value with its interval: "71 % [64–77]"; a dash where there is nothing to count."""
    if figure.value is None:
        return "–"
    value = _value(metric, figure.value)
    if figure.low is None or figure.high is None:
        return value
    low, high = (_value(metric, bound) for bound in (figure.low, figure.high))
    _, blank, unit = value.rpartition(" ")
    ending = f"{blank}{unit}"
    if blank and low.endswith(ending) and high.endswith(ending):
        low, high = low.removesuffix(ending), high.removesuffix(ending)
    return f"{value} [{low}–{high}]"


def share(value: float | None) -> str:
    """Return a share as a whole per cent; a dash where there is none."""
    return "–" if value is None else f"{value * 100:.0f} %"


def points(difference: float) -> str:
    """Return a difference of shares in points, with its sign: "+3", "-2", "0"."""
    whole = f"{difference * 100:+.0f}"
    return "0" if whole in {"+0", "-0"} else whole


def _value(metric: str, value: float) -> str:
    if metric in _SHARES:
        return share(value)
    return duration(value) if metric == "latency_ms" else f"{value:.2f}"
