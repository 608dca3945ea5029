"""A request that is sent again is answered again, and not done again.

The header and its answers are those of draft-ietf-httpapi-idempotency-key-header, section 2: the same
key with the same request gets the first answer, 409 while that is under way, 422 with another request.
A key is a person's own, and is good for a day. Only an answer that names what was found is kept: after
any other, the same key may try again. Where the database is away, a request with a key is refused: that
it is done once could not be promised.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import orjson
import structlog
from anyio import CancelScope

from plantid_core.errors import HistoryUnavailable
from plantid_core.store.history.repeats import Repeats, Stored, Taken
from plantid_core.web.api.answering import told
from plantid_core.web.api.parameters import Unfit
from plantid_core.web.problems import problem, seconds

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from plantid_core.store.history.repeats import Held
    from plantid_core.web.api.answering import Service

HEADER, REPLAYED = "Idempotency-Key", "Idempotency-Replayed"

# A string of RFC 8941, section 3.3.3, or its content alone, as many clients send it.
KEY = re.compile(r'"([\x20\x21\x23-\x5b\x5d-\x7e]{1,255})"|([\x21\x23-\x5b\x5d-\x7e]{1,255})')
_GRACE_S = 5.0
_UNDER_WAY_RETRY_S = 1.0
_DONE = 200


def key_of(request: Request) -> str | None:
    """Return the request's key, None without one; raises `Unfit` for what cannot be one."""
    found = request.headers.getlist(HEADER)
    if not found:
        return None
    match = KEY.fullmatch(found[0].strip())
    if match is None or len(found) > 1:
        limit = "sent once: 1 to 255 printable characters of ASCII in quotation marks"
        raise Unfit(HEADER, limit, ", ".join(found))
    return match[1] or match[2]


class Once:
    """Answers each key of a person once."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def answered(
        self,
        owner: str,
        key: str,
        fingerprint: str,
        answer: Callable[[], Awaitable[Response]],
    ) -> Response:
        """Return the answer, the first one's where there was one."""
        read = self._service.read
        taken = await read(lambda: self._repeats().take(owner, key, fingerprint))
        if not isinstance(taken, Taken):
            return _repeated(taken)
        response: Response | None = None
        try:
            response = await answer()
        finally:
            if response is None or response.status_code != _DONE:
                # Also where the request is broken off: else its key would be held until it expires.
                with CancelScope(shield=True):
                    await self._quietly(lambda: self._repeats().release(taken))
        if response.status_code == _DONE:
            body = _envelope(response)
            await self._quietly(lambda: self._repeats().finish(taken, _DONE, body))
        return response

    def _repeats(self) -> Repeats:
        workbench = self._service.workbench()
        patience_s = workbench.settings.request_deadline_s + _GRACE_S
        return Repeats(workbench.access.database, patience_s=patience_s)

    async def _quietly(self, job: Callable[[], None]) -> None:
        """Do it, or log that it was not to be done: the answer is there, and is more than its copy."""
        try:
            await self._service.reading.run(job)
        except HistoryUnavailable as error:
            structlog.get_logger().warning("idempotency_not_noted", reason=error.reason)


def _repeated(found: Stored | Held) -> Response:
    if isinstance(found, Stored):
        head, _, body = found.body.partition("\n")
        return told(body.encode(), found.status, {**orjson.loads(head), REPLAYED: "true"})
    if found == "under way":
        response = problem(
            409,
            "The first request with this Idempotency-Key is still under way.",
            code="idempotency_under_way",
            retry_after_s=_UNDER_WAY_RETRY_S,
        )
        response.headers["Retry-After"] = seconds(_UNDER_WAY_RETRY_S)
        return response
    return problem(
        422,
        "This Idempotency-Key was used for another request. Use a new key for each request.",
        code="idempotency_key_reused",
    )


def _envelope(response: Response) -> str:
    kept = {
        name: response.headers[name] for name in ("content-location",) if name in response.headers
    }
    return f"{orjson.dumps(kept).decode()}\n{bytes(response.body).decode()}"
