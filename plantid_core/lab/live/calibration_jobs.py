"""What a client process times for a calibration: each part of a request, as the strategies do it."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from plantid_core.lab.live.dispatch import Dispatch
from plantid_core.lab.live.orders import Share
from plantid_core.lab.workload import Workload
from plantid_core.resilience import NAMES, strategy
from plantid_core.resilience import lease as leases
from plantid_core.resilience.envelope import Envelope, encode
from plantid_core.resilience.link import Address, Timeouts, command
from plantid_core.resilience.locks import RedisLock
from plantid_core.resilience.server import RedisServer
from plantid_core.resilience.wake import Wake

if TYPE_CHECKING:
    from collections.abc import Callable

    import redis

    from plantid_core.lab.live.orders import Measure, Seen
    from plantid_core.lab.live.upstream import Upstream
    from plantid_core.resilience import Strategy

T = TypeVar("T")

_TTL_S = 60.0
_HITS, _HITS_S = 40, 0.8
_CALLS, _CALLS_S = 60, 0.3
_TRIPS, _WAKES = 60, 20
_GRACE_S = 2.0
# Commands of a run come one at a time, after a while of nothing.
_PAUSE_S = 0.0015
# A waiter is asleep on its connection long before it is woken.
_ASLEEP_S = 0.004
_WAIT_S = 1.0


def measure(order: Measure, client: redis.Redis, upstream: Upstream) -> dict[str, list[float]]:
    """Return samples in seconds by name; see `Calibration` for the names."""
    time.sleep(max(0.0, order.at - time.monotonic()))
    samples = _hits(order, client)
    samples["compute_s"] = _calls(order, upstream)
    # Locks, leases and wakes are timed within the process; others' would be in the way.
    key = f"{order.prefix}own-{threading.get_native_id()}"
    address = Address.of(client)
    return samples | _classic(address, key) | _leased(address, key)


class _AllOf:
    """Sends each request to the strategy that its key names."""

    def __init__(self, order: Measure, asked: dict[str, Strategy]) -> None:
        self._asked = {f"{order.prefix}{place}": one for place, one in enumerate(asked.values())}

    def get(self, key: str, compute: Callable[[], T], *, deadline_s: float | None = None) -> T:
        """Return the key's value."""
        return self._asked[key].get(key, compute, deadline_s=deadline_s)

    def close(self) -> None:
        """Let go of connections and threads."""
        for one in self._asked.values():
            one.close()


class _Straight:
    """Keeps nothing: every request makes its value."""

    def get(self, key: str, compute: Callable[[], T], *, deadline_s: float | None = None) -> T:
        """Return what ``compute`` returns."""
        del key, deadline_s
        return compute()

    def close(self) -> None:
        """Do nothing."""


def _hits(order: Measure, client: redis.Redis) -> dict[str, list[float]]:
    asked = {name: strategy(name, client, ttl_s=_TTL_S) for name in NAMES}
    with closing(_AllOf(order, asked)) as all_of:
        for place in range(len(NAMES)):
            all_of.get(f"{order.prefix}{place}", lambda: {"made": time.monotonic()})
        keys = np.random.default_rng(0).permutation(np.repeat(np.arange(len(NAMES)), _HITS))
        seen = _dispatched(order, keys, _HITS_S, all_of, lambda: None)
    took = seen.answers.end - seen.answers.begin
    asked_of = keys[seen.answers.index]
    return {f"hit_s:{name}": took[asked_of == place].tolist() for place, name in enumerate(NAMES)}


def _calls(order: Measure, upstream: Upstream) -> list[float]:
    keys = np.zeros(_CALLS, np.int64)
    seen = _dispatched(order, keys, _CALLS_S, _Straight(), upstream.call)
    took: list[float] = (seen.calls.end - seen.calls.begin)[~seen.calls.failed].tolist()
    return took


def _dispatched(
    order: Measure,
    keys: np.ndarray[tuple[int], np.dtype[np.int64]],
    seconds: float,
    asked: Strategy,
    call: Callable[[], object],
) -> Seen:
    times = np.linspace(0.0, seconds, len(keys), endpoint=False)
    share = Share(
        "",
        Workload(),
        order.prefix,
        order.threads,
        time.monotonic(),
        seconds,
        _GRACE_S,
        times,
        keys,
    )
    dispatch = Dispatch(share, asked, call)
    dispatch.start()
    dispatch.wait(seconds + _GRACE_S)
    return dispatch.seen()


