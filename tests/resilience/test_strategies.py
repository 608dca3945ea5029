"""Every way to meet a stampede: what it returns, how often it computes, what its waiters get."""

from __future__ import annotations

import itertools
import threading
import time
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, cast

import pytest
from callers import Callers, Held, Job, Report, in_threads
from processes import until

from plantid_core.errors import DeadlineExceeded
from plantid_core.resilience import NAMES, strategy
from plantid_core.resilience.envelope import Envelope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from servers import Server

    from plantid_core.resilience import Strategy
    from plantid_core.resilience.strategies.leased import LeaseStrategy

OURS = tuple(name for name in NAMES if not name.startswith("seed-"))
THREADS = 20


@pytest.fixture
def make(server: Server) -> Iterator[Callable[..., Strategy]]:
    """Return a maker of strategies over the server; each stands for a process of its own."""
    with ExitStack() as stack:

        def build(name: str, ttl_s: float = 30.0, **options: float) -> Strategy:
            options = {"beta": 0.0, **options}
            made = strategy(name, server.client(), ttl_s=ttl_s, **options)  # type: ignore[arg-type]
            return stack.enter_context(closing(made))

        yield build


class Counted:
    """A quick computation that counts its calls; it gives one value after the other."""

    def __init__(self, *values: object, takes_s: float = 0.0) -> None:
        self._values, self._takes_s = itertools.chain(values, itertools.repeat(values[-1])), takes_s
        self._lock = threading.Lock()
        self.calls = 0

    def __call__(self) -> object:
        with self._lock:
            self.calls += 1
            value = next(self._values)
        time.sleep(self._takes_s)
        return value


@pytest.mark.parametrize("name", NAMES)
def test_a_value_is_computed_once_and_then_kept(make: Callable[..., Strategy], name: str) -> None:
    """The second caller gets the first one's value without a computation."""
    compute, cache = Counted({"plant": "Rosa"}), make(name)

    first, second = cache.get("key", compute), cache.get("key", compute)

    assert first == second == {"plant": "Rosa"}
    assert compute.calls == 1


@pytest.mark.parametrize("name", NAMES)
def test_none_is_a_value_except_in_the_seed(make: Callable[..., Strategy], name: str) -> None:
    """Our strategies keep None; the seed's ones compute it again, as they document."""
    compute, cache = Counted(None), make(name)

    assert cache.get("key", compute) is None
    assert cache.get("key", compute) is None

    assert compute.calls == (1 if name in OURS else 2)


@pytest.mark.parametrize("name", OURS)
def test_bytes_come_back_as_they_were(make: Callable[..., Strategy], name: str) -> None:
    """Another process reads the very bytes that were computed."""
    compute = Counted(b"\x00\xff\xfe")

    make(name).get("key", compute)

    assert make(name).get("key", compute) == b"\x00\xff\xfe"
    assert compute.calls == 1


