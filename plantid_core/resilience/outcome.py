"""What an error says of the service: a failure, or nothing; and how long it asks to be left alone.

Success and "no such plant" are results, not errors. An error that the caller is to blame for (4xx)
speaks neither for the service nor against it; 408, 429, 5xx, timeouts, lost connections and answers
that cannot be read speak against it. 429 and 503 may name a time in Retry-After (RFC 9110, 10.2.3).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from pybreaker import CircuitBreakerError

from plantid_core import errors
from plantid_core.deadline import retry_after_s

_LONGEST_WAIT_S = 86_400.0
_AGAINST = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}
_MAY_NAME_A_TIME = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether an error counts as a failure, and the seconds the service asked to be left alone."""

    fails: bool
    open_for_s: float | None = None


IGNORED = Judgement(fails=False)
FAILURE = Judgement(fails=True)


def by_meaning(error: BaseException, took_s: float) -> Judgement:
    """Return what an error of ours, of requests or of httpx says of the service.

    ``took_s`` is how long the call took: a caller's own deadline is left to whoever knows what time
    is fair. An error that tells no status counts as a failure, unless it is no `Exception`
    (an interrupt) or says that the work was no longer wanted.
    """
    del took_s
    if not isinstance(error, Exception):
        return IGNORED
    match error:
        case errors.ProviderRejected() | errors.LeaseLost() | errors.UploadRejected():
            return IGNORED
        case CircuitBreakerError():
            return IGNORED  # some breaker has refused: the service was not asked
        case errors.ProviderError():
            return _failure(error.retry_after_s)
        case _:
            return _by_status(error)


def _failure(retry_after_s: float | None) -> Judgement:
    if not retry_after_s:
        return FAILURE
    return Judgement(fails=True, open_for_s=min(retry_after_s, _LONGEST_WAIT_S))


def _by_status(error: Exception) -> Judgement:
    # requests and httpx both hang the response on their errors; neither is imported for it.
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    if not isinstance(status, int):
        return FAILURE
    client_fault = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
    if client_fault and status not in _AGAINST:
        return IGNORED
    headers = getattr(response, "headers", None)
    named = headers.get("Retry-After") if isinstance(headers, Mapping) else None
    return _failure(retry_after_s(str(named)) if named and status in _MAY_NAME_A_TIME else None)
