"""Ways to keep a popular key from being computed by everybody at once, by name.

``none``, ``redis-lock``, ``xfetch``, ``xfetch+lock``, ``coalesce`` and ``redlock`` are the classical
ones, done right; the ``seed-*`` ones are a well-known write-up's snippets with only what raises at
once mended, to watch them fail; ``lease`` is ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from plantid_core.resilience.link import Address

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import redis

    from plantid_core.resilience.ground import Ground

__all__ = ["NAMES", "Strategy", "strategy"]

T = TypeVar("T")

NAMES = (
    "none", "redis-lock", "xfetch", "xfetch+lock", "coalesce", "redlock", "lease",
    "seed-lock", "seed-early", "seed-coalesce", "seed-combined",
)  # fmt: skip


class Strategy(Protocol):
    """A cache with a way of its own to meet a stampede; thread-safe."""

    def get(self, key: str, compute: Callable[[], T], *, deadline_s: float | None = None) -> T:
        """Return the key's value, from the cache or computed.

        Raises what ``compute`` raised, and `DeadlineExceeded` where the strategy can tell that
        ``deadline_s`` seconds have passed.
        """

    def close(self) -> None:
        """Let go of connections and threads."""


def strategy(  # noqa: PLR0913 - the stable face, all by keyword
    name: str,
    client: redis.Redis,
    *,
    ttl_s: float,
    beta: float = 1.0,
    soft_ttl_s: float | None = None,
    negative_ttl_s: float | None = None,
    jitter: float = 0.0,
    lease_s: float = 1.5,
    masters: Sequence[redis.Redis] | None = None,
    ground: Ground | None = None,
) -> Strategy:
    """Return the strategy of that name over the Redis that ``client`` is for; durations in seconds.

    Only address and credentials are taken from ``client``. Values live ``ttl_s``; from
    ``soft_ttl_s`` on (None: ``ttl_s``) they are stale; None as a value lives ``negative_ttl_s`` (None:
    ``ttl_s``). ``masters`` are the independent servers of ``redlock`` (None: the one). ``ground`` is what
    it all stands on (None: real clocks, threads and servers; see `ground`). Raises
    ValueError for an unknown name or impossible durations.
    """
    from plantid_core.resilience.ground import REAL
    from plantid_core.resilience.policy import Policy
    from plantid_core.resilience.strategies import classic, leased, seed

    if name not in NAMES:
        raise ValueError(f"there is no strategy {name!r}; use one of {', '.join(NAMES)}")
    policy = Policy(
        soft_ttl_s=ttl_s if soft_ttl_s is None else soft_ttl_s,
        hard_ttl_s=ttl_s,
        negative_ttl_s=ttl_s if negative_ttl_s is None else negative_ttl_s,
        jitter=jitter,
        beta=beta,
        lease_s=lease_s,
    )
    address, ground = Address.of(client), ground or REAL
    if name == "lease":
        return leased.LeaseStrategy(address, policy, ground=ground)
    if name in seed.MADE:
        return seed.MADE[name](address, policy, ground)
    return classic.make(name, address, policy, [Address.of(m) for m in masters or [client]], ground)
