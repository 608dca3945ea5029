"""The lease protocol under schedules of faults; and that the simulator would see it fail."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plantid_core.lab.early_refresh import simulate
from plantid_core.lab.schedules import exhaustive, random_schedules


def test_ten_thousand_random_schedules_hold() -> None:
    """No two leaders, no late commit, no lost wake-up, no fence that goes back; faults did happen."""
    found = random_schedules(10_000, seed=20_151)

    assert found.violations == []
    assert found.late_commits > 0
    assert found.takeovers > 0
    assert found.returned > 20_000


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_hundred_thousand_random_schedules_hold() -> None:
    """The same, ten times as many, of another seed."""
    assert random_schedules(100_000, seed=8).violations == []


@given(st.integers(0, 2**32))
@settings(max_examples=100)
def test_any_seed_holds(seed: int) -> None:
    """Schedules of any seed hold."""
    assert random_schedules(3, seed).violations == []


def test_a_schedule_is_repeated_by_its_seed() -> None:
    """The same seed does the same, so that a violation can be looked at."""
    assert random_schedules(20, seed=5) == random_schedules(20, seed=5)


@pytest.mark.parametrize(
    ("broken", "told"),
    [("no fence", "late commit accepted"), ("publish before set", "had been returned")],
)
def test_a_broken_protocol_is_caught(broken: str, told: str) -> None:
    """A commit without a fence, and a broadcast before its value is stored, do not pass."""
    found = random_schedules(2_000, 1, broken)  # type: ignore[arg-type]

    assert any(told in violation for violation in found.violations)


def test_every_interleaving_of_two_processes_holds() -> None:
    """All states of the small model: every process that lives gets a value in the end."""
    found = exhaustive(2)

    assert found.violations == []
    assert found.returned > 100


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_interleaving_of_three_processes_holds() -> None:
    """The same with three processes."""
    found = exhaustive(3)

    assert found.violations == []
    assert found.returned > 1_000


@pytest.mark.parametrize("broken", ["no fence", "publish before set"])
def test_the_walk_catches_a_broken_protocol(broken: str) -> None:
    """Exhaustion finds what is broken, with the choices that lead there."""
    found = exhaustive(3, broken)  # type: ignore[arg-type]

    assert "late commit accepted" in found.violations[0]


def test_early_refresh_happens_exactly_once_an_expiry() -> None:
    """One recomputation an expiry and nobody waits, where XFetch alone makes about e of them."""
    found = simulate(expiries=1000)

    assert found["lease_recomputes"] == 1.0
    assert found["lease_waited"] == 0
    assert found["xfetch_recomputes"] == pytest.approx(2.718, rel=0.05)
