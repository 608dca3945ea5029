"""Stale values at once, for callers who know that upstream will not be called."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from callers import Held
from processes import in_child, until

from plantid_core.deadline import Deadline
from plantid_core.errors import DeadlineExceeded, ProviderUnavailable, UserQuotaExceeded

if TYPE_CHECKING:
    from collections.abc import Callable

    import redis
    from servers import Server

    from plantid_core.resilience.cache import Cache

    MakeCache = Callable[..., Cache]

REFUSED = ProviderUnavailable("plantnet", "breaker_open", "left alone", transient=True)


def never() -> object:
    raise AssertionError("upstream was called")


def refuse() -> object:
    raise REFUSED


def commands(client: redis.Redis) -> dict[str, int]:
    """Return how often the server carried out each command but those of this test."""
    stats = client.info("commandstats")
    return {
        name.removeprefix("cmdstat_"): entry["calls"]
        for name, entry in stats.items()  # type: ignore[union-attr]
        if not name.startswith(("cmdstat_info", "cmdstat_config"))
    }


def make_stale(cache: Cache, key: str = "key") -> None:
    cache.get(key, lambda: "old")
    time.sleep(0.15)


def test_a_near_value_is_served_without_redis(make_cache: MakeCache, server: Server) -> None:
    """Of a stale near value Redis hears nothing, and nothing is refreshed."""
    cache, admin = make_cache(soft_ttl_s=0.1, stale_while_refreshing=False), server.client()
    make_stale(cache)
    before = commands(admin)

    found = cache.get("key", never, prefer_stale=True)

    assert (found.value, found.origin) == ("old", "stale")
    assert found.age_s >= 0.1
    assert cache.events()["stale"] == 1
    assert commands(admin) == before


def test_a_value_of_another_process_costs_one_get(make_cache: MakeCache, server: Server) -> None:
    """Where no copy is near, one GET brings it: no script, no lease."""
    maker = make_cache(soft_ttl_s=0.1)
    cache, admin = make_cache(soft_ttl_s=0.1, stale_while_refreshing=False), server.client()
    make_stale(maker)
    before = commands(admin)

    found = [cache.get("key", never, prefer_stale=True) for _ in range(3)]

    assert {(one.value, one.origin) for one in found} == {("old", "stale")}
    assert commands(admin) == {**before, "get": before["get"] + 1}


def test_a_fresh_value_is_fresh(make_cache: MakeCache) -> None:
    """What is not yet stale keeps its origin, near and from Redis."""
    here, there = make_cache(), make_cache()
    here.get("key", lambda: "new")

    assert here.get("key", never, prefer_stale=True).origin == "near"
    assert there.get("key", never, prefer_stale=True).origin == "redis"


def test_what_is_gone_is_computed(make_cache: MakeCache) -> None:
    """A value past its hard expiry is not served: the computation's own refusal is."""
    cache = make_cache(soft_ttl_s=0.1, hard_ttl_s=0.1)
    make_stale(cache)

    with pytest.raises(ProviderUnavailable):
        cache.get("key", refuse, prefer_stale=True)
    assert cache.get("key", lambda: "new").value == "new"


def test_a_fresh_request_that_is_refused_gets_the_value_before(make_cache: MakeCache) -> None:
    """It is asked for anew first, and what comes instead is marked as stale."""
    cache, asked = make_cache(soft_ttl_s=0.1), []
    make_stale(cache)

    def refused() -> object:
        asked.append(1)
        return refuse()

    found = cache.get("key", refused, fresh=True, prefer_stale=True)

    assert asked == [1]
    assert (found.value, found.origin) == ("old", "stale")


def test_without_redis_the_near_value_serves(make_cache: MakeCache, server: Server) -> None:
    """A dead Redis changes nothing of it."""
    cache = make_cache(soft_ttl_s=0.1, stale_while_refreshing=False)
    make_stale(cache)
    server.kill()

    assert cache.get("key", never, prefer_stale=True).origin == "stale"


def test_a_refusal_of_our_own_is_not_remembered(make_cache: MakeCache) -> None:
    """Neither here nor in another process: as soon as calls are allowed, one is made."""
    here, there = make_cache(error_ttl_s=60), make_cache(error_ttl_s=60)
    with pytest.raises(ProviderUnavailable):
        here.get("key", refuse)
    with pytest.raises(ProviderUnavailable):
        there.get("key", refuse)

    assert here.get("key", lambda: "new").value == "new"


