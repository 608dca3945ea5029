"""All that stands between a request and one paid service, in the order a call passes it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plantid_core.errors import (
    BulkheadFull,
    DeadlineExceeded,
    ProviderError,
    ProviderQuotaExceeded,
    ProviderRejected,
    ProviderUnavailable,
)
from plantid_core.palette import age
from plantid_core.resilience.breaker import BreakerOpen
from plantid_core.resilience.outcome import FAILURE, IGNORED, by_meaning

if TYPE_CHECKING:
    from collections.abc import Callable

    from plantid_core.allowance import Allowance
    from plantid_core.credits import Credits
    from plantid_core.deadline import Deadline
    from plantid_core.plants import Reply
    from plantid_core.resilience.breaker import Breaker
    from plantid_core.resilience.bulkhead import Bulkhead
    from plantid_core.resilience.outcome import Judgement
    from plantid_core.resilience.quota import Quota
    from plantid_core.resilience.retry import Retrier

_FULL_RETRY_S = 1.0
_SHORTEST_RETRY_S = 1.0
_QUOTA_RETRY_S = 600.0
_LEAST_S, _LEAST_SHARE = 0.5, 0.1


@dataclass(frozen=True, slots=True)
class Guards:
    """What one service's calls pass: its breaker, its bulkhead, the quota, the retrier."""

    provider: str
    breaker: Breaker
    quota: Quota
    bulkhead: Bulkhead
    retrier: Retrier
    credits: Credits
    allowance: Allowance

    def refuses(self) -> bool:
        """Tell whether a call made now would surely be refused by the breaker."""
        try:
            self.breaker.check()
        except BreakerOpen:
            return True
        return False

    def call(self, identify: Callable[[], Reply], deadline: Deadline, user: str) -> Reply:
        """Return the service's reply; raises `ProviderError` or `DeadlineExceeded`.

        A refusal costs nothing, neither the service's quota nor the user's.
        """
        try:
            self.breaker.check()
            with self.bulkhead.slot(deadline):
                _require_time(deadline)
                reply = self.breaker.call(self._paid, identify, deadline, user)
        except BreakerOpen as error:
            wait = max(_SHORTEST_RETRY_S, error.retry_after_s)
            told = f"The service failed repeatedly and is asked again in {age(math.ceil(wait))}."
            refused = self._refused("breaker_open", told, wait)
        except BulkheadFull:
            refused = self._full()
        else:
            return self.allowance.noted(reply)
        raise refused

    def turned_away(self) -> ProviderUnavailable:
        """Return the refusal of a caller for whom there is not even a thread to wait in."""
        self.bulkhead.turn_away()
        return self._full()

    def _paid(self, identify: Callable[[], Reply], deadline: Deadline, user: str) -> Reply:
        """Call within the quota; only what the service cannot have counted is given back."""
        # Inside the breaker: who is refused a permit, or never gets a slot, has reserved nothing.
        reservation = self.quota.reserve(self.provider, user)
        try:
            reply = self.retrier.call(identify, deadline)
        except BaseException as error:
            if _cost_nothing(error):
                reservation.give_back()
            else:
                self.credits.add(self.provider, "spent")
            self._note_refusal(error)
            raise
        self.credits.add(self.provider, "spent")
        return reply

    def _note_refusal(self, error: BaseException) -> None:
        if isinstance(error, ProviderQuotaExceeded):
            named = error.retry_after_s
            renews_in_s = _QUOTA_RETRY_S if named is None else max(_SHORTEST_RETRY_S, named)
            self.quota.note_remaining(self.provider, 0, renews_in_s)

    def _full(self) -> ProviderUnavailable:
        told = "Too many requests to the service are under way."
        return self._refused("bulkhead_full", told, _FULL_RETRY_S)

    def _refused(self, code: str, told: str, retry_after_s: float) -> ProviderUnavailable:
        return ProviderUnavailable(
            self.provider, code, told, retry_after_s=retry_after_s, transient=True
        )


def _require_time(deadline: Deadline) -> None:
    """Raise `DeadlineExceeded` where a call would be broken off, and paid for, before it can end."""
    if deadline.require() < min(_LEAST_S, _LEAST_SHARE * deadline.budget_s):
        raise DeadlineExceeded(deadline.budget_s)


def _cost_nothing(error: BaseException) -> bool:
    """Tell whether the service cannot have counted the call, or said no itself."""
    if isinstance(error, ProviderQuotaExceeded | ProviderRejected):
        return True
    return isinstance(error, ProviderError) and error.uncounted


def in_fair_time(fair_s: float) -> Callable[[BaseException, float], Judgement]:
    """Return a judge to whom a caller's own deadline speaks against a service that had ``fair_s``."""

    def judge(error: BaseException, took_s: float) -> Judgement:
        if getattr(error, "transient", False):
            return IGNORED  # a refusal of our own, which says nothing of the service
        if isinstance(error, DeadlineExceeded):
            return FAILURE if took_s >= fair_s else IGNORED
        return by_meaning(error, took_s)

    return judge
