"""``lease``: one computation for all processes, everyone who waits is woken by its value."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from plantid_core.deadline import Deadline
from plantid_core.resilience.cache import Cache
from plantid_core.resilience.ground import REAL

if TYPE_CHECKING:
    from collections.abc import Callable

    from plantid_core.resilience.ground import Ground
    from plantid_core.resilience.link import Address
    from plantid_core.resilience.policy import Policy

T = TypeVar("T")


class LeaseStrategy:
    """`Cache`, with the face of a strategy."""

    def __init__(
        self, address: Address | None, policy: Policy, *, thin: bool = True, ground: Ground = REAL
    ) -> None:
        self.cache = Cache(address, policy, thin=thin, ground=ground)
        self._monotonic = ground.monotonic
        self._near_hit = self.cache.counters.adder("near_hit")

    def get(self, key: str, compute: Callable[[], T], *, deadline_s: float | None = None) -> T:
        """Return the key's value; see `Strategy.get`. Values are shared: do not change them."""
        kept = self.cache.near.peek(key)
        deadline = None if deadline_s is None else Deadline.after(deadline_s)
        if kept is None:
            found = self.cache.seek(key, compute, deadline)
        elif self._monotonic() < kept.calm_until:
            self._near_hit()
            return kept.value  # type: ignore[return-value]  # what compute returned
        else:
            found = self.cache.get(key, compute, deadline)
        return found.value  # type: ignore[return-value]  # a cast would cost as much as a look-up

    def close(self) -> None:
        """Let go of connections and threads."""
        self.cache.close()
