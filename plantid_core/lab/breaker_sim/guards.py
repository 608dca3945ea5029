"""Breakers on a virtual clock: their own code, with nothing exchanged but the clock and the waiting."""

from __future__ import annotations

import datetime as dt
import threading
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Protocol, TypeAlias, cast

import greenlet
import pybreaker

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from plantid_core.lab.breaker_sim.protection import Protection
    from plantid_core.lab.simulate.clock import Clock
    from plantid_core.resilience.breaker import Breaker

Ask: TypeAlias = "Callable[[int], None]"
Refusal = pybreaker.CircuitBreakerError


class Guard(Protocol):
    """Calls the service, or raises `Refusal`; ``state`` is closed, open or half-open."""

    def call(self, ask: Ask, number: int) -> None:
        """Let the call of this number through, or refuse it."""

    def state(self) -> str:
        """Return the state as it is now."""


def guard(protection: Protection, clock: Clock, rng: np.random.Generator) -> Guard:
    """Return what stands before the service, in virtual time."""
    match protection.kind:
        case "none":
            return _Open()
        case "pybreaker":
            return _Pybreaker(protection, clock, _Lock(clock))
        case "pybreaker-unlocked":
            return _Pybreaker(protection, clock, nullcontext())
        case "ours":
            return _Ours(protection, clock, rng)


class _Open:
    """No breaker: every call goes through."""

    def call(self, ask: Ask, number: int) -> None:
        ask(number)

    def state(self) -> str:
        return "closed"


class _Ours:
    def __init__(self, protection: Protection, clock: Clock, rng: np.random.Generator) -> None:
        self._breaker: Breaker = protection.breaker(clock=lambda: clock.now, draw=rng.random)
        # A breaker asks its thread whether a call is part of a probe. Here all calls share one
        # thread, and each has a greenlet instead.
        self._breaker._inside = _Inside()  # noqa: SLF001

    def call(self, ask: Ask, number: int) -> None:
        self._breaker.call(ask, number)

    def state(self) -> str:
        return self._breaker.state


class _Inside(threading.local):
    def __init__(self) -> None:
        self._probing: set[greenlet.greenlet] = set()

    @property
    def probe(self) -> bool:
        return greenlet.getcurrent() in self._probing

    @probe.setter
    def probe(self, probing: bool) -> None:
        change = self._probing.add if probing else self._probing.discard
        change(greenlet.getcurrent())


class _Pybreaker:
    """pybreaker itself. It holds its lock while it calls, so calls go through one after another.

    Without a lock its code is still undisturbed, as nothing else runs here while nobody waits.
    """

    def __init__(
        self, protection: Protection, clock: Clock, lock: AbstractContextManager[None]
    ) -> None:
        self._breaker = pybreaker.CircuitBreaker(
            protection.fail_max,
            protection.reset_timeout,
            protection.permitted_probes,
            state_storage=_Storage(clock),
            # As ours does: who meets the failure that opens it gets the service's own error.
            throw_new_error_on_trip=False,
        )
        self._breaker._lock = cast("threading.RLock", lock)  # noqa: SLF001

    def call(self, ask: Ask, number: int) -> None:
        self._breaker.call(ask, number)

    def state(self) -> str:
        return self._breaker.current_state


class _Storage(pybreaker.CircuitMemoryStorage):
    """Remembers by the virtual clock when it opened, whatever the time of day is."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(pybreaker.STATE_CLOSED)
        self._clock = clock
        self._since: float | None = None

    @property
    def opened_at(self) -> dt.datetime | None:
        return None if self._since is None else _Moment.of(self._since, self._clock)

    @opened_at.setter
    def opened_at(self, moment: dt.datetime) -> None:
        del moment
        self._since = self._clock.now


class _Moment(dt.datetime):
    """A moment of the virtual clock: what is compared with it is that clock's present."""

    at: float
    clock: Clock

    @classmethod
    def of(cls, at: float, clock: Clock) -> _Moment:
        moment = cls.fromtimestamp(at, dt.UTC)
        moment.at, moment.clock = at, clock
        return moment

    def __add__(self, span: dt.timedelta) -> _Moment:
        return _Moment.of(self.at + span.total_seconds(), self.clock)

    def __gt__(self, other: dt.datetime) -> bool:  # type: ignore[override]
        # Python asks the right-hand side first where it is of the narrower class.
        return self.at > self.clock.now


class _Lock(AbstractContextManager[None]):
    """`threading.RLock` on the virtual clock: whoever waits is served in the order they came."""

    def __init__(self, clock: Clock) -> None:
        from plantid_core.lab.simulate.clock import VirtualLock

        self._lock = VirtualLock(clock, lambda: 0.0)
        self._owner: greenlet.greenlet | None = None
        self._depth = 0

    def __enter__(self) -> None:
        me = greenlet.getcurrent()
        if self._owner is not me:
            self._lock.acquire()
            self._owner = me
        self._depth += 1

    def __exit__(self, *exc: object) -> None:
        self._depth -= 1
        if not self._depth:
            self._owner = None
            self._lock.release()
