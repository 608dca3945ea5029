"""How alike two rankings are."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# The chance of reading on after each name. At 0.9 the first five carry about three quarters of the weight.
PERSISTENCE = 0.9


def overlap_at(one: Sequence[str], other: Sequence[str], depth: int) -> float | None:
    """Return Jaccard's index of the first ``depth`` names: shared by all, 0…1; None where both are empty."""
    ours, theirs = set(one[:depth]), set(other[:depth])
    return len(ours & theirs) / len(ours | theirs) if ours | theirs else None


def rank_biased_overlap(
    one: Sequence[str], other: Sequence[str], p: float = PERSISTENCE
) -> float | None:
    """Return how alike two rankings are, 0…1, the top weighing most; None where one of them is empty.

    W. Webber, A. Moffat and J. Zobel, "A similarity measure for indefinite rankings", ACM Transactions
    on Information Systems 28(4), 2010, equation 32: extrapolated, for lists of different lengths without
    ties. Raises ValueError unless 0 < p < 1 and no list names anything twice.
    """
    if not 0 < p < 1:
        raise ValueError(f"p must be between 0 and 1; it is {p:g}")
    short, long = sorted((one, other), key=len)
    if len(set(short)) < len(short) or len(set(long)) < len(long):
        raise ValueError("a ranking names something twice")
    if not short:
        return None
    s, l = len(short), len(long)  # noqa: E741 - the letters of the paper
    shared = [len(set(short[:d]) & set(long[:d])) for d in range(1, l + 1)]
    x_s, x_l = shared[s - 1], shared[l - 1]
    seen = sum(x / d * p**d for d, x in enumerate(shared, start=1))
    unseen = sum(x_s * (d - s) / (s * d) * p**d for d in range(s + 1, l + 1))
    return (1 - p) / p * (seen + unseen) + ((x_l - x_s) / l + x_s / s) * p**l
