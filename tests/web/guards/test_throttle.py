"""Who asks too often."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from guarded import Client, behind, client, refused, said
from starlette.middleware import Middleware

from plantid_core.access.principal import ANONYMOUS, LOCAL, Principal
from plantid_core.settings import load_settings
from plantid_core.web import caller
from plantid_core.web.guards.throttle import Attempts, Throttle
from plantid_core.web.guards.throttles import Throttles

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

API, UPLOAD = "/api/v1/breakers", "/_stcore/upload_file/session/file"
ANNA, BEN = Principal("person", "user", "anna"), Principal("person", "user", "ben")
TOKEN = Principal("token", "user", "anna", frozenset())


class Knows:
    """A guard that knows who asks."""

    def __init__(self, app: ASGIApp, principal: Principal) -> None:
        self._app, self._principal = app, principal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        caller.note(scope, self._principal)
        await self._app(scope, receive, send)


def throttles(**settings: object) -> Throttles:
    rates = {"throttle_anonymous": "2/minute", "throttle_user": "3/minute"}
    return Throttles(load_settings(**{**rates, "throttle_token": "4/minute", **settings}))


def asking(
    counts: Throttles, principal: Principal = ANONYMOUS, address: str = "10.0.0.7", now: float = 0
) -> Client:
    guards = Middleware(Knows, principal), Middleware(Throttle, throttles=counts, clock=lambda: now)
    return Client(behind(*guards), address=address)


def allowed(asks: Client, method: str = "GET", path: str = API) -> int:
    """Return how many of ten requests are allowed."""
    return [asks.ask(method, path).status_code for _ in range(10)].count(200)


def test_a_refusal_tells_when_to_come_back() -> None:
    """A problem, with Retry-After and the draft's headers; the wait is the truth."""
    counts = throttles()
    first = asking(counts).get(API)
    assert first.headers["ratelimit-policy"] == '"anonymous";q=2;w=60'
    assert first.headers["ratelimit"] == '"anonymous";r=1;t=60'
    asking(counts).get(API)

    answer = asking(counts, now=6).get(API)

    assert answer.status_code == 429
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["ratelimit"] == f'"anonymous";r=0;t={answer.headers["retry-after"]}'
    after = 6 + int(answer.headers["retry-after"])
    assert asking(counts, now=after).get(API).status_code == 200


def test_each_is_counted_as_who_they_are() -> None:
    """Anonymous by address, people wherever they are, a token by itself and not its owner."""
    counts = throttles()

    assert allowed(asking(counts)) == 2
    assert allowed(asking(counts, address="10.0.0.8")) == 2
    assert allowed(asking(counts, ANNA)) == 3
    assert allowed(asking(counts, ANNA, "10.0.0.8")) == 0
    assert allowed(asking(counts, BEN)) == 3
    tokens = asking(counts, TOKEN)
    for word in ("one", "two"):
        sent = [tokens.get(API, {"Authorization": f"Bearer {word}"}) for _ in range(10)]
        assert [answer.status_code for answer in sent].count(200) == 4


def test_uploads_are_counted_apart_five_for_a_question() -> None:
    """A question takes up to five photos, each a request of its own."""
    counts = throttles()

    assert allowed(asking(counts), "PUT", UPLOAD) == 10
    assert allowed(asking(counts), "DELETE", UPLOAD) == 0
    assert allowed(asking(counts)) == 2


@pytest.mark.parametrize(
    "path", ["/", "/static/js/index.js", "/healthz", "/readyz", "/media/a.jpg"]
)
def test_pages_and_probes_are_not_counted(path: str) -> None:
    """One page takes a hundred files."""
    assert allowed(asking(throttles()), path=path) == 10


def test_the_local_person_and_exempt_networks_are_not_counted() -> None:
    """Nor anybody where a rate is off."""
    assert allowed(asking(throttles(), LOCAL)) == 10
    assert allowed(asking(throttles(throttle_exempt="10.0.0.1/8"))) == 10
    assert allowed(asking(throttles(throttle_anonymous="off"))) == 10


def test_one_network_of_ipv6_is_one_address() -> None:
    """Whoever has one address of a /64 has all of them."""
    counts = throttles()

    assert allowed(asking(counts, address="2001:db8::1")) == 2
    assert allowed(asking(counts, address="2001:db8::ffff:1")) == 0
    assert allowed(asking(counts, address="2001:db8:0:1::1")) == 2


def test_websockets_are_counted() -> None:
    """Each is a session of memory and a run of the page."""
    counts = throttles()

    assert said(asking(counts).websocket()) == "10.0.0.7"
    assert said(asking(counts).websocket()) == "10.0.0.7"
    assert refused(asking(counts).websocket()) == 429


def test_who_guesses_at_tokens_is_stopped_before_they_are_looked_up() -> None:
    """Refused guesses count by address; whoever was never refused is not counted."""
    looked_up = 0

    async def doubts(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal looked_up
        del scope, receive
        looked_up += 1
        await send({"type": "http.response.start", "status": 401, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    counts = throttles()
    guess = {"Authorization": "Bearer guess"}
    guessing = Client(Attempts(doubts, throttles=counts, clock=lambda: 0))

    assert [guessing.get(API, guess).status_code for _ in range(4)] == [401, 401, 429, 429]
    assert looked_up == 2
    honest = client(Middleware(Attempts, throttles=counts, clock=lambda: 0), address="10.0.0.8")
    assert [honest.get(API, guess).status_code for _ in range(4)] == [200] * 4


def test_one_token_is_one_however_it_is_shown() -> None:
    """More spaces, or other letters of the scheme, are no way round a rate."""
    asks = asking(throttles(), TOKEN)
    shown = ["Bearer one", "bearer one", "BEARER  one", "beareR   one", "Bearer \tone"]

    answers = [asks.get(API, {"Authorization": text}).status_code for text in shown]

    assert answers == [200, 200, 200, 200, 429]
