"""What errors say of a service."""

from __future__ import annotations

import datetime as dt
from email.utils import format_datetime

import pytest
import requests

from plantid_core import errors
from plantid_core.resilience.outcome import FAILURE, IGNORED, Judgement, by_meaning

DAY_S = 86_400.0


def http(status: int, retry_after: str | None = None) -> requests.HTTPError:
    response = requests.Response()
    response.status_code = status
    if retry_after is not None:
        response.headers["Retry-After"] = retry_after
    return requests.HTTPError(response=response)


def in_seconds(seconds: float) -> str:
    return format_datetime(dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("error", "meant"),
    [
        (http(400), IGNORED),
        (http(401), IGNORED),
        (http(403), IGNORED),
        (http(404), IGNORED),
        (http(422), IGNORED),
        (http(400, "30"), IGNORED),
        (http(408), FAILURE),
        (http(429), FAILURE),
        (http(500), FAILURE),
        (http(502), FAILURE),
        (http(503), FAILURE),
        (http(504), FAILURE),
        (http(429, "7"), Judgement(fails=True, open_for_s=7)),
        (http(503, "7"), Judgement(fails=True, open_for_s=7)),
        (http(500, "7"), FAILURE),
        (http(408, "7"), FAILURE),
        (http(429, " 7 "), Judgement(fails=True, open_for_s=7)),
        (http(429, "0"), FAILURE),
        (http(429, "soon"), FAILURE),
        (http(429, "-5"), FAILURE),
        (http(429, "1.5"), FAILURE),
        (http(429, ""), FAILURE),
        (http(429, "٣"), FAILURE),
        (http(429, "99999999999"), Judgement(fails=True, open_for_s=DAY_S)),
        (http(429, "9" * 400), Judgement(fails=True, open_for_s=DAY_S)),
        (http(429, in_seconds(-60)), FAILURE),
        (http(429, in_seconds(10 * DAY_S)), Judgement(fails=True, open_for_s=DAY_S)),
        (http(429, "Fri, 31 Dec 9999 23:59:59 GMT"), Judgement(fails=True, open_for_s=DAY_S)),
        (requests.ConnectionError("refused"), FAILURE),
        (requests.Timeout("too long"), FAILURE),
        (requests.HTTPError("no response at all"), FAILURE),
        (TimeoutError(), FAILURE),
        (ValueError("unreadable"), FAILURE),
        (KeyboardInterrupt(), IGNORED),
        (SystemExit(1), IGNORED),
        (GeneratorExit(), IGNORED),
        (errors.LeaseLost(), IGNORED),
        (errors.ProviderRejected("plant_id", "bad_key", "no"), IGNORED),
        (errors.ProviderUnavailable("plant_id", "down", "no"), FAILURE),
        (errors.ProviderQuotaExceeded("plant_id", "quota", "no"), FAILURE),
        (
            errors.ProviderQuotaExceeded("plant_id", "quota", "no", retry_after_s=12.5),
            Judgement(fails=True, open_for_s=12.5),
        ),
        (
            errors.ProviderUnavailable("plant_id", "busy", "no", retry_after_s=10 * DAY_S),
            Judgement(fails=True, open_for_s=DAY_S),
        ),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_an_error_is_judged_by_its_meaning(error: BaseException, meant: Judgement) -> None:
    """By status, and by what the error itself tells: a failure, for how long, or nothing."""
    assert by_meaning(error, 0.1) == meant


@pytest.mark.parametrize(
    "date",
    [
        "Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
        "Mon, 01 Jan 2026 00:00:00 -999999999999999",
        "Mon, 01 Jan 2026 00:00:00 +9999999999",
        "Mon, 32 Foo 2026 00:00:00 GMT",
    ],
)
def test_a_date_that_no_calendar_has_is_no_date(date: str) -> None:
    """A service's nonsense in a header is a failure like any other."""
    assert by_meaning(http(429, date), 0.1) == FAILURE


def test_a_date_is_the_seconds_until_then() -> None:
    """Retry-After may be a date (RFC 9110, 10.2.3)."""
    found = by_meaning(http(503, in_seconds(100)), 0.1)

    assert found.fails
    assert found.open_for_s is not None
    assert 95 < found.open_for_s <= 100


def test_another_librarys_response_is_read_too() -> None:
    """Whatever hangs a response with a status on its errors is understood, as httpx does."""
    import httpx

    request = httpx.Request("GET", "http://service")
    response = httpx.Response(429, headers={"retry-after": "9"}, request=request)
    error = httpx.HTTPStatusError("slow down", request=request, response=response)

    assert by_meaning(error, 0.1) == Judgement(fails=True, open_for_s=9)