def test_a_forked_child_hears_of_newer_values(make_cache: MakeCache) -> None:
    """What the child takes first in this way is replaced there as it is everywhere."""
    cache = make_cache()
    cache.get("key", lambda: "old")

    def look_twice() -> tuple[object, object]:
        first = cache.get("key", never, prefer_stale=True).value
        assert until(lambda: cache.get("key", never, prefer_stale=True).value != first, 5)
        return first, cache.get("key", never, prefer_stale=True).value

    newer = threading.Timer(1, cache.get, ("key", lambda: "new"), {"fresh": True})
    newer.start()
    said = in_child(look_twice)
    newer.join(10)

    assert said == repr(("old", "new"))


def test_one_users_used_up_quota_refuses_nobody_else(make_cache: MakeCache) -> None:
    """Those who joined a caller's flight, or wait in another process, ask for themselves."""
    here, there = make_cache(lease_s=0.6), make_cache(lease_s=0.6)
    leads, goes_on = threading.Event(), threading.Event()

    def refused() -> object:
        leads.set()
        goes_on.wait(5)
        raise UserQuotaExceeded("plantnet", "quota", "your minute is used up", transient=True)

    with ThreadPoolExecutor(3) as pool:
        leader = pool.submit(here.get, "key", refused)
        assert leads.wait(5)
        joined = [pool.submit(cache.get, "key", lambda: "leaf") for cache in (here, there)]
        time.sleep(0.2)
        goes_on.set()

        assert [one.result(10).value for one in joined] == ["leaf", "leaf"]
        with pytest.raises(UserQuotaExceeded):
            leader.result(10)


def test_a_failure_of_the_service_is_remembered(make_cache: MakeCache) -> None:
    """The rule for refusals is not one for failures."""
    cache = make_cache(error_ttl_s=60)

    def fail() -> object:
        raise ProviderUnavailable("plantnet", "http_500", "failed")

    with pytest.raises(ProviderUnavailable):
        cache.get("key", fail)

    with pytest.raises(ProviderUnavailable):
        cache.get("key", never)


def test_whoever_waited_in_vain_gets_the_value_before(make_cache: MakeCache) -> None:
    """A caller whose time runs out while another process, or thread, computes is served stale."""
    policy = {"soft_ttl_s": 0.1, "stale_while_refreshing": False}
    here, elsewhere = make_cache(**policy), make_cache(**policy)
    make_stale(here)
    slow = Held("new")
    with ThreadPoolExecutor(1) as pool:
        computing = pool.submit(elsewhere.get, "key", slow)
        assert slow.started.wait(10)

        of_another_process = here.get("key", never, Deadline.after(0.2))
        of_another_thread = elsewhere.get("key", never, Deadline.after(0.2))

        slow.released.set()
        assert computing.result(10).value == "new"
    assert (of_another_process.value, of_another_process.origin) == ("old", "stale")
    assert (of_another_thread.value, of_another_thread.origin) == ("old", "stale")


def test_with_nothing_kept_a_deadline_is_a_deadline(make_cache: MakeCache) -> None:
    """Where there is no value from before, the caller is told that its time is over."""
    cache = make_cache()
    slow = Held("new")
    with ThreadPoolExecutor(1) as pool:
        computing = pool.submit(cache.get, "key", slow)
        assert slow.started.wait(10)

        with pytest.raises(DeadlineExceeded):
            cache.get("key", never, Deadline.after(0.1))

        slow.released.set()
        assert computing.result(10).value == "new"


def test_asking_anew_in_vain_harms_nobody(make_cache: MakeCache) -> None:
    """Who wants a new value gets the one before where there is none, and it stays there for others."""
    asks, other = make_cache(error_ttl_s=5), make_cache(error_ttl_s=5)
    asks.get("key", lambda: "old")

    found = asks.get("key", lambda: {}["gone"], fresh=True)

    assert (found.value, found.origin) == ("old", "stale")
    assert other.get("key", never).value == "old"


def test_an_emptied_redis_takes_no_stale_value_away(make_cache: MakeCache, server: Server) -> None:
    """A near value that may be outdated is no answer while a new one can be made, and one if it cannot."""
    cache = make_cache(soft_ttl_s=600)
    cache.get("key", lambda: "old")
    server.kill()
    with pytest.raises(KeyError):
        cache.get("another", lambda: {}["gone"])
    server.restart()
    assert until(cache.available, 3.0)
    assert until(lambda: cache.near.peek("key").doubtful, 3.0)  # type: ignore[union-attr]

    without = cache.get("key", lambda: {}["gone"])
    anew = cache.get("key", lambda: "new")

    assert (without.value, without.origin) == ("old", "stale")
    assert (anew.value, anew.origin) == ("new", "upstream")
