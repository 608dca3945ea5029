"""Which rung an outcome stands on, and what is said of it."""

from __future__ import annotations

import datetime as dt
import re

import pytest

from plantid_core.ladder import nobody, rung, stand_in
from plantid_core.plants import Answer, Consensus, Outcome, earliest_retry_s

OK, STALE = ("ok", "upstream"), ("ok", "stale")
SILENT, LOCAL = ("unavailable", "upstream"), ("ok", "local")
UNSURE = ("no_match", "redis")


def outcome(**told: tuple[str, str]) -> Outcome:
    answers = tuple(
        Answer(name, status, source, False, 1.0, age_s=720.0)  # type: ignore[arg-type]  # noqa: FBT003
        for name, (status, source) in told.items()
    )
    return Outcome("id", (), answers, Consensus(), rung(answers), (), ())


@pytest.mark.parametrize(
    ("told", "step", "sentence"),
    [
        ({"plant_id": OK, "plantnet": UNSURE, "offline": LOCAL}, "fresh", ""),
        (
            {"plant_id": OK, "plantnet": STALE, "offline": LOCAL},
            "stale",
            "Pl@ntNet did not answer: an earlier answer stands in (stale, 12 min old).",
        ),
        (
            {"plant_id": SILENT, "plantnet": OK, "offline": LOCAL},
            "other",
            "Plant.id did not answer: Pl@ntNet and the offline model stand in.",
        ),
        (
            {"plant_id": SILENT, "plantnet": OK},
            "other",
            "Plant.id did not answer: Pl@ntNet stands in.",
        ),
        (
            {"plant_id": SILENT, "plantnet": STALE, "offline": LOCAL},
            "other",
            (
                "Plant.id did not answer: Pl@ntNet and the offline model stand in."
                " What Pl@ntNet said is an earlier answer (stale, 12 min old)."
            ),
        ),
        (
            {"plant_id": SILENT, "plantnet": SILENT, "offline": LOCAL},
            "offline",
            "Plant.id and Pl@ntNet did not answer: only the offline model did.",
        ),
        (
            {"plant_id": SILENT, "plantnet": SILENT, "offline": LOCAL, "herbarium": UNSURE},
            "offline",
            (
                "Plant.id and Pl@ntNet did not answer: only the offline model and the local herbarium"
                " did."
            ),
        ),
        ({"offline": LOCAL}, "offline", ""),
        ({"plant_id": SILENT, "plantnet": SILENT}, "none", ""),
    ],
)
def test_each_rung_has_its_sentence(
    told: dict[str, tuple[str, str]], step: str, sentence: str
) -> None:
    """Who was silent and who stands in is said in one sentence; nothing is said of nothing."""
    shown = outcome(**told)

    assert (shown.rung, stand_in(shown)) == (step, sentence)


@pytest.mark.parametrize("wait_s", [0.5, 60, 4000])
def test_the_time_to_try_again_is_not_too_early(wait_s: float) -> None:
    """The minute that is told has the wait behind it, and is the first that has."""
    asked = dt.datetime.now().astimezone()

    verdict = nobody(wait_s).abstained or ""

    told = re.search(r"after (?:tomorrow )?(\d\d):(\d\d)\.$", verdict)
    assert told is not None
    again = asked + dt.timedelta(seconds=wait_s)
    told_s = int(told[1]) * 3600 + int(told[2]) * 60
    again_s = again.hour * 3600 + again.minute * 60 + again.second
    assert (told_s - again_s) % 86_400 <= 61


def test_another_day_is_named() -> None:
    """An hour of tomorrow says so, and a later one its date."""
    now = dt.datetime.now().astimezone()
    almost_noon_s = (
        dt.datetime.combine(now.date(), dt.time(11, 59, 30)) - now.replace(tzinfo=None)
    ).total_seconds()

    assert "after tomorrow 12:00." in (nobody(almost_noon_s + 86_400).abstained or "")
    later = (now + dt.timedelta(days=3)).date()
    assert f"after {later} 12:00." in (nobody(almost_noon_s + 3 * 86_400).abstained or "")


def failed(provider: str, status: str, wait_s: float | None) -> Answer:
    error = {"code": "c", "message": "m", "retry_after_s": wait_s}
    return Answer(provider, status, "upstream", False, 1.0, error=error)  # type: ignore[arg-type]  # noqa: FBT003


@pytest.mark.parametrize(
    ("answers", "wait_s"),
    [
        ([failed("plant_id", "quota", 28_800), failed("plantnet", "unavailable", None)], 60),
        ([failed("plant_id", "quota", 28_800), failed("plantnet", "rejected", None)], 28_800),
        ([failed("plant_id", "quota", 900), failed("offline", "unavailable", None)], 900),
        ([failed("plant_id", "quota", 900), failed("plantnet", "unavailable", 5)], 5),
        ([failed("plant_id", "quota", 0)], 1),
        ([failed("plant_id", "rejected", None)], 60),
        ([], 60),
    ],
)
def test_the_earliest_that_may_answer_is_told(answers: list[Answer], wait_s: float) -> None:
    """A service that named no time counts as a minute; one that will refuse again does not count."""
    assert earliest_retry_s(answers) == wait_s
