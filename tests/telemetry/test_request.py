"""The id of a request."""

from __future__ import annotations

import threading

from hypothesis import given
from hypothesis import strategies as st

from plantid_core.telemetry import Trace, request


def test_bound_work_knows_its_request_and_forgets_it_after() -> None:
    """Within the block there is an id, outside there is none."""
    with request.bound("abcd-1234"):
        within = request.current()

    assert within == "abcd-1234"
    assert not request.current()


def test_a_trace_carries_the_id_into_another_thread() -> None:
    """A thread that was started for something else learns the id from the trace."""
    told: list[str] = []
    with request.bound("abcd-1234"):
        trace = Trace()

    def work() -> None:
        with request.bound(trace.request_id):
            told.append(request.current())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

    assert told == ["abcd-1234"]


def test_a_trace_of_nobodys_request_begins_one() -> None:
    """Two traces outside of any request are two requests."""
    assert Trace().request_id != Trace().request_id


def test_an_id_of_ours_is_fit() -> None:
    """What one process made, the next one takes."""
    assert request.is_fit(request.new())


@given(st.text(max_size=80))
def test_only_short_plain_words_are_fit_to_stand_in_a_log(text: str) -> None:
    """No space, line break, quotation mark or foreign letter gets through."""
    plain = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")

    if request.is_fit(text):
        assert set(text) <= plain
        assert 8 <= len(text) <= 64
