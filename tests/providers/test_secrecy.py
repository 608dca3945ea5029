"""Keys that a service echoes, that no request can carry, or that a library would log."""

from __future__ import annotations

import json
import logging
import traceback
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

import pytest
from loopback import serving, told

from plantid_core.deadline import Deadline
from plantid_core.errors import ProviderError, ProviderUnavailable
from plantid_core.plants import Observation, Picture
from plantid_core.providers.plant_id import PlantId
from plantid_core.providers.plantnet import PlantNet
from plantid_core.providers.secrecy import Redactor

if TYPE_CHECKING:
    from collections.abc import Callable

ODD_KEY = "sec+ret/45 6=&x"
OBSERVATION = Observation((Picture(b"jpeg", "0" * 64),))

AnyService = type[PlantId | PlantNet]


def refusal(provider: AnyService, key: str, body: bytes, status: str, kind: str) -> ProviderError:
    """Return the error that this answer becomes."""
    with (
        serving(told(body, status=status, kind=kind)) as service,
        closing(provider(service.url, key)) as client,
        pytest.raises(ProviderError) as caught,
    ):
        client.identify(OBSERVATION, Deadline.after(5))
    return caught.value


def in_json(text: str) -> bytes:
    return json.dumps({"message": text}).encode()


@pytest.mark.parametrize("provider", [PlantId, PlantNet])
@pytest.mark.parametrize("status", ["400 X", "401 X", "429 X"])
@pytest.mark.parametrize("made", [str.encode, in_json])
@pytest.mark.parametrize(
    "form",
    [str, quote, quote_plus, lambda key: quote(key, safe=""), lambda key: quote_plus(key).lower()],
    ids=["plain", "quote", "quote_plus", "quote all", "lower case"],
)
def test_no_form_of_the_key_is_quoted(
    provider: AnyService,
    status: str,
    made: Callable[[str], bytes],
    form: Callable[[str], str],
) -> None:
    """A service that echoes the request's address says the key as the address has it."""
    shown = form(ODD_KEY)
    error = refusal(provider, ODD_KEY, made(f"no: {shown}, sorry"), status, "application/json")

    assert "no: [key], sorry" in str(error)


@pytest.mark.parametrize("provider", [PlantId, PlantNet])
@pytest.mark.parametrize("made", [str.encode, in_json])
def test_no_beginning_of_the_key_is_quoted(
    provider: AnyService, made: Callable[[str], bytes]
) -> None:
    """Where a long text is cut within the key, the key has been taken out before."""
    error = refusal(provider, "planted-secret", made("y" * 280 + "planted-secret" * 9), "400 X", "")

    assert "y" * 280 in str(error)
    assert "p" not in str(error).partition("y")[2]


@pytest.mark.parametrize("end", ["&lang=en", " HTTP/1.1", '"', "'", ""])
def test_whatever_an_address_has_for_a_key_is_hidden(end: str) -> None:
    """Also another key than ours, or one in a form that nobody thought of."""
    assert Redactor("")(f"/v2?api-key=%73ecret{end}") == f"/v2?api-key=[key]{end}"


@pytest.mark.parametrize("key", ["planted-€", "planted-key\n", "planted\r\nX: y"])
def test_a_key_that_no_header_can_carry_is_an_error_of_ours(key: str) -> None:
    """Nothing is sent, and nothing that the error is chained to holds the key."""
    with (
        serving(told(b"{}")) as service,
        closing(PlantId(service.url, key)) as client,
        pytest.raises(ProviderUnavailable) as caught,
    ):
        client.identify(OBSERVATION, Deadline.after(5))

    assert caught.value.code == "request"
    assert caught.value.__context__ is None
    assert "planted" not in "".join(traceback.format_exception(caught.value))
    assert not any(b"POST" in request for request in service.requests)


def test_an_address_that_is_none_is_an_error_of_ours() -> None:
    """The service is not blamed for it in words that send people looking there."""
    with (
        closing(PlantNet("http://h:99999", "planted")) as client,
        pytest.raises(ProviderUnavailable) as caught,
    ):
        client.identify(OBSERVATION, Deadline.after(5))

    assert caught.value.code == "request"


def test_no_warning_of_broken_headers_shows_the_key(caplog: pytest.LogCaptureFixture) -> None:
    """The library below tells the whole address of an answer whose headers it cannot parse."""
    caplog.set_level(logging.DEBUG)
    answer = told(b'{"results": []}', "this is no header")
    with serving(answer) as service, closing(PlantNet(service.url, "planted-secret")) as client:
        client.identify(OBSERVATION, Deadline.after(5))

    assert "Failed to parse headers" in caplog.text
    assert "planted-secret" not in caplog.text
