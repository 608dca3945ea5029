"""Every interleaving of three processes, one lost message, one crash and two expiries, on the real code.

A generator cannot be copied, so a state is reached by replaying the choices that led to it; states
that have been seen are not entered again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from plantid_core.lab.schedules.redis_model import RedisModel
from plantid_core.lab.schedules.world import EPOCH_S, Found
from plantid_core.resilience.effects import DOWN, Acquire, Await, Commit, Compute, Computed, Read
from plantid_core.resilience.envelope import FENCE_AT
from plantid_core.resilience.lease import Lease
from plantid_core.resilience.policy import Policy
from plantid_core.resilience.protocol import Surroundings, pursue

if TYPE_CHECKING:
    from typing import TypeAlias

    from plantid_core.lab.schedules.redis_model import Broken
    from plantid_core.resilience.effects import Answer, Effect, Landing

    Choice: TypeAlias = tuple[str, int]

_LEASE_S = 1.0


@dataclass
class _Actor:
    """One process: what it waits for, what it was told, and how it ended."""

    effect: Effect | None = None
    mail: bytes | None = None
    listening: bool = False
    known: int = -1
    waited: bool = False
    dead: bool = False
    landing: Landing | None = None


@dataclass
class _Budget:
    """Faults that may still happen."""

    lost: int = 1
    crashes: int = 1
    expiries: int = 2


@dataclass
class _Run:
    """A state, reached from the start."""

    processes: int
    broken: Broken | None
    now: float = 0.0
    budget: _Budget = field(default_factory=_Budget)
    computed: int = 0
    stores: list[tuple[int, bytes, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        policy = Policy(soft_ttl_s=1e6, hard_ttl_s=1e6, lease_s=_LEASE_S, beta=0)
        self.redis = RedisModel(self.clock, self.broken)
        around = Surroundings(policy, self.clock, lambda: 1.0, lambda _: None)
        self.actors = [_Actor() for _ in range(self.processes)]
        self.steps = [pursue(around) for _ in self.actors]
        for number in range(self.processes):
            self._resume(number, None)

    def clock(self) -> float:
        return EPOCH_S + self.now

    def _resume(self, number: int, reply: Answer) -> None:
        actor = self.actors[number]
        try:
            actor.effect = self.steps[number].send(reply)
        except StopIteration as stop:
            actor.effect, actor.landing = None, stop.value
        if isinstance(actor.effect, Acquire):
            actor.listening = True
            actor.known = int.from_bytes(actor.effect.known[1:], "little")

    def choices(self) -> list[Choice]:
        """Return what may happen next."""
        found: list[Choice] = []
        for number, actor in enumerate(self.actors):
            if actor.dead or actor.effect is None:
                continue
            found += self._of(number, actor)
            if self.budget.crashes:
                found.append(("crash", number))
        if self.redis.holder is not None and (self.budget.expiries or self._orphaned()):
            found.append(("expire", 0))
        found += [("store", number) for number in range(len(self.stores))]
        return found

    def _of(self, number: int, actor: _Actor) -> list[Choice]:
        if isinstance(actor.effect, Await):
            return [("mail" if actor.mail is not None else "timeout", number)]
        if isinstance(actor.effect, Compute):
            return [("compute", number)]
        if self.budget.lost:
            return [("do", number), ("lose", number), ("lose reply", number), ("twice", number)]
        return [("do", number)]

    def _orphaned(self) -> bool:
        """Tell whether whoever holds the lease will never give it back."""
        fence = self.redis.last_granted
        return not any(
            isinstance(actor.effect, Compute | Commit)
            and not actor.dead
            and actor.effect.lease is not None
            and actor.effect.lease.fence == fence
            for actor in self.actors
        )

    def take(self, choice: Choice) -> None:
        """Let it happen."""
        what, number = choice
        self.now += 1e-5
        if what == "expire":
            self.budget.expiries = max(0, self.budget.expiries - 1)
            self.redis.held_until = 0.0
            self.redis.holder = None
        elif what == "crash":
            self.budget.crashes -= 1
            self.actors[number].dead = True
        elif what == "store":
            self._store_late(number)
        else:
            self._advance(what, number)

    def _store_late(self, number: int) -> None:
        fence, blob, keep_s = self.stores.pop(number)
        self.redis.store(Lease("k", fence, ""), blob, keep_s)

    def _advance(self, what: str, number: int) -> None:
        actor = self.actors[number]
        if what in {"mail", "timeout"}:
            actor.waited, told, actor.mail = True, actor.mail, None
            self._resume(number, told)
        elif what == "compute":
            self.computed += 1
            self._resume(number, Computed("value", b"%d" % self.computed, 0.0))
        elif what == "do":
            self._resume(number, self._carry_out(number))
        else:
            self.budget.lost -= 1
            reply = None if what == "lose" else self._carry_out(number)
            if what == "twice":
                reply = self._carry_out(number)
            self._resume(number, reply if what == "twice" else DOWN)

    def _carry_out(self, number: int) -> Answer:
        effect = self.actors[number].effect
        match effect:
            case Read():
                return self.redis.get()
            case Acquire(known):
                return self.redis.acquire("k", str(number), _LEASE_S * 1e6, known)
            case Commit(lease, blob, keep_s):
                reply = self.redis.commit(lease, blob, keep_s)
                if reply.accepted:
                    self._publish(number, blob)
                    if self.broken == "publish before set":
                        self.stores.append((lease.fence, blob, keep_s))
                return reply
            case _:
                raise TypeError(f"{effect!r} is no command")

    def _publish(self, sender: int, blob: bytes) -> None:
        for number, actor in enumerate(self.actors):
            if number != sender and actor.listening and actor.effect is not None:
                actor.mail = blob

    def key(self) -> tuple[object, ...]:
        """Return what tells states apart; of fences, which grow with the clock, only their order."""
        redis, budget = self.redis, self.budget
        fences = [redis.last_granted, _fence(redis.blob)]
        fences.append(-1 if redis.holder is None else redis.holder.fence)
        fences += [fence for fence, _, _ in self.stores]
        told: list[object] = [budget.lost, budget.crashes, budget.expiries, len(self.stores)]
        for actor in self.actors:
            effect = actor.effect
            lease = effect.lease if isinstance(effect, Compute | Commit) else None
            fences += [-1 if lease is None else lease.fence, _fence(actor.mail), actor.known]
            told += [type(effect), actor.listening, actor.waited, actor.dead]
            told.append(actor.landing is None)
        order = sorted(set(fences))
        return (*told, *(order.index(fence) for fence in fences))

    def violations(self) -> list[str]:
        """Return what is wrong with this state."""
        return self.redis.violations


def _fence(blob: bytes | None) -> int:
    return -1 if not blob else int.from_bytes(blob[FENCE_AT], "little")


def exhaustive(processes: int = 3, broken: Broken | None = None, most: int = 2_000_000) -> Found:
    """Visit every state of the small model; stops at the first violation, or after ``most`` states.

    ``schedules`` of the result counts states, ``returned`` those in which every living process has
    its value. A state from which nothing can happen, although somebody waits, is a violation.
    """
    found = Found()
    seen: set[tuple[object, ...]] = set()
    stack: list[tuple[Choice, ...]] = [()]
    while stack and found.schedules < most and not found.violations:
        path = stack.pop()
        run = _Run(processes, broken)
        for choice in path:
            run.take(choice)
        found.steps += len(path)
        key = run.key()
        if key in seen:
            continue
        seen.add(key)
        found.schedules += 1
        found.violations += [f"{what} after {path}" for what in run.violations()]
        choices = run.choices()
        if all(actor.dead or actor.effect is None for actor in run.actors):
            found.returned += 1
        elif not choices:
            found.violations.append(f"nothing can happen after {path}")
        stack += [(*path, choice) for choice in choices]
    return found
