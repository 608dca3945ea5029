"""``python -m plantid_core.lab.live.client FD REDIS PORT``: one of a live run's client processes.

It takes orders over the connection at the descriptor, one at a time, and ends with it.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, cast

import redis

from plantid_core.lab.live import orders
from plantid_core.lab.live.calibration_jobs import measure
from plantid_core.lab.live.dispatch import Dispatch
from plantid_core.lab.live.upstream import Upstream
from plantid_core.resilience import strategy

if TYPE_CHECKING:
    from plantid_core.lab.workload import Workload
    from plantid_core.resilience import Strategy

_PROGRESS_S = 0.25


class Client:
    """One process: its line to the rig, its Redis and its services."""

    def __init__(self, line: Connection, redis_url: str, port: int) -> None:
        self._line = line
        self._redis = redis.Redis.from_url(redis_url)
        self._upstream = Upstream(port)

    def serve(self) -> None:
        """Carry orders out until the rig is gone."""
        self._line.send(orders.Ready())
        while True:
            order = cast("orders.Order", self._line.recv())
            try:
                told = self._carry_out(order)
            except EOFError:
                raise
            except Exception:  # noqa: BLE001 - the rig is told
                told = orders.Broke(traceback.format_exc())
            if told is not None:
                self._line.send(told)

    def _carry_out(self, order: orders.Order) -> orders.Told | None:
        match order:
            case orders.Share():
                return self._ask(order)
            case orders.Measure():
                return orders.Measured(measure(order, self._redis, self._upstream))
            case _:
                return None  # a stop that came when all was over

    def _ask(self, share: orders.Share) -> orders.Seen:
        asked = make(share.strategy, self._redis, share.workload)
        dispatch = Dispatch(share, asked, self._upstream.call)
        dispatch.start()
        until = share.at + share.duration_s + share.grace_s
        while not dispatch.wait(_PROGRESS_S) and time.monotonic() < until:
            self._line.send(dispatch.progress())
            if self._line.poll():
                self._line.recv()
                dispatch.stop()
                until = min(until, time.monotonic() + share.grace_s)
        seen = dispatch.seen()
        if not seen.unanswered:
            asked.close()
            seen = dispatch.seen()  # with the refreshes that were under way
        return seen


def make(name: str, client: redis.Redis, workload: Workload) -> Strategy:
    """Return the strategy of that name with a workload's settings."""
    return strategy(
        name,
        client,
        ttl_s=workload.ttl_s,
        beta=workload.beta,
        soft_ttl_s=workload.soft_s,
        jitter=workload.jitter,
        lease_s=workload.lease_s,
    )


def main() -> None:
    """Serve until the rig closes the line, or is no more."""
    line = Connection(int(sys.argv[1]))
    try:
        Client(line, sys.argv[2], int(sys.argv[3])).serve()
    except (EOFError, OSError):
        # Threads may hang in a strategy; nobody waits for them any more.
        os._exit(0)


if __name__ == "__main__":
    main()
