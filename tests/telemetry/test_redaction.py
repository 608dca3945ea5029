"""Nothing that is, or looks like, a secret passes."""

from __future__ import annotations

import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plantid_core.telemetry import redaction
from plantid_core.telemetry.redaction import HIDDEN, Redaction

PIECES = [
    *(
        "Authorization",
        "api-key",
        "API_KEY",
        "apikey",
        "password",
        "passwd",
        "passw",
        "secret",
        "token",
    ),
    *(
        "access_token",
        "Cookie",
        "Bearer ",
        "basic ",
        "eyJ",
        "plantid_",
        "://",
        "@",
        ".",
        "_key",
        "d",
    ),
    *(":", "=", " ", '"', "'", "\\", "[hidden]", "0123456789abcdef", "word", "\n"),
]
WORDS = st.text(min_size=6, max_size=40).filter(lambda word: word not in HIDDEN)


@given(st.text(max_size=60), WORDS, st.text(max_size=60))
def test_a_known_secret_never_passes(before: str, secret: str, after: str) -> None:
    """Wherever it stands, and however it is written."""
    hiding = Redaction([secret])

    for form in (secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1]):
        clean = hiding.text(f"{before}{form}{after}")

        assert secret not in clean.replace(HIDDEN, "")


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_no_shape_is_passed_over(text: str) -> None:
    """To look first whether one may be there at all changes nothing but the time it takes."""
    whole = text
    for _, shape, instead in redaction.SHAPES:
        whole = shape.sub(instead, whole)

    assert Redaction().text(text) == whole


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("Authorization: Bearer abc.def-ghi", "abc.def-ghi"),
        ("authorization: Basic dXNlcjpwdw==", "dXNlcjpwdw=="),
        ('{"Authorization": "Bearer abcdefgh"}', "abcdefgh"),
        (r'{"headers": "{\"api_key\": \"k3y-of-theirs\"}"}', "k3y-of-theirs"),
        ("{'Api-Key': 'k3y-of-theirs'}", "k3y-of-theirs"),
        ("GET /v2/identify/all?api-key=k3y-of-theirs&lang=en", "k3y-of-theirs"),
        ("Cookie: a=first; _streamlit_user=second", "second"),
        ("Set-Cookie: session=first; HttpOnly", "first"),
        ("password=hunter22 is wrong", "hunter22"),
        ("client_secret: abcdef1234", "abcdef1234"),
        ("redis://worker:s3same@10.0.0.1:6379/0", "s3same"),
        ("postgresql+psycopg://app:p%40ss@db/plants", "p%40ss"),
        ("a token plantid_0123456789abcdefXYZ was shown", "0123456789abcdef"),
        ("id eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "eyJzdWIiOiIxIn0"),
        ("somebody.else+x@example.org signed in", "somebody.else"),
    ],
)
def test_what_looks_like_a_secret_does_not_pass(text: str, secret: str) -> None:
    """Nobody told of these: their shape does."""
    clean = Redaction().text(text)

    assert secret not in clean
    assert "[" in clean


@pytest.mark.parametrize(
    "text",
    [
        "breaker_state name=plant_id was=closed now=open",
        "GET /api/v1/identifications 200",
        "Traceback (most recent call last): File page.py, line 3",
        "redis://localhost:6379/0 does not answer",
        "took 12.5 ms, key 0123456789abcdef",
    ],
)
def test_what_is_no_secret_passes(text: str) -> None:
    """A log that hides everything tells nothing."""
    assert Redaction(["s3cret-word"]).text(text) == text


def test_a_field_named_like_a_secret_has_no_value() -> None:
    """Its name stays, so that somebody finds out who logged it."""
    event = {"event": "called", "authorization": "x", "plant_id_api_key": "y", "key": "digest"}

    assert Redaction().event(event) == {
        "event": "called",
        "authorization": HIDDEN,
        "plant_id_api_key": HIDDEN,
        "key": "digest",
    }
