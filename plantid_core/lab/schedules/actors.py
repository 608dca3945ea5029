"""Processes and callers of a schedule: they carry out the protocol's effects on the modelled Redis."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from plantid_core.errors import LeaseLost, RemoteError
from plantid_core.resilience.effects import (
    DOWN,
    Acquire,
    Await,
    Commit,
    Compute,
    Computed,
    Failed,
    Landing,
    Read,
)
from plantid_core.resilience.flight import Flights
from plantid_core.resilience.protocol import pursue, refresh

if TYPE_CHECKING:
    from collections.abc import Callable

    from plantid_core.lab.schedules.world import World
    from plantid_core.resilience.effects import Answer, Effect, Steps
    from plantid_core.resilience.envelope import Envelope
    from plantid_core.resilience.flight import Flight
    from plantid_core.resilience.lease import Lease

KEY = "k"
_DEADLINE_S = 30.0
_ANSWER_S = 0.2


class UpstreamFailure(Exception):
    """The computation failed, as drawn."""


class Process:
    """One process: its table of flights, its subscriber, and whether it runs at all."""

    def __init__(self, world: World, number: int) -> None:
        self.world, self.number = world, number
        self.flights: Flights[Landing] = Flights()
        self.joined: dict[Flight[Landing], list[Caller]] = {}
        self.floors: dict[Flight[Landing], tuple[int, float]] = {}
        self.listening: list[Search] = []
        self.dead = False
        self.paused_until = 0.0
        self.down_until = 0.0
        self.highest = 0
        self.callers_waiting = 0

    def hear(self, blob: bytes | None) -> None:
        """Hand a broadcast to every search that has a slot (None: look for yourselves)."""
        for search in list(self.listening):
            search.told(blob)

    def land(
        self,
        name: str,
        flight: Flight[Landing],
        landing: Landing | None,
        error: BaseException | None,
    ) -> None:
        """End a flight, and let those who joined it go on."""
        if self.flights.land(name, flight, landing, error):
            for caller in self.joined.pop(flight, []):
                self.world.after(0.0, caller.landed, self)


class Search:
    """A flight's leader: a generator of the protocol, driven by messages."""

    name = KEY

    def __init__(self, world: World, process: Process) -> None:
        self._world, self._process = world, process
        self._steps: Steps
        self._flight: Flight[Landing]
        self._slot_open = self._sleeping = False
        self._mail: list[bytes | None] = []
        self._turn = 0
        self._computing: Lease | None = None
        self._begun = 0

    def lead(self, flight: Flight[Landing], steps: Steps) -> None:
        """Begin."""
        self._flight, self._steps = flight, steps
        self._resume(None)

    def _resume(self, reply: Answer) -> None:
        try:
            effect = self._steps.send(reply)
        except StopIteration as stop:
            self._end(stop.value, None)
        except (UpstreamFailure, RemoteError) as error:
            self._end(None, error)
        else:
            self._perform(effect)

    def _end(self, landing: Landing | None, error: BaseException | None) -> None:
        if self._slot_open:
            self._process.listening.remove(self)
        self._process.land(self.name, self._flight, landing, error)
        self.done(landing, error)

    def done(self, landing: Landing | None, error: BaseException | None) -> None:
        """Take the result."""

    def _perform(self, effect: Effect) -> None:
        redis, policy = self._world.redis, self._world.policy
        match effect:
            case Read():
                self._send(redis.get)
            case Acquire(known):
                if not self._slot_open:
                    self._slot_open = True
                    self._process.listening.append(self)
                token = str(self._world.steps)
                self._send(lambda: redis.acquire(KEY, token, policy.lease_s, known))
            case Compute(lease):
                self._compute(lease)
            case Commit():
                self._send(lambda: self._commit(effect))
            case Await(seconds):
                self._sleep(seconds)

    def _commit(self, effect: Commit) -> Answer:
        redis = self._world.redis
        reply = redis.commit(effect.lease, effect.blob, effect.keep_s)
        if reply.accepted:
            for process in self._world.processes:
                self._broadcast(process, effect.blob)
            if redis.broken == "publish before set":
                late = lambda: redis.store(effect.lease, effect.blob, effect.keep_s)  # noqa: E731
                self._world.after(self._world.draw() * 1.0, late)
        return reply

    def _broadcast(self, process: Process, blob: bytes) -> None:
        world = self._world
        if world.draw() <= world.weather.broadcast_lost:
            return
        world.after(self._latency(), lambda: process.hear(blob), process)
        if world.draw() <= world.weather.repeated:
            world.after(self._latency() * 50, lambda: process.hear(blob), process)

    def _latency(self) -> float:
        draw = self._world.draw
        return 0.3 if draw() <= self._world.weather.late else 0.0005 + 0.002 * draw()

    def _send(self, work: Callable[[], Answer]) -> None:
        """Send a command: it may be lost, carried out twice, or answered too late."""
        world, process = self._world, self._process
        if world.now < process.down_until:
            self._later(0.0, lambda: self._resume(DOWN))
            return
        if world.draw() <= world.weather.lost:
            self._later(_ANSWER_S, self._no_answer)
            return
        there, back = self._latency(), self._latency()

        def arrive() -> None:
            reply = work()
            if world.draw() <= world.weather.repeated:
                reply = (
                    work()
                )  # its first answer was lost with the connection, so it was sent again
            if there + back > _ANSWER_S or world.draw() <= world.weather.lost:
                self._later(max(0.0, _ANSWER_S - there), self._no_answer)
            else:
                self._later(back, lambda: self._resume(reply))

        world.after(there, arrive)

    def _no_answer(self) -> None:
        self._process.down_until = self._world.now + self._world.draw()
        self._process.hear(None)
        self._resume(DOWN)

    def _later(self, delay: float, work: Callable[[], None]) -> None:
        self._world.after(delay, work, self._process)

    def _sleep(self, seconds: float) -> None:
        if self._mail:
            self._later(0.0, self._wake)
        self._sleeping = True
        self._turn += 1
        turn = self._turn
        self._later(seconds, lambda: self._wake() if self._turn == turn else None)

    def told(self, blob: bytes | None) -> None:
        """Receive a broadcast."""
        self._mail.append(blob)
        if self._sleeping:
            self._wake()

    def _wake(self) -> None:
        if self._sleeping:
            self._sleeping = False
            self._turn += 1
            # A slot keeps the last one that came.
            blobs = [blob for blob in self._mail if blob is not None]
            self._mail.clear()
            self._resume(blobs[-1] if blobs else None)

    def _compute(self, lease: Lease | None) -> None:
        world = self._world
        seconds = 0.02 + world.draw() * 0.4
        world.computed += 1
        generation, fails = world.computed, world.draw() <= world.weather.failing
        self._computing, self._begun = lease, generation
        if lease is not None:
            self._beat(lease)

        def finish() -> None:
            if self._begun != generation:
                return  # broken off since
            self._computing = None
            if fails:
                self._resume(Failed(UpstreamFailure(str(generation)), seconds))
            else:
                self._resume(Computed("value", orjson.dumps(generation), seconds))

        self._later(seconds, finish)

    def _beat(self, lease: Lease) -> None:
        world = self._world

        def beat() -> None:
            if self._computing != lease:
                return
            self._beat(lease)
            if world.draw() > world.weather.lost:
                held = world.redis.renew(lease, world.policy.lease_s)
                if not held:
                    self._process.land(self.name, self._flight, None, None)
                    self._break_off()

        self._later(world.policy.lease_s / 3, beat)

    def _break_off(self) -> None:
        """End a computation whose lease is lost, where it is one that looks."""
        if self._world.draw() < 0.5:  # noqa: PLR2004 - a chance
            self._computing, self._begun = None, 0
            self._resume(Failed(LeaseLost(), 0.0))


