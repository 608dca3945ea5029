"""What this process can answer at once is what the long way would have answered."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from plantid_core.plants import Place
from plantid_core.upload import Upload
from plantid_core.workbench import sample_photo

if TYPE_CHECKING:
    from conftest import SandboxServer

    from plantid_core import Workbench
    from plantid_core.plants import Answer


def told(answer: Answer) -> Answer:
    """Return what stays of an answer, however it came and however long that took."""
    return replace(answer, source="near", elapsed_ms=0.0, age_s=0.0)


def test_the_second_time_the_same_is_answered_at_hand(workbench: Workbench) -> None:
    """Names, verdict and rung are the same, nothing is spent, and each request has its own id."""
    photo = sample_photo()
    assert workbench.at_hand([photo]) is None
    first = workbench.answer([photo])
    spent, saved = (workbench.credits.of("plant_id")[what] for what in ("spent", "saved"))

    second = workbench.at_hand([photo])

    assert second is not None
    assert list(map(told, second.outcome.answers)) == list(map(told, first.outcome.answers))
    assert {one.source for one in second.outcome.answers} == {"near", "local"}
    assert second.outcome.consensus == first.outcome.consensus
    assert (second.outcome.rung, second.outcome.photos) == ("fresh", first.outcome.photos)
    assert second.outcome.id != first.outcome.id
    assert (first.paid, second.paid) == (True, False)
    assert second.cache_keys == first.cache_keys
    assert [stage.stage for stage in second.outcome.trace] == [
        "validate", *(one.provider for one in first.outcome.answers), "consensus",
    ]  # fmt: skip
    assert workbench.credits.of("plant_id") == {"spent": spent, "saved": saved + 1}


def test_anything_else_than_was_asked_is_not_at_hand(workbench: Workbench) -> None:
    """Another name for the file is nothing else; another photo, organ, place or language is."""
    photo = sample_photo()
    workbench.answer([photo])

    assert workbench.at_hand([replace(photo, filename="else.jpeg")]) is not None
    assert workbench.at_hand([sample_photo("china.jpg")]) is None
    assert workbench.at_hand([photo], organs=["leaf"]) is None
    assert workbench.at_hand([photo], place=Place(50.0, 14.4)) is None
    assert workbench.at_hand([photo], language="fr") is None


@pytest.mark.parametrize("count", [0, 2, 6])
def test_what_would_be_refused_is_left_to_be_refused(workbench: Workbench, count: int) -> None:
    """No photo, an organ too few, too many photos, a file that is none."""
    photo = sample_photo()
    workbench.answer([photo])

    assert workbench.at_hand([photo] * count, organs=["leaf"]) is None
    assert workbench.at_hand([Upload(b"no photo", "a.jpg")]) is None
    assert workbench.at_hand([replace(photo, filename="a.exe")]) is None


def test_where_one_answer_is_gone_nothing_is_counted(
    workbench: Workbench, sandbox: SandboxServer
) -> None:
    """The long way will count it; of it, only that one is asked for anew."""
    photo = sample_photo()
    keys = workbench.answer([photo]).cache_keys
    workbench.cache.forget([keys["plantnet"]])
    before = dict(workbench.cache.events()), workbench.credits.totals()

    assert workbench.at_hand([photo]) is None

    assert (dict(workbench.cache.events()), workbench.credits.totals()) == before
    asked = workbench.answer([photo]).outcome.answers
    assert {one.provider: one.source for one in asked}["plantnet"] == "upstream"
    assert sandbox.calls("plant_id", "POST /api/v3/identification") == {"201": 1}


def test_what_is_kept_soon_is_found(workbench: Workbench) -> None:
    """One that was paid for is waited for; one from memory is found by whoever looks."""
    photo = sample_photo()
    first = workbench.answer([photo])
    durable = workbench.keep_soon(first, "ann")
    assert durable is not None
    durable.result(10)
    second = workbench.at_hand([photo])
    assert second is not None

    assert workbench.keep_soon(second, "ann") is None

    for one in (first, second):
        kept = workbench.collection.get("ann", one.outcome.id)
        assert (kept.answers, kept.consensus) == (one.outcome.answers, one.outcome.consensus)
    assert workbench.readiness()["history"] == {"queued": 0, "failed": 0}
