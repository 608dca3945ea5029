"""The bounded in-process cache."""

from __future__ import annotations

from plantid_core.resilience.near import Near


def test_a_value_expires_by_the_clock() -> None:
    """A value is there, with its age, until its time is over."""
    now = [0.0]
    near: Near[str] = Near(8, 10.0, clock=lambda: now[0])
    near.put("a", "value")

    now[0] = 9.0
    assert near.get("a") == (9.0, "value")
    now[0] = 10.0
    assert near.get("a") is None


def test_the_least_recently_used_value_leaves_first() -> None:
    """The bound holds, and what was just read stays."""
    near: Near[int] = Near(2, 10.0)
    near.put("a", 1)
    near.put("b", 2)

    near.get("a")
    near.put("c", 3)

    assert near.get("b") is None
    assert near.get("a") is not None
    assert near.get("c") is not None
