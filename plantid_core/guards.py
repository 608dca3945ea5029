"""All that stands between a request and one paid service, in the order a call passes it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plantid_core.errors import (
    BulkheadFull,
    DeadlineExceeded,
    ProviderQuotaExceeded,
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


@dataclass(frozen=True, slots=True)
class Guards:
    """What one service's calls pass: its breaker, the quota, its bulkhead, the retrier."""

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

        A refusal costs nothing; a call that was not made, or failed, is given back to the quota.
        """
        try:
            return self._call(identify, deadline, user)
        except BreakerOpen as error:
            wait = max(_SHORTEST_RETRY_S, error.retry_after_s)
            told = f"The service failed repeatedly and is asked again in {age(math.ceil(wait))}."
            refused = self._refused("breaker_open", told, wait)
        except BulkheadFull:
            told = "Too many requests to the service are under way."
            refused = self._refused("bulkhead_full", told, _FULL_RETRY_S)
        raise refused

    def _call(self, identify: Callable[[], Reply], deadline: Deadline, user: str) -> Reply:
        self.breaker.check()
        reservation = self.quota.reserve(self.provider, user)
        try:
            with self.bulkhead.slot(deadline):
                reply = self.breaker.call(self.retrier.call, identify, deadline)
        except BaseException as error:
            reservation.give_back()
            self._note_refusal(error)
            raise
        self.credits.add(self.provider, "spent")
        return self.allowance.noted(reply)

    def _note_refusal(self, error: BaseException) -> None:
        if isinstance(error, ProviderQuotaExceeded):
            renews_in_s = error.retry_after_s or _QUOTA_RETRY_S
            self.quota.note_remaining(self.provider, 0, renews_in_s)

    def _refused(self, code: str, told: str, retry_after_s: float) -> ProviderUnavailable:
        return ProviderUnavailable(
            self.provider, code, told, retry_after_s=retry_after_s, transient=True
        )


def in_fair_time(fair_s: float) -> Callable[[BaseException, float], Judgement]:
    """Return a judge to whom a caller's own deadline speaks against a service that had ``fair_s``."""

    def judge(error: BaseException, took_s: float) -> Judgement:
        if isinstance(error, DeadlineExceeded):
            return FAILURE if took_s >= fair_s else IGNORED
        return by_meaning(error, took_s)

    return judge
