"""What the services count: calls by route and status, and requests against a daily quota."""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter, defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from plantid_core.sandbox.faults import Service

DEFAULT_QUOTA = 500

# Tokens and custom ids in a path are one route: they would make a counter a call.
_TOKEN = re.compile(
    r"(?<=/v3)/(identification|health_assessment|kb/plants|kb/diseases)/(?!name_search$)[^/]+"
)
_ONE_OF = r"/\1/{token}"


@dataclass(slots=True)
class Ledger:
    """Counts of one sandbox. Quotas are a day's, and begin anew at 00:00 UTC."""

    quotas: dict[str, int | None]
    _in_flight: Counter[str] = field(default_factory=Counter)
    _abandoned: Counter[str] = field(default_factory=Counter)
    _used: Counter[tuple[str, dt.date]] = field(default_factory=Counter)
    _calls: defaultdict[str, defaultdict[str, Counter[str]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(Counter))
    )

    def counter(self, service: Service, method: str, path: str) -> Callable[[str], None]:
        """Return what counts one call, that begins now, under the status it ends with.

        A call that `reset` finds under way is forgotten with the others, whenever it ends.
        """
        route = f"{method} {_TOKEN.sub(_ONE_OF, path)}"
        statuses = self._calls[service]

        def count(status: str) -> None:
            statuses[route][status] += 1

        return count

    def under_way(self, service: Service) -> AbstractContextManager[None]:
        """Count one call as in flight while its client waits."""
        return _counted(self._in_flight, service)

    def left_alone(self, service: Service) -> AbstractContextManager[None]:
        """Count one call as abandoned while it is served to a client that has left."""
        return _counted(self._abandoned, service)

    def in_flight(self) -> dict[str, int]:
        """Return the calls that somebody waits for now, by service."""
        return {service: self._in_flight[service] for service in self.quotas}

    def abandoned(self) -> dict[str, int]:
        """Return the calls still served, and to be counted, whose client has left, by service."""
        return {service: self._abandoned[service] for service in self.quotas}

    def calls(self) -> dict[str, dict[str, dict[str, int]]]:
        """Return the counts by service, route and status."""
        return {
            service: {route: dict(statuses) for route, statuses in routes.items()}
            for service, routes in self._calls.items()
        }

    def reset(self) -> None:
        """Forget all calls, also those under way; the quotas' use stays."""
        self._calls.clear()
        self._abandoned = Counter()

    def used(self, service: Service) -> int:
        """Return the credits used today."""
        return self._used[service, today()]

    def remaining(self, service: Service) -> int | None:
        """Return the credits left today, None where there is no limit."""
        quota = self.quotas.get(service)
        return None if quota is None else max(0, quota - self.used(service))

    def charge(self, service: Service, credits_: int = 1) -> bool:
        """Take credits, if there are enough; tell whether there were."""
        remaining = self.remaining(service)
        if remaining is not None and remaining < credits_:
            return False
        self._used[service, today()] += credits_
        return True


@contextmanager
def _counted(counts: Counter[str], service: Service) -> Iterator[None]:
    counts[service] += 1
    try:
        yield
    finally:
        counts[service] -= 1


def today() -> dt.date:
    """Return the quota's day."""
    return dt.datetime.now(dt.UTC).date()


def seconds_to_midnight() -> int:
    """Return the seconds until the quotas begin anew."""
    now = dt.datetime.now(dt.UTC)
    midnight = dt.datetime.combine(now.date() + dt.timedelta(days=1), dt.time(), dt.UTC)
    return int((midnight - now).total_seconds()) + 1
