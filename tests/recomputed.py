"""Every figure of an evaluation once more, in plain loops over the table of answers."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Row = dict[str, str]

SAID = {"ok", "no_match", "not_a_plant", "abstained"}


def by_photo(rows: Iterable[Row], provider: str) -> dict[str, list[Row]]:
    """Return a provider's rows by photo, in the order of its ranks."""
    photos: dict[str, list[Row]] = {}
    for row in rows:
        if row["provider"] == provider:
            photos.setdefault(row["file"], []).append(row)
    return {
        file: sorted(own, key=lambda row: int(row["rank"] or 1)) for file, own in photos.items()
    }


def rank_of_truth(own: Sequence[Row]) -> float:
    for row in own:
        if row["species"] and row["species"] == row["truth_species"]:
            return float(row["rank"])
    return math.inf


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def recomputed(rows: Sequence[Row], provider: str) -> dict[str, float | None]:
    """Return each metric but those of money and time."""
    photos = list(by_photo(rows, provider).values())
    answered = [own for own in photos if own[0]["status"] in SAID]
    species = [own for own in answered if own[0]["level"] == "species"]
    genus = [own for own in answered if own[0]["truth_genus"]]
    family = [own for own in answered if own[0]["truth_family"]]
    plants = [own for own in answered if own[0]["level"] != "not_a_plant"]
    others = [own for own in answered if own[0]["level"] == "not_a_plant"]
    claims = [own for own in species if own[0]["scientific_name"]]
    ranks = [rank_of_truth(own) for own in species]
    first = [(float(own[0]["score"]), rank_of_truth(own) == 1) for own in claims]
    return {
        "top1": _mean([rank <= 1 for rank in ranks]),
        "top3": _mean([rank <= 3 for rank in ranks]),
        "top5": _mean([rank <= 5 for rank in ranks]),
        "mrr": _mean([1 / rank for rank in ranks]),
        "macro_top1": _macro(species),
        "genus_top1": _mean([_same(own, "genus") for own in genus]),
        "family_top1": _mean([_same(own, "family") or _same(own, "genus") for own in family]),
        "ece": _calibration_error(first),
        "brier": _mean([(score - right) ** 2 for score, right in first]),
        "aurc": _risk_area(first),
        "rejection": _mean([_rejected(own) for own in others]),
        "false_rejection": _mean([_rejected(own) for own in plants]),
        "coverage": _mean([own[0]["scientific_name"] != "" for own in plants]),
        "answered": _mean([own[0]["status"] in SAID for own in photos]),
    }


def spent(rows: Sequence[Row], provider: str) -> float | None:
    answered = [own[0] for own in by_photo(rows, provider).values() if own[0]["status"] in SAID]
    local = provider in {"offline", "herbarium"}
    return _mean([row["source"] == "upstream" and not local for row in answered])


def waited(rows: Sequence[Row], provider: str) -> float | None:
    fresh = [
        float(own[0]["elapsed_ms"])
        for own in by_photo(rows, provider).values()
        if own[0]["status"] in SAID and own[0]["source"] in {"upstream", "local"}
    ]
    return statistics.median(fresh) if fresh else None


def _same(own: Sequence[Row], level: str) -> bool:
    return own[0][level] != "" and own[0][level] == own[0][f"truth_{level}"]


def _rejected(own: Sequence[Row]) -> bool:
    row = own[0]
    if row["provider"] == "consensus":
        return row["status"] == "not_a_plant"
    return row["scientific_name"] == ""


def _macro(species: Sequence[Sequence[Row]]) -> float | None:
    shares: dict[str, list[bool]] = {}
    for own in species:
        shares.setdefault(own[0]["truth_species"], []).append(rank_of_truth(own) == 1)
    return _mean([sum(rights) / len(rights) for rights in shares.values()])


def _calibration_error(first: Sequence[tuple[float, bool]]) -> float | None:
    if not first:
        return None
    gap = 0.0
    for number in range(10):
        low, high = number / 10, (number + 1) / 10
        own = [one for one in first if low < one[0] <= high or (one[0] == low == 0)]
        gap += abs(sum(right for _, right in own) - sum(score for score, _ in own))
    return gap / len(first)


def _risk_area(first: Sequence[tuple[float, bool]]) -> float | None:
    """Return the mean risk over all numbers of believed names; equal scores in their mean order."""
    risks: list[float] = []
    believed, wrong = 0, 0.0
    for score in sorted({score for score, _ in first}, reverse=True):
        tied = [right for own, right in first if own == score]
        share = sum(not right for right in tied) / len(tied)
        for _ in tied:
            believed, wrong = believed + 1, wrong + share
            risks.append(wrong / believed)
    return _mean(risks)


def split(rows: Sequence[Row], a: str, b: str) -> Mapping[str, float | None]:
    """Return the difference of right first names, and who alone was right, with the exact p."""
    ours, theirs = by_photo(rows, a), by_photo(rows, b)
    both = [
        (rank_of_truth(ours[file]) == 1, rank_of_truth(theirs[file]) == 1)
        for file in ours
        if file in theirs
        and ours[file][0]["level"] == "species"
        and ours[file][0]["status"] in SAID
        and theirs[file][0]["status"] in SAID
    ]
    only_a = sum(one and not other for one, other in both)
    only_b = sum(other and not one for one, other in both)
    differ = only_a + only_b
    tail = sum(math.comb(differ, k) for k in range(min(only_a, only_b) + 1)) / 2**differ
    return {
        "difference": _mean([one - other for one, other in both]),
        "only_a": only_a,
        "only_b": only_b,
        "p": min(1.0, 2 * tail) if differ else 1.0,
    }
