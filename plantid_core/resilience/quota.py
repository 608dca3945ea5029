"""What may be asked of a service: so many credits a day, so many calls a user and minute.

Counted by `limits` in Redis for all processes together, in this process alone while Redis gives no
answer. A day ends at 00:00 UTC. Where a service tells its own count, the smaller one holds.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from limits import RateLimitItemPerMinute
from limits.strategies import MovingWindowRateLimiter

from plantid_core.deadline import to_midnight_s
from plantid_core.errors import ProviderQuotaExceeded, UserQuotaExceeded
from plantid_core.resilience.counts import PREFIX, Counts

if TYPE_CHECKING:
    from collections.abc import Mapping

    import redis

    from plantid_core.resilience.counts import Storage
    from plantid_core.resilience.link import Address

_ASK_AGAIN_S = 600.0
_KEPT_S = 90_000  # a day and an hour: the key names its day, so it only has to be gone some time


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one service; None: no bound of ours.

    ``scope`` keeps counts of one name apart that stand for different services (a sandbox, say).
    """

    per_day: int | None = None
    per_user_minute: int | None = None
    scope: str = ""


class QuotaState(TypedDict):
    """A service's credits today; ``limit`` and ``remaining`` None where nobody told."""

    limit: int | None
    used: int
    remaining: int | None


@dataclass(slots=True)
class Reservation:
    """Credits that are counted as used, until they are given back to the storage that took them."""

    _counts: Counts
    _storage: Storage
    _key: str
    _credits: int

    def give_back(self) -> None:
        """Count the credits as unused; a second time does nothing."""
        amount, self._credits = self._credits, 0
        if amount:
            self._counts.run_at(self._storage, lambda kept: _take_back(kept, self._key, amount))


class Quota:
    """Counts credits by service and day, and calls by user, service and minute."""

    def __init__(self, address: Address | None, limits: Mapping[str, Limits]) -> None:
        self._limits = limits
        self._counts = Counts(address)
        self._told: dict[str, tuple[int, float]] = {}

    def reserve(self, provider: str, user: str, credits_: int = 1) -> Reservation:
        """Count credits as used; raises `ProviderQuotaExceeded` where there are too few."""
        self._require_service(provider)
        self._require_user(provider, user)
        key, bound = self._day_key(provider), self._bounds(provider).per_day
        used, storage = self._counts.run(lambda kept: (kept.incr(key, _KEPT_S, credits_), kept))
        reservation = Reservation(self._counts, storage, key, credits_)
        if bound is not None and used > bound:
            reservation.give_back()
            raise _refused(
                provider, f"The {bound} requests a day set for it are used up.", to_midnight_s()
            )
        return reservation

    def _require_service(self, provider: str) -> None:
        told = self._service_says(provider)
        if told is not None and told[0] <= 0:
            raise _refused(provider, "The service has no requests left.", told[1])

    def _require_user(self, provider: str, user: str) -> None:
        bound, known_as = self._bounds(provider).per_user_minute, self._known_as(provider)
        if bound is None:
            return
        item = RateLimitItemPerMinute(bound)
        # A name or an address of a person is no key to leave lying in a store.
        whom = _digest(user)

        def wait_s(storage: Storage) -> float | None:
            window = MovingWindowRateLimiter(storage)
            if window.hit(item, known_as, whom):
                return None
            return window.get_window_stats(item, known_as, whom).reset_time - time.time()

        wait = self._counts.run(wait_s)
        if wait is not None:
            raise UserQuotaExceeded(
                provider,
                "quota",
                f"You may ask it {bound} times a minute.",
                retry_after_s=max(1.0, wait),
                transient=True,
            )

    def note_remaining(self, provider: str, remaining: int, renews_in_s: float | None) -> None:
        """Take note of the service's own count, for ``renews_in_s`` seconds.

        Where it did not say when it renews: to the end of the day, or ten minutes if none are left.
        """
        if renews_in_s is None:
            renews_in_s = to_midnight_s() if remaining > 0 else _ASK_AGAIN_S
        lasts = max(0.001, renews_in_s)
        self._told[provider] = remaining, time.monotonic() + lasts
        key = self._told_key(provider)
        self._counts.ask(lambda client: client.set(key, remaining, px=int(lasts * 1e3)))

    def remaining(self, provider: str) -> int | None:
        """Return the service's own count, None where it told none that still holds."""
        told = self._service_says(provider)
        return None if told is None else max(0, told[0])

    def _service_says(self, provider: str) -> tuple[int, float] | None:
        key = self._told_key(provider)
        shared = self._counts.ask(lambda client: _read(client, key))
        if shared is not None:
            return shared
        remaining, until = self._told.get(provider, (0, 0.0))
        left = until - time.monotonic()
        return (remaining, left) if left > 0 else None

    def state(self, provider: str) -> QuotaState:
        """Return a service's credits today."""
        bound, key = self._bounds(provider).per_day, self._day_key(provider)
        used = max(0, self._counts.run(lambda storage: storage.get(key)))
        ours = None if bound is None else max(0, bound - used)
        known = [count for count in (ours, self.remaining(provider)) if count is not None]
        return {"limit": bound, "used": used, "remaining": min(known, default=None)}

    def _bounds(self, provider: str) -> Limits:
        return self._limits.get(provider, Limits())

    def _known_as(self, provider: str) -> str:
        scope = self._bounds(provider).scope
        return f"{provider}:{_digest(scope)}" if scope else provider

    def _day_key(self, provider: str) -> str:
        return f"day:{self._known_as(provider)}:{dt.datetime.now(dt.UTC).date().isoformat()}"

    def _told_key(self, provider: str) -> str:
        return f"{PREFIX}:told:{self._known_as(provider)}"

    def close(self) -> None:
        """Let go of the connections."""
        self._counts.close()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _take_back(storage: Storage, key: str, amount: int) -> None:
    # A counter that was lost meanwhile must not begin below nothing.
    if storage.incr(key, _KEPT_S, -amount) < 0:
        storage.incr(key, _KEPT_S, amount)


def _read(client: redis.Redis, key: str) -> tuple[int, float] | None:
    value, left_ms = client.get(key), client.pttl(key)
    if not isinstance(value, bytes | str) or not isinstance(left_ms, int) or left_ms <= 0:
        return None
    try:
        return int(value), left_ms / 1e3
    except ValueError:  # foreign bytes in our place
        return None


def _refused(provider: str, sentence: str, retry_after_s: float) -> ProviderQuotaExceeded:
    return ProviderQuotaExceeded(
        provider, "quota", sentence, retry_after_s=retry_after_s, transient=True
    )
