"""The circuit breakers that are measured side by side, by name: ours, and what others have published.

purgatory and circuitbreaker are in the extra ``bench``; where one is missing, its rows are left out.
"""

from __future__ import annotations

import contextlib
import importlib.util
import secrets
import time
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

import pybreaker
import redis

from plantid_core.resilience.breaker import Breaker
from plantid_core.store.connection import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Unpack

    from plantid_core.resilience.breaker_settings import BreakerSettings

    Work = Callable[[], object]
    Tell = Callable[[str], None]

OURS, RATES = "breaker", "breaker, rates"
OVER_REDIS, IN_MEMORY = "pybreaker over Redis", "pybreaker in memory"
OTHERS = (OVER_REDIS, IN_MEMORY, "purgatory", "circuitbreaker")

_FAIL_MAX = 5
_OPEN_S = 600
_JOIN_S = 10.0
_ALL_RULES: BreakerSettings = {
    "failure_rate": 0.5, "slow_rate": 0.5, "slow_call_s": 1.0, "window_calls": 100, "window_s": 60.0,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Guard:
    """A breaker around one function: ``call(*arguments)`` calls it, or raises ``refusal``."""

    call: Callable[..., object]
    arguments: tuple[Work, ...]
    refusal: type[Exception]


class Service:
    """A function that fails once it has been told to."""

    def __init__(self) -> None:
        self.down = False
        self.calls = 0

    def __call__(self) -> None:
        """Be called; raises OSError where it is down."""
        self.calls += 1
        if self.down:
            raise OSError("down")


def open_by_failures(guard: Guard, service: Service) -> None:
    """Let the service fail until calls are refused; raises RuntimeError where they never are."""
    service.down = True
    for _ in range(_FAIL_MAX + 1):
        before = service.calls
        with contextlib.suppress(OSError, guard.refusal):
            guard.call(*guard.arguments)
        if service.calls == before:
            return
    raise RuntimeError("a breaker does not open")


def joined(client: redis.Redis, name: str, **settings: Unpack[BreakerSettings]) -> Breaker:
    """Return a breaker that is in touch with its fleet; raises TimeoutError."""
    breaker = Breaker(name, client=client, reset_timeout=_OPEN_S, **settings)
    await_fleet(breaker)
    return breaker


def await_fleet(breaker: Breaker) -> None:
    """Wait until the breaker is in touch with its fleet; raises TimeoutError."""
    until = time.monotonic() + _JOIN_S
    while breaker.state != "closed" or breaker.shared is None:
        if time.monotonic() > until:
            raise TimeoutError("a breaker does not find its fleet")
        time.sleep(0.005)


class Makers:
    """Makes breakers at one Redis, each of a name of its own."""

    def __init__(self, url: str) -> None:
        self._ours, self._plain = connect(url), redis.Redis.from_url(url)
        self._made: list[Breaker] = []

    def breaker(self, **settings: Unpack[BreakerSettings]) -> Breaker:
        """Return one of ours, shared, after its first sync."""
        breaker = joined(self._ours, secrets.token_hex(4), **settings)
        self._made.append(breaker)
        return breaker

    def guard(self, name: str, work: Work) -> Guard:
        """Return the contestant of that name around a function."""
        match name:
            case "breaker" | "breaker, rates":
                breaker = self.breaker(**(_ALL_RULES if name == RATES else {}))
                return Guard(breaker.call, (work,), pybreaker.CircuitBreakerError)
            case "pybreaker over Redis" | "pybreaker in memory":
                return self._pybreaker(work, shared=name == OVER_REDIS)
            case "purgatory":
                return _purgatory(work)
            case _:
                return _circuitbreaker(work)

    def close(self) -> None:
        """Let go of connections and threads."""
        for breaker in self._made:
            breaker.leave()
        self._ours.close()
        self._plain.close()

    def _pybreaker(self, work: Work, *, shared: bool) -> Guard:
        storage: pybreaker.CircuitBreakerStorage
        storage = pybreaker.CircuitMemoryStorage(pybreaker.STATE_CLOSED)
        if shared:
            storage = pybreaker.CircuitRedisStorage(
                pybreaker.STATE_CLOSED, self._plain, namespace=secrets.token_hex(4)
            )
        breaker = pybreaker.CircuitBreaker(_FAIL_MAX, _OPEN_S, state_storage=storage)
        return Guard(breaker.call, (work,), pybreaker.CircuitBreakerError)


def _purgatory(work: Work) -> Guard:
    factory = import_module("purgatory").SyncCircuitBreakerFactory(_FAIL_MAX, _OPEN_S)
    refusal = import_module("purgatory.domain.model").OpenedState
    return Guard(factory("upstream")(work), (), refusal)


def _circuitbreaker(work: Work) -> Guard:
    library = import_module("circuitbreaker")
    made = library.CircuitBreaker(_FAIL_MAX, _OPEN_S, name="upstream")
    return Guard(made(work), (), library.CircuitBreakerError)


def present(names: Iterable[str], tell: Tell) -> Iterator[str]:
    """Give the names whose library is installed; ``tell`` hears of those left out."""
    for name in names:
        if name in {"purgatory", "circuitbreaker"} and importlib.util.find_spec(name) is None:
            tell(f"{name} is left out: install the extra 'bench'")
        else:
            yield name
