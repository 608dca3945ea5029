"""The process that computes for all others is killed, or sleeps through its lease."""

from __future__ import annotations

import signal
import threading
import time
from typing import TYPE_CHECKING

from callers import Callers, Job, in_threads

from plantid_core.resilience.envelope import Envelope

if TYPE_CHECKING:
    from collections.abc import Callable

    from servers import Server

    from plantid_core.resilience.cache import Cache

    MakeCache = Callable[..., Cache]

LEASE_S = 0.6


def test_a_killed_leader_is_replaced(make_cache: MakeCache, server: Server) -> None:
    """Those who wait in another process take over when the dead leader's lease has expired."""
    cache = make_cache(lease_s=LEASE_S)
    with Callers(Job(server.url, threads=2, compute_s=30, lease_s=LEASE_S)) as leader:
        leader.until("ready").go().until("computing")

        began = time.monotonic()
        threading.Timer(0.2, leader.process.kill).start()
        answers = in_threads(*[lambda: cache.get("key", lambda: "taken over").value] * 5)

    assert answers == ["taken over"] * 5
    assert time.monotonic() - began < LEASE_S + 2.2
    assert cache.events()["takeover"] == 1


def test_a_stopped_leader_cannot_overwrite(make_cache: MakeCache, server: Server) -> None:
    """A leader that slept through its lease returns, and stores, nothing older than the value."""
    cache = make_cache(lease_s=LEASE_S)
    with Callers(Job(server.url, threads=3, compute_s=1, lease_s=LEASE_S)) as leader:
        leader.until("ready").go().until("computing")

        leader.process.send_signal(signal.SIGSTOP)
        newer = cache.get("key", lambda: "newer")
        leader.process.send_signal(signal.SIGCONT)
        report = leader.report()

    stored = Envelope.unpack(server.client().get("{key}:v") or b"")  # type: ignore[arg-type]
    assert newer.value == "newer"
    assert stored is not None
    assert stored.value == "newer"
    assert report.values == ["newer"] * 3
    assert report.events["late_commit"] == 1
