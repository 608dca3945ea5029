"""Counts of requests are told to the other processes through Redis, behind the requests."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool

from plantid_core.resilience.counts import Counts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping

    import redis

    from plantid_core.resilience.link import Address
    from plantid_core.web.guards.windows import Due, SlidingWindows

    Ask = Callable[[Callable[[redis.Redis], list[int]]], list[int] | None]

PREFIX = "plantid:throttle"
_EVERY_S = 1.0


@asynccontextmanager
async def shared(
    windows: Mapping[str, SlidingWindows], address: Address | None
) -> AsyncIterator[None]:
    """Tell these counts, by the name of their rate, to others every second; alone without Redis."""
    counts = Counts(address)
    task = asyncio.create_task(_forever(windows, counts.ask))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await run_in_threadpool(counts.close)


async def _forever(windows: Mapping[str, SlidingWindows], ask: Ask) -> None:
    while True:
        await asyncio.sleep(_EVERY_S)
        await reconcile(windows, ask)


async def reconcile(windows: Mapping[str, SlidingWindows], ask: Ask) -> None:
    """Add what was counted here to everybody's counts, and learn these."""
    for name, one in windows.items():
        dues = one.outstanding()
        if not dues:
            continue
        # What is counted meanwhile is told next time.
        owns = [due.tally.own for due in dues]
        added = [own - due.tally.told for own, due in zip(owns, dues, strict=True)]
        keys = [_key(name, due) for due in dues]
        expiry_s = 3 * one.rate.period_s
        totals = await run_in_threadpool(ask, _adding(keys, added, expiry_s))
        if totals is None:
            one.give_back(dues)
            continue
        for due, own, total in zip(dues, owns, totals, strict=True):
            due.tally.learn(own, total)
        one.give_back([due for due in dues if due.tally.own > due.tally.told])


def _key(name: str, due: Due) -> str:
    # A digest: Redis need not know who asks, nor from where.
    digest = hashlib.blake2b(due.key.encode(), digest_size=16).hexdigest()
    return f"{PREFIX}:{name}:{due.window}:{digest}"


def _adding(
    keys: Iterable[str], added: Iterable[int], expiry_s: int
) -> Callable[[redis.Redis], list[int]]:
    def job(client: redis.Redis) -> list[int]:
        pipeline = client.pipeline(transaction=False)
        for key, amount in zip(keys, added, strict=True):
            pipeline.incrby(key, amount)
            pipeline.expire(key, expiry_s)
        answers: list[int] = pipeline.execute()
        return answers[::2]

    return job
