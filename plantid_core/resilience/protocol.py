"""What a process does about one key, without sockets, threads or clocks: effects out, replies in.

`pursue` is a generator. It yields what it wants done (`Read`, `Acquire`, `Compute`, `Commit`,
`Await`) and is sent what came of it, so that threads on a real server and a simulator of a million
schedules run the very same decisions. Any effect on the server may be answered by `DOWN`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from plantid_core.errors import DeadlineExceeded, LeaseLost, RemoteError, UserQuotaExceeded
from plantid_core.resilience.early import is_early
from plantid_core.resilience.effects import (
    DOWN,
    Acquire,
    Await,
    Commit,
    Compute,
    Computed,
    Down,
    Failed,
    Landing,
    Read,
)
from plantid_core.resilience.envelope import Envelope, encode_error, error_fields
from plantid_core.resilience.lease import Committed, Granted, Hit, Lease, Wait, seen

if TYPE_CHECKING:
    from collections.abc import Callable

    from plantid_core.resilience.effects import Event, Steps
    from plantid_core.resilience.lease import Lease
    from plantid_core.resilience.policy import Policy

_OWN_AFFAIRS = (DeadlineExceeded, UserQuotaExceeded)
_OWN_AFFAIR_NAMES = {kind.__name__ for kind in _OWN_AFFAIRS}


def is_own_affair(error: BaseException) -> bool:
    """Tell whether an error says nothing to other callers: a deadline or a quota of this one's own."""
    return isinstance(error, _OWN_AFFAIRS)


def is_kept(error: BaseException) -> bool:
    """Tell whether an error is worth remembering: a refusal of our own is found out again for nothing."""
    return not (is_own_affair(error) or getattr(error, "transient", False))


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What decisions depend on besides replies.

    ``clock`` gives Unix seconds, ``draw`` a number uniform in (0, 1], ``count`` hears of events.
    """

    policy: Policy
    clock: Callable[[], float]
    draw: Callable[[], float]
    count: Callable[[Event], None]


def pursue(around: Surroundings, *, fresh: bool = False, fallback: Envelope | None = None) -> Steps:
    """Find the key's value, or make it, or wait for whoever makes it.

    ``fresh`` takes a value that was there before, as ``fallback``, only where making a new one fails.
    Raises what the computation raised: its own error in its own process, `RemoteError` in others.
    """
    return (yield from _Pursuit(around, fallback).run(fresh=fresh))


def refresh(around: Surroundings, known: Envelope) -> Steps:
    """Make the key's value anew, unless that is under way or done; None where it is under way."""
    return (yield from _Pursuit(around, known).replace(known))


