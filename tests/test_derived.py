"""What is made of an object once."""

from __future__ import annotations

import pytest

from plantid_core.derived import Derived


def test_the_same_object_is_made_from_once_and_an_equal_one_anew() -> None:
    """It goes by what it is, not by what it looks like."""
    seen: list[tuple[int, ...]] = []

    def total(numbers: tuple[int, ...]) -> int:
        seen.append(numbers)
        return sum(numbers)

    derived = Derived(total)
    one, equal = tuple(range(3)), tuple(range(3))

    assert [derived(one), derived(one), derived(equal)] == [3, 3, 3]
    assert len(seen) == 2


def test_the_oldest_goes_first() -> None:
    """There are never more than its size; an address that is used again is no match."""
    derived = Derived(len, size=3)

    for length in range(100):
        assert derived("x" * length + "y") == length + 1

    assert len(derived) == 3


def test_what_cannot_be_made_is_not_kept() -> None:
    """It is tried again."""
    derived = Derived(int)

    for _ in range(2):
        with pytest.raises(ValueError, match="invalid literal"):
            derived("x")

    assert len(derived) == 0
