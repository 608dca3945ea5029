"""How alike two rankings are."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plantid_core.compare.overlap import overlap_at, rank_biased_overlap

rankings = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=8, unique=True)
persistence = st.sampled_from([0.1, 0.5, 0.9, 0.98])


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        # 1/2 · (0/1 + 2/2 · 1/2 + 2/3 · 1/4), and 2/3 from there on.
        ("abc", "bad", Fraction(5, 12)),
        # Uneven: the overlap at 2 is 1 of 2, and stays so.
        ("a", "ba", Fraction(1, 4)),
        # Below the short list's end its own agreement, 1 of 2, is taken to go on.
        ("ab", "acbd", Fraction(79, 96)),
    ],
)
def test_figures_worked_out_by_hand(one: str, other: str, expected: Fraction) -> None:
    """At p = 1/2, by equation 32 on paper."""
    assert rank_biased_overlap(one, other, 0.5) == pytest.approx(float(expected))


@given(rankings, rankings, persistence)
def test_it_is_the_endless_sum_that_it_stands_for(
    one: list[str], other: list[str], p: float
) -> None:
    """The closed form equals (1 - p) Σ p^(d-1) · A_d, the agreement A_d going on where lists end."""
    short, long = sorted((one, other), key=len)

    def agreement(d: int) -> float:
        d = min(d, len(long))
        shared = len(set(short[:d]) & set(long[:d]))
        at_end = len(set(short) & set(long[: len(short)])) / len(short)
        return (shared + at_end * max(0, d - len(short))) / d

    endless = (1 - p) * sum(p ** (d - 1) * agreement(d) for d in range(1, 1500))

    assert rank_biased_overlap(one, other, p) == pytest.approx(endless, abs=1e-9)


@given(rankings, rankings, persistence)
def test_it_is_symmetric_and_a_share(one: list[str], other: list[str], p: float) -> None:
    """Neither ranking is the measure of the other."""
    found = rank_biased_overlap(one, other, p)

    assert found == rank_biased_overlap(other, one, p)
    assert found is not None
    assert -1e-12 <= found <= 1 + 1e-12


@given(rankings, persistence)
def test_itself_is_one_and_a_stranger_nothing(one: list[str], p: float) -> None:
    """Identical rankings agree wholly, disjoint ones not at all."""
    assert rank_biased_overlap(one, one, p) == pytest.approx(1.0)
    assert rank_biased_overlap(one, [name.upper() for name in one], p) == 0.0


def test_what_it_cannot_compare_is_said() -> None:
    """An empty list has no figure; a repeated name or a p of 1 is a mistake."""
    assert rank_biased_overlap([], ["a"]) is None
    with pytest.raises(ValueError, match="twice"):
        rank_biased_overlap(["a", "a"], ["b"])
    with pytest.raises(ValueError, match="between 0 and 1"):
        rank_biased_overlap(["a"], ["a"], 1.0)


@pytest.mark.parametrize(
    ("one", "other", "expected"), [("abc", "cba", 1.0), ("abcd", "aefb", 0.2), ("", "a", 0.0)]
)
def test_overlap_counts_the_first_names_in_any_order(one: str, other: str, expected: float) -> None:
    """Jaccard's index of the first three."""
    assert overlap_at(one, other, 3) == pytest.approx(expected)


def test_two_empty_lists_have_no_overlap_to_tell() -> None:
    """Nothing of nothing is no figure."""
    assert overlap_at([], [], 5) is None
