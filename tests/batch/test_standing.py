"""How a provider that does not answer is treated: left alone, asked again, given up."""

from __future__ import annotations

from plantid_core.batch.standing import Standings
from plantid_core.plants import Answer, AnswerError

NAME = "plant_id"


def failure(code: str, retry_after_s: float | None = None) -> Answer:
    error: AnswerError = {"code": code, "message": code, "retry_after_s": retry_after_s}
    return Answer(NAME, "unavailable", source="upstream", sandbox=True, elapsed_ms=1.0, error=error)


def heard() -> Answer:
    return Answer(NAME, "no_match", source="upstream", sandbox=True, elapsed_ms=1.0)


def test_four_turns_without_an_answer_are_enough() -> None:
    """The pause doubles before that; one answer begins the count anew."""
    standings, now, rests = Standings.of([NAME]), 0.0, []
    for answer in (failure("timeout"), heard(), *[failure("timeout")] * 4):
        assert standings.askable([NAME], now) == (NAME,)
        standings.take([answer], now)
        rests.append(standings.rest_s([NAME], now))
        now += rests[-1] or 0.0

    assert rests == [1.0, 0.0, 1.0, 2.0, 4.0, None]
    assert standings.askable([NAME], now + 3600) == ()


def test_a_named_pause_is_kept_and_one_beyond_patience_is_not_waited_for() -> None:
    """Until then nobody asks; what stays without an answer is for the next run."""
    standings = Standings.of([NAME], patience_s=60.0)

    standings.take([failure("status_503", 20.0)], 0.0)
    assert standings.askable([NAME], 19.0) == ()
    assert standings.askable([NAME], 20.0) == (NAME,)

    standings.take([failure("status_503", 50.0)], 20.0)
    assert standings.rest_s([NAME], 20.0) is None


def test_a_refused_key_is_not_tried_again() -> None:
    """No other photo would fare better."""
    standings = Standings.of([NAME])

    standings.take([failure("key")], 0.0)

    assert standings.askable([NAME], 1.0) == ()


def test_what_the_service_said_outlives_our_own_refusals() -> None:
    """That its breaker is open says less than why it opened; a full queue says nothing of it."""
    standings = Standings.of([NAME])

    standings.take([failure("timeout"), failure("breaker_open", 5.0)], 0.0)
    standings.take([failure("bulkhead_full", 90.0)], 0.0)

    last = standings.each[NAME].last
    assert last is not None
    assert last.error is not None
    assert last.error["code"] == "timeout"
    assert standings.askable([NAME], 5.0) == (NAME,)