class _Pursuit:
    """One search for a value; ``best`` is what may be served where making a new one fails."""

    def __init__(self, around: Surroundings, best: Envelope | None) -> None:
        self._around = around
        self._policy = around.policy
        self._best = best
        self._known: bytes | None = None
        self._waited = False

    def run(self, *, fresh: bool) -> Steps:
        blob = yield Read()
        if blob is DOWN:
            return (yield from self._without_server())
        if isinstance(blob, bytes):
            self._known = blob
            envelope = self._open(blob)
            if envelope is not None and not fresh and (landing := self._serve(envelope)):
                return landing
            if envelope is not None and envelope.kind != "error":
                # Also who wants a new one is better served with the one before than with none.
                self._best = envelope
        if not fresh:
            self._around.count("miss")
        return (yield from self._contend())

    def replace(self, known: Envelope) -> Steps:
        self._known = known.pack()
        reply = yield Acquire(seen(self._known))
        match reply:
            case Granted(lease):
                self._around.count("early")
                return (yield from self._lead(lease))
            case Hit(blob) if (envelope := self._open(blob)) is not None:
                return Landing(envelope, "redis")
            case Down():
                return (yield from self._without_server())
            case _:
                return None

    def _serve(self, envelope: Envelope) -> Landing | None:
        now = self._around.clock()
        if now < envelope.soft_expiry:
            if envelope.kind == "error":
                self._around.count("error")
                _raise_told(envelope)
            self._around.count("negative" if envelope.kind == "negative" else "hit")
            return Landing(envelope, "redis", refresh=self._early(envelope, now))
        if now < envelope.hard_expiry and envelope.kind != "error":
            self._best = envelope
            if self._policy.stale_while_refreshing:
                self._around.count("stale")
                return Landing(envelope, "stale", refresh=True)
        return None

    def _early(self, envelope: Envelope, now: float) -> bool:
        return is_early(
            now, envelope.soft_expiry, envelope.delta, self._policy.beta, self._around.draw()
        )

    def _contend(self) -> Steps:
        while True:
            reply = yield Acquire(seen(self._known))
            match reply:
                case Granted(lease):
                    if self._waited:
                        self._around.count("takeover")
                    return (yield from self._lead(lease))
                case Wait(left_s):
                    told = yield Await(min(left_s, self._policy.lease_s / 3))
                    self._waited = True
                    if isinstance(told, bytes) and (landing := self._told(told)):
                        return landing
                case Hit(blob):
                    if landing := self._told(blob):
                        return landing
                    self._known = blob
                case _:
                    return (yield from self._without_server())

    def _told(self, blob: bytes) -> Landing | None:
        """Return what a newer blob is good for; raises the error it tells of."""
        envelope = self._open(blob)
        if envelope is None or envelope.fence <= self._known_fence():
            return None
        if envelope.kind == "error":
            if error_fields(envelope)[0] in _OWN_AFFAIR_NAMES:
                return None
            return self._failed(lambda: _raise_told(envelope))
        if envelope.hard_expiry <= self._around.clock():
            return None
        self._around.count("hit_after_wait" if self._waited else "hit")
        return Landing(envelope, "redis")

    def _known_fence(self) -> int:
        envelope = None if self._known is None else Envelope.unpack(self._known)
        return -1 if envelope is None else envelope.fence

    def _lead(self, lease: Lease) -> Steps:
        done = yield Compute(lease)
        if isinstance(done, Failed) and isinstance(done.error, LeaseLost):
            self._waited = True
            return (yield from self._contend())
        if isinstance(done, Failed):
            return (yield from self._abort(lease, done))
        if not isinstance(done, Computed):
            raise TypeError(f"Compute was answered by {done!r}")
        envelope = self._seal(done, lease.fence)
        reply = yield Commit(lease, envelope.pack(), envelope.hard_expiry - envelope.stored)
        if isinstance(reply, Committed) and not reply.accepted:
            return self._refused(lease, envelope, reply.blob)
        return Landing(envelope, "upstream")

    def _refused(self, lease: Lease, mine: Envelope, blob: bytes) -> Landing:
        """Return the newer holder's value: ours came after the lease was lost."""
        current = self._open(blob) if blob else None
        if current is not None and current.fence == lease.fence:
            # Ours: the commit was sent twice, since its first answer was lost.
            return Landing(mine, "upstream")
        self._around.count("late_commit")
        if current is None or current.fence < lease.fence or current.kind == "error":
            return Landing(mine, "upstream")
        return Landing(current, "redis")

    def _abort(self, lease: Lease, failed: Failed) -> Steps:
        now, keep = self._around.clock(), self._policy.error_ttl_s
        if self._usable(now) or not is_kept(failed.error):
            # A stale value is worth more than a record of why there is no fresh one.
            keep = 0.0
        told = Envelope(
            "error", lease.fence, now, now + keep, now + keep, failed.delta_s,
            encode_error(failed.error),
        )  # fmt: skip
        yield Commit(lease, told.pack(), keep)
        return self._failed(lambda: _raise(failed.error))

    def _failed(self, fail: Callable[[], NoReturn]) -> Landing:
        best = self._best
        if best is None or not (self._usable(self._around.clock()) and self._policy.stale_on_error):
            fail()
        self._around.count("stale")
        return Landing(best, "stale")

    def _usable(self, now: float) -> bool:
        return self._best is not None and now < self._best.hard_expiry

    def _without_server(self) -> Steps:
        self._around.count("degraded")
        done = yield Compute(None)
        if isinstance(done, Failed):
            error = done.error
            return self._failed(lambda: _raise(error))
        if not isinstance(done, Computed):
            raise TypeError(f"Compute was answered by {done!r}")
        return Landing(self._seal(done, 0), "upstream")

    def _seal(self, done: Computed, fence: int) -> Envelope:
        policy, now = self._policy, self._around.clock()
        soft, hard = policy.soft_ttl_s, policy.hard_ttl_s
        if done.kind == "negative":
            soft, hard = min(soft, policy.negative_ttl_s), min(hard, policy.negative_ttl_s)
        if policy.jitter:
            soft *= 1 - policy.jitter * self._around.draw()
        return Envelope(done.kind, fence, now, now + soft, now + hard, done.delta_s, done.payload)

    def _open(self, blob: bytes) -> Envelope | None:
        envelope = Envelope.unpack(blob)
        if envelope is None:
            self._around.count("corrupt")
        return envelope


def _raise(error: BaseException) -> NoReturn:
    raise error


def _raise_told(envelope: Envelope) -> NoReturn:
    raise RemoteError(*error_fields(envelope))
