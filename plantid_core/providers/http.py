"""One pooled HTTP session a service, with the rules every call to a paid service keeps.

Redirects are refused (a key must not follow one), bodies are capped, slow ones are cut by the
request's deadline, and the API key never reaches an error or a log: errors of the layers below are
not chained to ours, since their texts hold whole addresses.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeAlias, TypedDict, cast

import orjson
import requests
from urllib3.exceptions import HTTPError as TransportError
from urllib3.exceptions import IncompleteRead, NewConnectionError, ReadTimeoutError

from plantid_core.deadline import retry_after_s
from plantid_core.errors import ProviderUnavailable
from plantid_core.providers.cutoff import Session, cut_after
from plantid_core.providers.secrecy import Redactor, keep_keys_out_of_logs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Unpack

    from plantid_core.deadline import Deadline

_MAX_BODY_BYTES = 8 * 1024 * 1024
_CHUNK_BYTES = 64 * 1024
_LENGTH_DIGITS = 18
_POOL = 32
_SHOWN_CHARACTERS = 300
# A gateway's own answers: the service behind it has not begun to answer.
_GATEWAYS_OWN = {HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT}

FilePart: TypeAlias = tuple[str, tuple[str, bytes, str]]


class Body(TypedDict, total=False):
    """What is sent, in requests' own terms."""

    params: Mapping[str, str]
    headers: Mapping[str, str]
    data: bytes | list[tuple[str, str]]
    files: Sequence[FilePart]


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds allowed to connect, and between two reads."""

    connect_s: float = 3.0
    read_s: float = 20.0


@dataclass(frozen=True, slots=True)
class Response:
    """A whole answer: status, headers with lower-case names, at most 8 MiB of body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """Return the body as text; what is shown of it goes through `Channel.quoted`."""
        return self.body.decode("utf-8", errors="replace")

    @property
    def refuses(self) -> bool:
        """Tell whether the request is to blame (4xx), and not the service's own slowness (408)."""
        client_fault = HTTPStatus.BAD_REQUEST <= self.status < HTTPStatus.INTERNAL_SERVER_ERROR
        return client_fault and self.status != HTTPStatus.REQUEST_TIMEOUT

    @property
    def retry_after_s(self) -> float | None:
        """Return Retry-After in seconds (RFC 9110, 10.2.3), None where absent or unreadable."""
        return retry_after_s(self.headers.get("retry-after", ""))


