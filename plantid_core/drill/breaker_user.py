"""``python -m plantid_core.drill.breaker_user``: a process that calls a service through a breaker.

It reads a `Setup`, says ``{}`` when it is ready, and answers every `Volley` by one `Outcomes`. Nothing
stands between it and the service but the breaker: no cache, no workbench.
"""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import asdict, dataclass

import orjson
import requests
from pydantic import TypeAdapter

from plantid_core.errors import ProviderUnavailable
from plantid_core.resilience.breaker import Breaker, BreakerOpen
from plantid_core.store.connection import connect

_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Setup:
    """Which breaker, on which Redis, before which address."""

    redis_url: str
    service_url: str
    name: str
    fail_max: int
    reset_s: float


@dataclass(frozen=True, slots=True)
class Volley:
    """So many calls, all at a time of the monotonic clock."""

    at: float
    calls: int


@dataclass(frozen=True, slots=True)
class Outcomes:
    """How the calls ended; ``opens_until`` is the monotonic time that a refusal named."""

    good: int = 0
    failed: int = 0
    refused: int = 0
    opens_until: float | None = None


_SETUP = TypeAdapter(Setup)
_VOLLEY = TypeAdapter(Volley)


class User:
    """Calls one service through one breaker."""

    def __init__(self, setup: Setup) -> None:
        self._url = f"{setup.service_url}/api/v3/identification"
        self._breaker = Breaker(
            setup.name,
            client=connect(setup.redis_url),
            fail_max=setup.fail_max,
            reset_timeout=setup.reset_s,
            permitted_probes=1,
        )

    def fire(self, volley: Volley) -> Outcomes:
        """Make the calls, and return how they ended."""
        ends: list[float | str] = []

        def one() -> None:
            time.sleep(max(0.0, volley.at - time.monotonic()))
            ends.append(self._call())

        threads = [threading.Thread(target=one) for _ in range(volley.calls)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        named = [end for end in ends if isinstance(end, float)]
        until = max(named, default=None)
        return Outcomes(ends.count("good"), ends.count("failed"), len(named), until)

    def _call(self) -> float | str:
        try:
            self._breaker.call(self._ask)
        except BreakerOpen as refused:
            return time.monotonic() + refused.retry_after_s
        except ProviderUnavailable:
            return "failed"
        return "good"

    def _ask(self) -> None:
        with requests.Session() as session:
            session.trust_env = False
            # An empty question is refused by a service that is well, which is an answer.
            response = session.post(self._url, headers={"Api-Key": "sandbox"}, timeout=_TIMEOUT_S)
        if response.status_code >= requests.codes.server_error:
            raise ProviderUnavailable("plant_id", "http", "The service failed.")


def main() -> None:
    """Serve until standard input ends."""
    user = User(_SETUP.validate_json(sys.stdin.buffer.readline()))
    _say({})
    for line in sys.stdin.buffer:
        _say(asdict(user.fire(_VOLLEY.validate_json(line))))


def _say(answer: dict[str, object]) -> None:
    sys.stdout.buffer.write(orjson.dumps(answer) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