def _timed(work: Callable[[], object]) -> float:
    time.sleep(_PAUSE_S)
    begin = time.monotonic()
    work()
    return time.monotonic() - begin


def _classic(address: Address, key: str) -> dict[str, list[float]]:
    client = address.client(answer_s=3.0)
    blob = _blob(0)
    took: dict[str, list[float]] = {
        "set_s": [_timed(lambda: client.set(key, blob, px=1000)) for _ in range(_TRIPS)],
        "redis_py_s": [_timed(lambda: client.get(key)) for _ in range(_TRIPS)],
        "lock_take_s": [],
        "lock_release_s": [],
        "lock_wake_s": [_lock_wake(client, f"{key}:{number}") for number in range(_WAKES)],
    }
    for _ in range(_TRIPS):
        lock = RedisLock(client, key, expire_s=_TTL_S)
        took["lock_take_s"].append(_timed(lambda lock=lock: lock.acquire(blocking=False)))  # type: ignore[misc]
        took["lock_release_s"].append(_timed(lock.release))
    client.connection_pool.disconnect()
    return took


def _lock_wake(client: redis.Redis, name: str) -> float:
    """Return the time from a lock's release to the return of the blocking read of who waits for it."""
    lock, woken = RedisLock(client, name, expire_s=_TTL_S), list[float]()

    def wait() -> None:
        client.blpop([f"lock-signal:{name}"], _WAIT_S)
        woken.append(time.monotonic())

    lock.acquire()
    # The list holds the signal of a lock that is free; with its holder it is empty.
    waiter = threading.Thread(target=wait, daemon=True)
    waiter.start()
    time.sleep(_ASLEEP_S)
    begin = time.monotonic()
    lock.release()
    waiter.join()
    return woken[0] - begin


def _leased(address: Address, key: str) -> dict[str, list[float]]:
    server = RedisServer(address, Timeouts(), on_down=lambda: None, on_up=lambda: None)
    wake = Wake(server, lambda _key, _blob: None, lambda: None)
    wake.start()
    slot = wake.open(key)
    link = server.dial()
    get = command("GET", leases.value_key(key))
    took: dict[str, list[float]] = {
        "thin_s": [_timed(lambda: link.ask(get, 0.2)) for _ in range(_TRIPS)],
        "lease_take_s": [],
        "commit_s": [],
        "lease_wake_s": [_lease_wake(server, wake, f"{key}:{n}") for n in range(_WAKES)],
    }
    for number in range(_TRIPS):
        own = f"{key}:{number}:l"
        time.sleep(_PAUSE_S)
        begin = time.monotonic()
        taken = leases.acquire(server, own, leases.new_token(), _TTL_S, leases.seen(None))
        took["lease_take_s"].append(time.monotonic() - begin)
        if isinstance(taken, leases.Granted):
            time.sleep(_PAUSE_S)
            begin = time.monotonic()
            leases.commit(server, taken.lease, _blob(taken.lease.fence), _TTL_S, wake.channel)
            took["commit_s"].append(time.monotonic() - begin)
    wake.shut(key, slot)
    link.close()
    wake.close()
    server.close()
    return took


def _lease_wake(server: RedisServer, wake: Wake, key: str) -> float:
    """Return the time from a commit's start to the return of the wait of who wants the value."""
    taken = leases.acquire(server, key, leases.new_token(), _TTL_S, leases.seen(None))
    if not isinstance(taken, leases.Granted):
        raise TypeError(f"a key of our own was taken: {taken!r}")
    slot, woken = wake.open(key), list[float]()

    def wait() -> None:
        slot.wait(_WAIT_S)
        woken.append(time.monotonic())

    waiter = threading.Thread(target=wait, daemon=True)
    waiter.start()
    time.sleep(_ASLEEP_S)
    begin = time.monotonic()
    leases.commit(server, taken.lease, _blob(taken.lease.fence), _TTL_S, wake.channel)
    waiter.join()
    wake.shut(key, slot)
    return woken[0] - begin


def _blob(fence: int) -> bytes:
    kind, payload = encode({"made": time.monotonic()})
    now = time.time()
    return Envelope(kind, fence, now, now + _TTL_S, now + _TTL_S, 0.1, payload).pack()