@pytest.mark.parametrize("name", NAMES)
def test_an_error_reaches_the_caller_and_is_not_kept(
    make: Callable[..., Strategy], name: str
) -> None:
    """The caller sees what the computation raised, and the next caller computes anew."""
    cache = make(name)

    with pytest.raises(ZeroDivisionError):
        cache.get("key", lambda: 1 // 0)

    assert cache.get("key", lambda: 7) == 7


def test_an_unknown_name_is_answered_by_the_known_ones(make: Callable[..., Strategy]) -> None:
    """The error lists what there is."""
    with pytest.raises(ValueError, match="no strategy 'leese'") as caught:
        make("leese")

    assert all(name in str(caught.value) for name in NAMES)


@pytest.mark.parametrize(
    "bad",
    [
        {"ttl_s": 0},
        {"ttl_s": -1},
        {"soft_ttl_s": 31},
        {"soft_ttl_s": 0},
        {"negative_ttl_s": 0},
        {"lease_s": 0},
        {"jitter": 1},
        {"jitter": -0.1},
        {"beta": -1},
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["lease", "none"])
def test_impossible_durations_are_refused(
    make: Callable[..., Strategy], name: str, bad: dict[str, float]
) -> None:
    """A duration that cannot be kept is an error when the strategy is made, not later."""
    with pytest.raises(ValueError, match="must"):
        make(name, **bad)


def stampede(server: Server, outcome: str) -> list[Report]:
    """Let two processes of 20 threads ask at once for what takes longer than a lease lasts."""
    job = Job(server.url, "key", THREADS, outcome, compute_s=1.5, lease_s=0.6)  # type: ignore[arg-type]
    with Callers(job) as one, Callers(job) as other:
        for callers in (one.until("ready"), other.until("ready")):
            callers.go()
        return sorted((one.report(), other.report()), key=lambda report: -report.calls)


@pytest.mark.parametrize("outcome", ["value", "none"])
def test_two_processes_share_one_computation(server: Server, outcome: str) -> None:
    """Of 40 threads in two processes one computes, and all get its value."""
    leader, other = stampede(server, outcome)

    expected = None if outcome == "none" else {"made_by": leader.pid}
    assert (leader.calls, other.calls) == (1, 0)
    assert leader.values == other.values == [expected] * THREADS


def test_two_processes_share_one_failure(server: Server) -> None:
    """The leader's process sees its own error, the other one what was told of it."""
    leader, other = stampede(server, "raise")

    assert (leader.calls, other.calls) == (1, 0)
    assert leader.errors == [["Refused", "Refused", "upstream refused"]] * THREADS
    assert other.errors == [["RemoteError", "Refused", "upstream refused"]] * THREADS


def test_a_waiter_leaves_at_its_own_deadline(make: Callable[..., Strategy]) -> None:
    """Who has little time gets an error, here and in another process; who has more, the value."""
    here, there, held = make("lease"), make("lease"), Held()

    def late() -> object:
        assert held.started.wait(10)
        results = in_threads(
            lambda: here.get("key", held, deadline_s=0.2),
            lambda: there.get("key", held, deadline_s=0.2),
        )
        held.released.set()
        return results

    first, second, results = in_threads(
        lambda: here.get("key", held),
        lambda: held.started.wait(10) and here.get("key", held, deadline_s=20),
        late,
    )

    assert [type(result) for result in cast("list[object]", results)] == [DeadlineExceeded] * 2
    assert (first, second, held.calls) == ("value", "value", 1)


@pytest.mark.parametrize("name", OURS)
def test_none_lives_for_the_shorter_time(make: Callable[..., Strategy], name: str) -> None:
    """None is kept for its own TTL, and then computed again."""
    compute, cache = Counted(None), make(name, negative_ttl_s=0.3)

    for _ in range(2):
        cache.get("key", compute)
    kept_for_now = compute.calls
    time.sleep(0.4)
    cache.get("key", compute)

    assert (kept_for_now, compute.calls) == (1, 2)


def test_a_stale_value_is_served_at_once_and_refreshed_once(make: Callable[..., Strategy]) -> None:
    """After the soft TTL callers get the old value while one refresh runs behind them."""
    cache, held = make("lease", soft_ttl_s=0.2), Held("new")
    cache.get("key", lambda: "old")
    time.sleep(0.3)

    stale = in_threads(*[lambda: cache.get("key", held)] * 10)
    assert held.started.wait(5)
    held.released.set()

    assert stale == ["old"] * 10
    assert until(lambda: cache.get("key", held) == "new")
    assert held.calls == 1


def test_jitter_shortens_each_time_differently(
    make: Callable[..., Strategy], server: Server
) -> None:
    """Values made together expire at different times, none later than the TTL."""
    cache, client = make("lease", ttl_s=100, jitter=0.5), server.client()

    for number in range(20):
        cache.get(f"k{number}", lambda: 1)

    blobs = [cast("bytes", client.get(f"{{k{number}}}:v")) for number in range(20)]
    envelopes = [Envelope.unpack(blob) for blob in blobs]
    lives = {e.soft_expiry - e.stored for e in envelopes if e is not None}
    assert len(lives) == 20
    assert all(50 <= life <= 100.001 for life in lives)
    assert max(lives) - min(lives) > 5


def test_the_seeds_coalescing_loses_the_error(make: Callable[..., Strategy]) -> None:
    """Where its leader raises, seed-coalesce hands None to those who waited."""
    cache, held = make("seed-coalesce"), Held(error=ValueError("upstream refused"))

    def release() -> None:
        time.sleep(0.5)  # for the waiter to arrive
        held.released.set()

    leader, waiter, _ = in_threads(
        lambda: cache.get("key", held),
        lambda: held.started.wait(5) and cache.get("key", held),
        release,
    )

    assert isinstance(leader, ValueError)
    assert waiter is None
    assert held.calls == 1


@pytest.mark.parametrize(("name", "early"), [("seed-early", False), ("xfetch", True)])
def test_the_seeds_early_recomputation_is_never_early(
    make: Callable[..., Strategy], name: str, *, early: bool
) -> None:
    """With a β that has XFetch recompute at each call, the seed's wrong sign never does."""
    cache, compute = make(name, beta=1e6), Counted(1, takes_s=0.01)

    for _ in range(30):
        cache.get("key", compute)

    assert (compute.calls > 1) is early


def test_the_seeds_lock_computes_none_for_every_waiter(make: Callable[..., Strategy]) -> None:
    """Those who waited for the lock find nothing kept, and compute one after the other."""
    cache, compute = make("seed-lock"), Counted(None, takes_s=0.05)

    results = in_threads(*[lambda: cache.get("key", compute)] * 4)

    assert results == [None] * 4
    assert compute.calls == 4


def test_the_lease_counts_what_happens(make: Callable[..., Strategy]) -> None:
    """A miss, a hit on the value of another process and one in this process are told apart."""
    one, other = cast("LeaseStrategy", make("lease")), cast("LeaseStrategy", make("lease"))

    one.get("key", lambda: 1)
    other.get("key", lambda: 1)
    other.get("key", lambda: 1)

    assert one.cache.events()["miss"] == 1
    assert (other.cache.events()["hit"], other.cache.events()["near_hit"]) == (1, 1)
