"""A service's own count of what is left: read from its answers, or asked for once in a while."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from plantid_core.deadline import Deadline
from plantid_core.errors import DeadlineExceeded, ProviderError
from plantid_core.plants import Metered

if TYPE_CHECKING:
    from plantid_core.plants import Provider, Reply
    from plantid_core.resilience.quota import Quota

_PAUSE_S = 60.0
_ALLOWED_S = 2.0


class Allowance:
    """Keeps the quota told of one service's own count; asks at most once a minute, behind a caller."""

    def __init__(self, provider: Provider, quota: Quota) -> None:
        self._name, self._quota = provider.name, quota
        self._metered = provider if isinstance(provider, Metered) else None
        self._lock = threading.Lock()
        self._asked_at = -_PAUSE_S
        self._asking: threading.Thread | None = None

    def noted(self, reply: Reply) -> Reply:
        """Return the reply of a call just made, with the service's count where that is known."""
        if reply.remaining is not None:
            self._quota.note_remaining(self._name, reply.remaining, None)
            return reply
        if self._metered is None:
            return reply
        known = self._quota.remaining(self._name)
        self._ask_behind(self._metered)
        return replace(reply, remaining=known)

    def _ask_behind(self, metered: Metered) -> None:
        with self._lock:
            if time.monotonic() - self._asked_at < _PAUSE_S:
                return
            self._asked_at = time.monotonic()
            self._asking = threading.Thread(
                target=self._ask, args=(metered,), name=f"allowance-{self._name}", daemon=True
            )
            self._asking.start()

    def _ask(self, metered: Metered) -> None:
        try:
            remaining = metered.remaining(Deadline.after(_ALLOWED_S))
        except (ProviderError, DeadlineExceeded):
            return  # it is for information; the next call asks again
        if remaining is not None:
            self._quota.note_remaining(self._name, remaining, None)

    def close(self) -> None:
        """Wait for a question under way, so that it finds its connections open."""
        if self._asking is not None:
            self._asking.join(_ALLOWED_S)
