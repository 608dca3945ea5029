"""Every error has a status, a code and a sentence that tells nobody what is not theirs to know."""

from __future__ import annotations

import pytest

from plantid_core import errors
from plantid_core.telemetry import request
from plantid_core.web.problems import MEDIA_TYPE, answer_to, problem

SECRET = "/srv/plantid/history.sqlite of ann@example.org"  # noqa: S105 - what must not be told


@pytest.mark.parametrize(
    ("error", "status", "code", "header"),
    [
        (errors.SignInRequired("identify.ask"), 401, "sign_in_required", 'Bearer realm="plantid"'),
        (errors.TokenRefused("expired"), 401, "invalid_token", 'error="invalid_token"'),
        (errors.PermissionDenied("tokens.create"), 403, "permission_denied", None),
        (
            errors.PermissionDenied("history.list", scope="history:read"),
            403,
            "permission_denied",
            'error="insufficient_scope", scope="history:read"',
        ),
    ],
)
def test_who_may_not_is_challenged_where_a_token_would_help(
    error: errors.PlantIDError, status: int, code: str, header: str | None
) -> None:
    """RFC 6750, section 3: how to come in, or what the token lacks; nothing where none would do."""
    response = answer_to(error)

    challenge = response.headers.get("www-authenticate")
    assert response.status_code == status
    assert f'"code":"{code}"'.encode() in response.body
    assert challenge is None if header is None else header in (challenge or "")


@pytest.mark.parametrize(
    ("error", "status", "after"),
    [
        (errors.Throttled("60 per 1 minute", 12.2), 429, "13"),
        (errors.Throttled("60 per 1 minute", 0.01), 429, "1"),
        (errors.HistoryUnavailable("locked", SECRET), 503, "5"),
        (errors.StorageFailed("full", "The disk that keeps photos is full."), 503, "5"),
        (errors.BulkheadFull("plantnet", 8, 32), 503, "1"),
        (errors.UploadRejected("busy", "Try again.", layer="decode", transient=True), 503, "1"),
    ],
)
def test_who_may_come_again_is_told_when(
    error: errors.PlantIDError, status: int, after: str
) -> None:
    """Whole seconds, at least one."""
    response = answer_to(error)

    assert (response.status_code, response.headers["retry-after"]) == (status, after)


@pytest.mark.parametrize(
    "error",
    [
        errors.HistoryUnavailable("damaged", SECRET),
        errors.InputUnreadable(SECRET, "it is gone"),
        errors.ConfigurationError([SECRET]),
        errors.RemoteError("OSError", SECRET, {}),
    ],
)
def test_what_is_inside_stays_inside(error: errors.PlantIDError) -> None:
    """Paths, settings and other processes' errors are for the log."""
    assert b"plantid/history" not in answer_to(error).body
    assert b"example.org" not in answer_to(error).body


def test_what_nobody_foresaw_is_a_failure() -> None:
    """An error that is in no table says nothing of itself."""
    response = answer_to(errors.InputUnreadable(SECRET, "it is gone"))

    assert response.status_code == 500
    assert b'"code":"internal"' in response.body


def test_a_problem_names_its_request() -> None:
    """The id under which the log tells more; none where there is no request."""
    with request.bound("a-request-of-ours"):
        within = problem(404, "It is not here.")

    assert within.headers["content-type"] == MEDIA_TYPE
    assert b'"instance":"a-request-of-ours"' in within.body
    assert b"instance" not in problem(404, "It is not here.").body
