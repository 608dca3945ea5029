"""Checks and reports: what holds, what fails, and what programs are told."""

from __future__ import annotations

import threading

import pytest

from plantid_core.drill.checks import Checks
from plantid_core.drill.report import Entry, Timeline


@pytest.fixture
def heard() -> list[Entry]:
    """Return where the entries told are collected."""
    return []


@pytest.fixture
def checks(heard: list[Entry]) -> Checks:
    return Checks(Timeline(heard.append))


def test_figures_within_their_bars_pass(checks: Checks) -> None:
    """At the bar is within it."""
    checks.at_most("slowest_ms", 500.0, 500)
    checks.at_least("offered", 2000, 2000)
    checks.equal("answered", 10, 10)

    report = checks.report("drill")

    assert report.passed
    assert report.failures() == []
    assert report.figures == {"slowest_ms": 500.0, "offered": 2000, "answered": 10}


@pytest.mark.parametrize("check", ["at_most", "at_least", "equal"])
def test_one_check_that_fails_fails_the_drill(checks: Checks, check: str) -> None:
    """Its figure and its bar are told, and those that held beside it do not save it."""
    checks.at_most("good", 1, 2)
    getattr(checks, check)("bad", 1, {"at_most": 0, "at_least": 2, "equal": 2}[check])

    report = checks.report("drill")

    assert not report.passed
    assert report.figures["bad"] == 1
    assert len(report.failures()) == 1
    assert "bad 1, to be" in report.failures()[0]


def test_a_drill_without_checks_has_not_passed(checks: Checks) -> None:
    """Figures alone prove nothing."""
    checks.figure("calls", 3)

    assert not checks.report("drill").passed


def test_a_drill_that_broke_off_has_not_passed(checks: Checks) -> None:
    """However many checks had held before."""
    checks.equal("answered", 1, 1)
    checks.broke_off("the clients ended")

    report = checks.report("drill")

    assert not report.passed
    assert report.failures() == ["broke off: the clients ended"]


def test_report_has_the_fields_of_its_contract(checks: Checks) -> None:
    """The JSON that programs read."""
    checks.equal("calls", 2, 1)

    found = checks.report("stampede").to_dict()

    assert set(found) == {"drill", "passed", "figures", "timeline"}
    assert (found["drill"], found["passed"], found["figures"]) == ("stampede", False, {"calls": 2})
    (entry,) = found["timeline"]  # type: ignore[misc]
    assert set(entry) == {"t_s", "who", "event", "detail"}


def test_every_moment_is_told_at_once_and_in_order(heard: list[Entry]) -> None:
    """Also where many threads note at a time."""
    timeline = Timeline(heard.append)
    threads = [
        threading.Thread(target=timeline.note, args=(f"thread {n}", "noted")) for n in range(50)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    entries = timeline.entries()

    assert sorted(entry.who for entry in heard) == sorted(entry.who for entry in entries)
    assert len(entries) == 50
    assert [entry.t_s for entry in entries] == sorted(entry.t_s for entry in entries)
