"""Random schedules: processes, callers and faults on a virtual clock, every step drawn from a seed."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from plantid_core.lab.schedules.actors import Caller, Process, Refresher
from plantid_core.lab.schedules.redis_model import RedisModel
from plantid_core.resilience.policy import Policy
from plantid_core.resilience.protocol import Surroundings

if TYPE_CHECKING:
    from collections.abc import Callable

    from plantid_core.lab.schedules.redis_model import Broken
    from plantid_core.resilience.effects import Event
    from plantid_core.resilience.envelope import Envelope

EPOCH_S = 1.7e9
_SPAN_S = 4.0
_END_S = 60.0
_DRAWS = 256


@dataclass(frozen=True, slots=True)
class Weather:
    """How often things go wrong: chances a message, and numbers a schedule."""

    lost: float
    repeated: float
    broadcast_lost: float
    late: float
    failing: float
    pauses: int
    crashes: int
    flushes: int


@dataclass
class Found:
    """What came of many schedules."""

    schedules: int = 0
    steps: int = 0
    returned: int = 0
    computed: int = 0
    late_commits: int = 0
    takeovers: int = 0
    violations: list[str] = field(default_factory=list)


class World:
    """One schedule."""

    def __init__(self, rng: np.random.Generator, broken: Broken | None = None) -> None:
        self._rng = rng
        self._draws: list[float] = []
        self.now = 0.0
        self._queue: list[tuple[float, int, Process | None, Callable[[], None]]] = []
        self._number = 0
        self.steps = self.computed = self.returned = 0
        self.violations: list[str] = []
        self.counts: dict[str, int] = {}
        self.policy = Policy(
            soft_ttl_s=1.0,
            hard_ttl_s=2.0,
            lease_s=0.6,
            jitter=0.1,
            error_ttl_s=0.3 if self.draw() < 0.3 else 0.0,  # noqa: PLR2004 - a chance
            stale_while_refreshing=self.draw() < 0.5,  # noqa: PLR2004 - a chance
        )
        self.weather = self._weather()
        self.redis = RedisModel(self.clock, broken)
        self.around = Surroundings(self.policy, self.clock, self.draw, self._count)
        self.processes = [Process(self, number) for number in range(2 + int(self.draw() * 2))]

    def draw(self) -> float:
        """Return a number in (0, 1]; drawn in bulk, since one call a number would take longest."""
        if not self._draws:
            self._draws = (1.0 - self._rng.random(_DRAWS)).tolist()
        return self._draws.pop()

    def _weather(self) -> Weather:
        calm = self.draw() < 0.2  # noqa: PLR2004 - one schedule in five
        chance = 0.0 if calm else 0.15
        return Weather(
            lost=self.draw() * chance,
            repeated=self.draw() * chance,
            broadcast_lost=self.draw() * 3 * chance,
            late=self.draw() * chance,
            failing=self.draw() * 0.3,
            pauses=0 if calm else int(self.draw() * 3),
            crashes=0 if calm else int(self.draw() * 2),
            flushes=0 if calm else int(self.draw() * 2),
        )

    def clock(self) -> float:
        """Return Unix seconds."""
        return EPOCH_S + self.now

    def _count(self, event: Event) -> None:
        self.counts[event] = self.counts.get(event, 0) + 1

    def after(self, delay: float, work: Callable[[], None], process: Process | None = None) -> None:
        """Do something later, on a process (None: outside of all)."""
        self._number += 1
        heapq.heappush(self._queue, (self.now + delay, self._number, process, work))

    def spawn_refresh(self, process: Process, known: Envelope) -> None:
        """Begin a refresh behind a caller, unless the process has one under way."""
        flight, leads = process.flights.enter("refresh")
        if leads:
            Refresher(self, process, flight, known).begin()

    def run(self) -> None:
        """Run the schedule to its end, and note what was violated."""
        self._plan()
        while self._queue:
            at, number, process, work = heapq.heappop(self._queue)
            if at > _END_S:
                break
            self.now = at
            if process is not None:
                if process.dead:
                    continue
                if process.paused_until > at:
                    heapq.heappush(self._queue, (process.paused_until, number, process, work))
                    continue
            self.steps += 1
            work()
        self._judge()

    def _plan(self) -> None:
        for process in self.processes:
            for _ in range(1 + int(self.draw() * 3)):
                caller = Caller(self, process)
                self.after(self._arrival(), caller.arrive, process)
        for _ in range(self.weather.pauses):
            self.after(self.draw() * _SPAN_S, self._pause)
        for _ in range(self.weather.crashes):
            self.after(self.draw() * _SPAN_S, self._crash)
        for _ in range(self.weather.flushes):
            self.after(self.draw() * _SPAN_S, self.redis.flush)

    def _arrival(self) -> float:
        # Half of them all at once, the others spread over several lifetimes of the value.
        return self.draw() * (0.05 if self.draw() < 0.5 else _SPAN_S)  # noqa: PLR2004 - a chance

    def _pick(self) -> Process:
        return self.processes[int((1.0 - self.draw()) * len(self.processes))]

    def _pause(self) -> None:
        self._pick().paused_until = self.now + self.draw() * 3 * self.policy.lease_s

    def _crash(self) -> None:
        self._pick().dead = True

    def _judge(self) -> None:
        self.violations += self.redis.violations
        for process in self.processes:
            if not process.dead and process.callers_waiting:
                self.violations.append(
                    f"lost wake-up: {process.callers_waiting} callers of process {process.number}"
                )


def random_schedules(count: int, seed: int, broken: Broken | None = None) -> Found:
    """Run so many schedules; each has a seed of its own, named with its violations."""
    found = Found()
    for number in range(count):
        world = World(np.random.Generator(np.random.PCG64([seed, number])), broken)
        world.run()
        found.schedules += 1
        found.steps += world.steps
        found.returned += world.returned
        found.computed += world.computed
        found.late_commits += world.counts.get("late_commit", 0)
        found.takeovers += world.counts.get("takeover", 0)
        found.violations += [f"schedule {seed}/{number}: {what}" for what in world.violations]
    return found
