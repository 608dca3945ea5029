"""Which rung an outcome stands on, and what is said of it."""

from __future__ import annotations

import datetime as dt
import re

import pytest

from plantid_core.ladder import nobody, rung, stand_in
from plantid_core.plants import Answer, Consensus, Outcome

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
            {"plant_id": SILENT, "plantnet": SILENT, "offline": LOCAL},
            "offline",
            "Plant.id and Pl@ntNet did not answer: only the offline model did.",
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

    told = re.search(r"after (\d\d):(\d\d)\.$", verdict)
    assert told is not None
    again = asked + dt.timedelta(seconds=wait_s)
    told_s = int(told[1]) * 3600 + int(told[2]) * 60
    again_s = again.hour * 3600 + again.minute * 60 + again.second
    assert (told_s - again_s) % 86_400 <= 61
