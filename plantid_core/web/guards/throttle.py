"""How often one may ask: anonymous by address, a person by who they are, a token by itself.

Decided in the process, with no Redis on a request's way; see `windows` and `sharing`.
"""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING

from plantid_core.errors import Throttled
from plantid_core.telemetry import metrics
from plantid_core.web.guards.asgi import header, turn_away
from plantid_core.web.guards.throttles import ATTEMPTS
from plantid_core.web.guards.windows import whole
from plantid_core.web.problems import answer_to

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from plantid_core.web.guards.throttles import Counted, Throttles
    from plantid_core.web.guards.windows import Verdict

_BEGINNINGS = frozenset({"http.response.start", "websocket.http.response.start"})


class Throttle:
    """Refuses who asks too often (429), and tells everybody counted how much is left.

    The headers are draft-ietf-httpapi-ratelimit-headers-10's.
    """

    def __init__(
        self, app: ASGIApp, *, throttles: Throttles, clock: Callable[[], float] = time.time
    ) -> None:
        self.app = app
        self._throttles = throttles
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, counted, or refuse it."""
        counted = self._throttles.counted(scope)
        if counted is None:
            await self.app(scope, receive, send)
            return
        verdict = counted.windows.take(counted.key, self._clock())
        telling = _telling(send, counted, verdict)
        if verdict.allowed:
            await self.app(scope, receive, telling)
        else:
            await _too_often(scope, receive, telling, counted, verdict)


class Attempts:
    """Refuses an address whose requests were refused too often for what they showed (401).

    Else whoever guesses at tokens would have each guess looked up, and count for nobody. What is
    refused is counted at the rate of the anonymous; who shows no token passes uncounted.
    """

    def __init__(
        self, app: ASGIApp, *, throttles: Throttles, clock: Callable[[], float] = time.time
    ) -> None:
        self.app = app
        self._throttles = throttles
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] == "lifespan" or header(scope, b"authorization") is None:
            await self.app(scope, receive, send)
            return
        counted = self._throttles.attempt(scope)
        if counted is None:
            await self.app(scope, receive, send)
            return
        verdict = counted.windows.look(counted.key, self._clock())
        if not verdict.allowed:
            await _too_often(scope, receive, _telling(send, counted, verdict), counted, verdict)
            return

        async def counting(message: Message) -> None:
            if message.get("status") == HTTPStatus.UNAUTHORIZED:
                counted.windows.take(counted.key, self._clock())
            await send(message)

        await self.app(scope, receive, counting)


def _telling(send: Send, counted: Counted, verdict: Verdict) -> Send:
    left = f'"{counted.name}";r={verdict.remaining};t={whole(verdict.wait_s)}'
    told = [(b"ratelimit-policy", counted.policy), (b"ratelimit", left.encode())]

    async def telling(message: Message) -> None:
        if message["type"] in _BEGINNINGS:
            message["headers"] = [*message.get("headers", ()), *told]
        await send(message)

    return telling


async def _too_often(
    scope: Scope, receive: Receive, send: Send, counted: Counted, verdict: Verdict
) -> None:
    metrics.throttled(ATTEMPTS if counted.name == ATTEMPTS else counted.name.split("-")[0])
    await turn_away(scope, receive, send, answer_to(Throttled(counted.rate, verdict.wait_s)))
