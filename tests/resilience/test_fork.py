"""The shared cache in a forked child: nothing of the parent's threads and connections is used."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

from callers import Held, in_threads
from processes import in_child

if TYPE_CHECKING:
    from collections.abc import Callable

    from plantid_core.resilience.cache import Cache

    MakeCache = Callable[..., Cache]

LEASE_S = 0.6


def test_a_cache_works_on_in_a_forked_child(make_cache: MakeCache) -> None:
    """The child reads and computes over connections of its own, and leaves the parent's alone."""
    cache = make_cache()
    cache.get("before", lambda: 1)

    said = in_child(
        lambda: (cache.get("before", lambda: 2).value, cache.get("new", os.getppid).value)
    )

    assert said == repr((1, os.getpid()))
    assert cache.get("new", lambda: "again").value == os.getpid()
    assert cache.events()["degraded"] == 0


def test_a_forked_child_does_not_live_on_inherited_values(make_cache: MakeCache) -> None:
    """What the parent has replaced since the fork is not served in the child."""
    cache = make_cache()
    cache.get("key", lambda: "old")

    def look_later() -> object:
        time.sleep(0.5)
        return cache.get("key", lambda: "own").value

    threading.Timer(0.2, cache.get, ("key", lambda: "new"), {"fresh": True}).start()
    said = in_child(look_later)

    assert said == repr("new")


def test_a_fork_during_a_computation_does_not_stick(make_cache: MakeCache) -> None:
    """A flight that was under way at the fork holds nobody up in the child."""
    cache, held = make_cache(lease_s=LEASE_S), Held()
    leader = threading.Thread(target=cache.get, args=("key", held))
    leader.start()
    assert held.started.wait(5)
    threading.Timer(0.5, held.released.set).start()

    said = in_child(lambda: cache.get("key", lambda: "own").value)
    leader.join()

    assert said == repr("value")


def test_many_threads_of_a_child_begin_anew_together(make_cache: MakeCache) -> None:
    """The first callers in the child all find connections, and share one computation."""
    cache = make_cache()
    cache.get("before", lambda: 1)

    def crowd() -> object:
        calls: list[int] = []
        answers = in_threads(*[lambda: cache.get("key", lambda: calls.append(1)).value] * 40)
        return set(answers), len(calls), cache.events()["degraded"]

    said = [in_child(crowd) for _ in range(3)]

    assert said[0] == repr(({None}, 1, 0))
    assert said[1:] == [repr(({None}, 0, 0))] * 2
