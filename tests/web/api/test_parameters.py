"""Fields and queries: what is read is what was meant, and all else is refused with its field."""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plantid_core.web.api import parameters
from plantid_core.web.api.once import KEY
from plantid_core.web.api.parameters import Unfit

if TYPE_CHECKING:
    from collections.abc import Callable

NUMBERS = st.floats(-180, 180, allow_nan=False)
MOMENTS = st.datetimes(timezones=st.timezones()).filter(
    lambda one: (one.utcoffset() or dt.timedelta()).seconds % 60 == 0
)


@given(NUMBERS)
def test_a_number_is_read_back(value: float) -> None:
    """As Python and JSON write it."""
    assert parameters.number("lon", repr(value), -180, 180) == value


@given(st.text())
def test_any_text_is_a_number_within_its_bounds_or_refused(text: str) -> None:
    """Never NaN, never infinite, and no digits but those of ASCII."""
    try:
        value = parameters.number("lat", text, -90, 90)
    except Unfit as unfit:
        assert unfit.field == "lat"
    else:
        assert math.isfinite(value)
        assert -90 <= value <= 90
        assert text.isascii()


@pytest.mark.parametrize(
    "text", ["nan", "inf", "1_0", "٣", "0x1", "", "1e999", "--1", "1,5", "1 2"]
)
def test_what_python_would_take_for_a_number(text: str) -> None:
    """Or what a person might, is refused."""
    with pytest.raises(Unfit):
        parameters.number("lat", text, -90, 90)


@given(MOMENTS)
def test_a_moment_is_read_back(moment: dt.datetime) -> None:
    """With its zone, to the microsecond."""
    # In UTC: where clocks are set back, two zones' times are never called equal (PEP 495).
    assert parameters.moment("since", moment.isoformat()).astimezone(dt.UTC) == moment.astimezone(
        dt.UTC
    )


@given(st.dates())
def test_a_day_is_its_beginning_in_utc(day: dt.date) -> None:
    """Where a moment is wanted; as a day, it is itself."""
    assert parameters.day("date", day.isoformat()) == day
    start = parameters.moment("since", day.isoformat())
    assert (start.date(), start.utcoffset()) == (day, dt.timedelta())


@pytest.mark.parametrize("reading", [parameters.day, parameters.moment])
@given(text=st.text(max_size=30))
def test_any_other_text_is_refused(
    reading: Callable[[str, str], dt.date | dt.datetime], text: str
) -> None:
    """And what was sent is told, shortened."""
    try:
        reading("date", text)
    except Unfit as unfit:
        assert unfit.value == text
    else:
        assert text.isascii()
        assert text[4:5] == "-"


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=255))
def test_a_key_in_quotation_marks_is_its_content(text: str) -> None:
    """Without quotation marks and backslashes, which RFC 8941 would have escaped."""
    match = KEY.fullmatch(f'"{text}"')

    assert (match is None) is ('"' in text or "\\" in text)
    assert match is None or match[1] == text