class Channel:
    """The way to one service. ``secret`` is what must never be seen in an error of ours."""

    def __init__(
        self, provider: str, base_url: str, *, secret: str, timeouts: Timeouts, direct: bool
    ) -> None:
        """Prepare a pooled session; ``direct`` ignores proxies and netrc (for loopback)."""
        self._provider = provider
        self._base_url = base_url.rstrip("/")
        self._redacted = Redactor(secret)
        self._timeouts = timeouts
        self._session = Session(_POOL)
        self._session.trust_env = not direct
        keep_keys_out_of_logs()

    def close(self) -> None:
        """Close the pooled connections."""
        self._session.close()

    def send(self, method: str, path: str, deadline: Deadline, **body: Unpack[Body]) -> Response:
        """Return the service's answer; raises `ProviderUnavailable` where there is none.

        Raises `DeadlineExceeded` where the caller's own time has run out.
        """
        answer = self._exchange(method, path, deadline, body)
        if isinstance(answer, Response):
            return answer
        # Where the caller's own time ran out, that is what happened.
        deadline.require()
        raise answer

    def _exchange(
        self, method: str, path: str, deadline: Deadline, body: Body
    ) -> Response | ProviderUnavailable:
        """Return the error instead of raising it: inside an except clause it would be chained."""
        left = deadline.require()
        timeout = (min(self._timeouts.connect_s, left), min(self._timeouts.read_s, left))
        try:
            with (
                cut_after(left),
                self._session.request(
                    method,
                    self._base_url + path,
                    timeout=timeout,
                    allow_redirects=False,
                    stream=True,
                    **body,
                ) as response,
            ):
                return self._read(response, deadline)
        except requests.ConnectTimeout:
            return self._failed(
                "connect_timeout", "did not accept a connection in time", uncounted=True
            )
        except (requests.Timeout, ReadTimeoutError):
            return self._failed("timeout", "did not answer in time")
        except requests.exceptions.SSLError:
            return self._failed("tls", "could not prove its identity")
        except ValueError:
            # The request could not even be written; what could not be is in the error's text.
            return self._failed("request", "could not be asked: its address or key cannot be used")
        except (requests.RequestException, TransportError, OSError) as error:
            return self._lost(error)

    def _lost(self, error: Exception) -> ProviderUnavailable:
        if _never_connected(error):
            return self._failed("connect", "could not be reached", uncounted=True)
        if any(isinstance(reason, IncompleteRead) for reason in error.args):
            return self._failed("truncated", "broke off in the middle of its answer")
        return self._failed("connection", "broke the connection off")

    def _read(self, response: requests.Response, deadline: Deadline) -> Response:
        if response.status_code < HTTPStatus.OK:
            # Not read, so the connection is not used again: the answer itself is still to come.
            raise self._failed("malformed", "answered with a status that is no answer")
        if response.is_redirect:
            raise self._failed("redirect", "tried to redirect the request, which is refused")
        chunks, size = [], 0
        # read1 returns what has arrived: a full-sized read would let a drip outlast the deadline.
        while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=True):
            size += len(chunk)
            if size > _MAX_BODY_BYTES:
                raise self._failed("too_large", "sent an answer that is far too large")
            deadline.require()
            chunks.append(chunk)
        # A connection that was cut at the deadline looks like one that has come to its end.
        deadline.require()
        if size < _promised(response.headers):
            raise self._failed("truncated", "broke off in the middle of its answer")
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Response(response.status_code, headers, b"".join(chunks))

    def _failed(self, code: str, what: str, *, uncounted: bool = False) -> ProviderUnavailable:
        return ProviderUnavailable(
            self._provider, code, f"The service {what}.", uncounted=uncounted
        )

    def quoted(self, text: str) -> str:
        """Return a service's words for an error: without the key, at most 300 characters, one line."""
        # To cut first would leave a key's beginning, which is no longer known for one.
        return " ".join(self._redacted(text).split())[:_SHOWN_CHARACTERS]

    def parse(self, response: Response) -> dict[str, object]:
        """Return the body as a JSON object; raises `ProviderUnavailable` where it is none."""
        parsed = _json(response)
        if not isinstance(parsed, dict):
            raise self._failed("malformed", "answered something that is not the promised JSON")
        return cast("dict[str, object]", parsed)

    def parse_list(self, response: Response) -> list[object]:
        """Return the body as a JSON array; raises `ProviderUnavailable` where it is none."""
        parsed = _json(response)
        if not isinstance(parsed, list):
            raise self._failed("malformed", "answered something that is not the promised JSON")
        return cast("list[object]", parsed)

    def malformed(self) -> ProviderUnavailable:
        """Return the error for an answer whose JSON has another shape than promised."""
        return self._failed("malformed", "answered JSON of an unknown shape")

    def outage(self, response: Response) -> ProviderUnavailable:
        """Return the error for a 5xx or an unknown status."""
        try:
            phrase = HTTPStatus(response.status).phrase
        except ValueError:
            phrase = "unknown status"
        return ProviderUnavailable(
            self._provider,
            f"http_{response.status}",
            f"The service answered {response.status} {phrase}.",
            retry_after_s=response.retry_after_s,
            uncounted=response.status in _GATEWAYS_OWN,
        )


def _promised(headers: Mapping[str, str]) -> int:
    """Return the least length that an answer must have."""
    length = headers.get("content-length", "")
    # A number of more digits than these is none that Python reads, nor one that could be met.
    plain = "content-encoding" not in headers and len(length) <= _LENGTH_DIGITS
    return int(length) if plain and length.isascii() and length.isdigit() else 0


def _json(response: Response) -> object:
    """Return the body as JSON, None where it is none, or does not say that it is."""
    if "json" not in response.headers.get("content-type", "").partition(";")[0].lower():
        return None
    try:
        return cast("object", orjson.loads(response.body))
    except orjson.JSONDecodeError:
        return None


def _never_connected(error: Exception) -> bool:
    """Tell a connection that was not made (refused, no such host) from one that was lost."""
    if isinstance(error, requests.exceptions.ProxyError):
        return True
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(reason, NewConnectionError)