class Refresher(Search):
    """A refresh behind a caller that already has a value."""

    name = "refresh"

    def __init__(
        self, world: World, process: Process, flight: Flight[Landing], known: Envelope
    ) -> None:
        super().__init__(world, process)
        self._flight, self._known = flight, known

    def begin(self) -> None:
        """Begin."""
        self.lead(self._flight, refresh(self._world.around, self._known))


class Caller(Search):
    """Somebody who wants the value, and what must hold of what they get."""

    def arrive(self) -> None:
        """Ask, for the first time."""
        self._process.callers_waiting += 1
        self._deadline = self._world.now + _DEADLINE_S
        self._ask()

    def _ask(self) -> None:
        flight, leads = self._process.flights.enter(KEY)
        self._joined = flight
        if leads:
            # What the process has shown before this flight began must not be taken back by it.
            self._process.floors[flight] = self._process.highest, self._world.clock()
            self.lead(flight, pursue(self._world.around))
        else:
            self._process.joined.setdefault(flight, []).append(self)

    def landed(self) -> None:
        """Take the result of another's flight, or ask anew where it has none."""
        if self._joined.result is None and self._joined.error is None:
            self._ask()
        else:
            self.done(self._joined.result, self._joined.error)

    def done(self, landing: Landing | None, error: BaseException | None) -> None:
        """Return to the caller, and check what is returned."""
        world, process = self._world, self._process
        process.callers_waiting -= 1
        world.returned += 1
        if world.now > self._deadline:
            world.violations.append(f"returned {world.now - self._deadline:.2f} s late")
        if landing is None:
            if error is None:
                world.violations.append("returned neither a value nor an error")
            return
        envelope = landing.envelope
        highest, began = process.floors[self._joined]
        if envelope.fence < highest and envelope.stored < began:
            world.violations.append(f"read {envelope.fence} after {highest} had been returned")
        process.highest = max(process.highest, envelope.fence)
        if landing.refresh:
            world.spawn_refresh(process, envelope)
