"""Carries out the protocol's effects: on a real server, on real threads, on a real clock."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from plantid_core.errors import DeadlineExceeded
from plantid_core.resilience import lease as leases
from plantid_core.resilience.effects import (
    DOWN,
    Acquire,
    Await,
    Commit,
    Compute,
    Computed,
    Down,
    Failed,
    Read,
)
from plantid_core.resilience.envelope import encode
from plantid_core.resilience.link import LinkError

if TYPE_CHECKING:
    from collections.abc import Callable

    from plantid_core.deadline import Deadline
    from plantid_core.resilience.effects import Answer, Effect, Event, Landing, Origin, Steps
    from plantid_core.resilience.envelope import Kind
    from plantid_core.resilience.flight import Flight
    from plantid_core.resilience.heartbeat import Heartbeat
    from plantid_core.resilience.policy import Policy
    from plantid_core.resilience.server import RedisServer
    from plantid_core.resilience.wake import Slot, Wake

    KindOf: TypeAlias = Callable[[object], Kind | None]

Producer: TypeAlias = "Callable[[], object]"


@dataclass(frozen=True, slots=True)
class Cached:
    """A value, where it came from, its age in seconds, and what happened on the way to it.

    The value is shared: do not change it.
    """

    value: object
    origin: Origin
    age_s: float
    events: tuple[Event, ...] = ()


class Flown:
    """What the leader of a flight carries along."""

    __slots__ = ("compute", "deadline", "events", "flight", "key", "name", "slot")

    def __init__(
        self,
        name: str,
        key: str,
        flight: Flight[Cached],
        compute: Producer,
        deadline: Deadline | None,
    ) -> None:
        self.name, self.key, self.flight = name, key, flight
        self.compute, self.deadline = compute, deadline
        self.slot: Slot | None = None
        self.events: list[Event] = []


class Driver:
    """Runs searches to their end. Without a server every effect on it is answered by DOWN.

    ``abandon`` is called for a flight whose lease was lost, so that those who joined it ask anew.
    """

    def __init__(
        self,
        policy: Policy,
        kind_of: KindOf,
        abandon: Callable[[Flown], object],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._policy, self._kind_of, self._abandon = policy, kind_of, abandon
        self._server: RedisServer | None = None
        self._wake: Wake
        self._heartbeat: Heartbeat

    def connect(self, server: RedisServer, wake: Wake, heartbeat: Heartbeat) -> None:
        """Use a server from now on."""
        self._wake, self._heartbeat = wake, heartbeat
        self._server = server

    def read(self, key: str) -> bytes | Down | None:
        """Return the key's blob, None, or that the server gave no answer."""
        if self._server is None:
            return DOWN
        try:
            return self._server.get(leases.value_key(key))
        except LinkError:
            return DOWN

    def run(self, flown: Flown, steps: Steps, first: bytes | Down | None = None) -> Landing | None:
        """Carry the steps out; ``first`` answers a `Read` that was done already."""
        try:
            effect = steps.send(None)
            reply = first if isinstance(effect, Read) else self._perform(flown, effect)
            while True:
                reply = self._perform(flown, steps.send(reply))
        except StopIteration as stop:
            landing: Landing | None = stop.value
            return landing
        finally:
            if flown.slot is not None:
                self._wake.shut(flown.key, flown.slot)

    def _perform(self, flown: Flown, effect: Effect) -> Answer:
        if isinstance(effect, Compute):
            return self._compute(flown, effect.lease)
        if (server := self._server) is None:
            return DOWN
        try:
            return self._ask(server, flown, effect)
        except LinkError:
            return DOWN

    def _ask(self, server: RedisServer, flown: Flown, effect: Effect) -> Answer:
        match effect:
            case Read():
                return server.get(leases.value_key(flown.key))
            case Acquire(known):
                if flown.slot is None and server.health.up:
                    flown.slot = self._wake.open(flown.key)
                return leases.acquire(
                    server, flown.key, leases.new_token(), self._policy.lease_s, known
                )
            case Commit(lease, blob, keep_s):
                return leases.commit(server, lease, blob, keep_s, self._wake.channel)
            case Await(seconds):
                return self._await(flown, seconds)
            case _:
                raise TypeError(f"{effect!r} is no effect on the server")

    def _await(self, flown: Flown, seconds: float) -> bytes | None:
        if flown.slot is None:
            return None
        if flown.deadline is not None:
            left = flown.deadline.remaining()
            if left <= 0:
                raise DeadlineExceeded(flown.deadline.budget_s)
            seconds = min(seconds, left)
        return flown.slot.wait(seconds)

    def _compute(self, flown: Flown, lease: leases.Lease | None) -> Computed | Failed:
        if lease is None:
            return self._call(flown.compute)
        # Those who wait here must not wait for a computation whose result will be refused.
        with self._heartbeat.keeping(lease, lambda: self._abandon(flown)):
            return self._call(flown.compute)

    def _call(self, compute: Producer) -> Computed | Failed:
        began = self._clock()
        try:
            value = compute()
            kind, payload = encode(value)
        except BaseException as error:  # noqa: BLE001 - whatever it was, those who wait must learn it
            return Failed(error, self._clock() - began)
        return Computed(self._kind_of(value) or kind, payload, self._clock() - began)
