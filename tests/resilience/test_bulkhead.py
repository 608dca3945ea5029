"""A bound on calls at once, and on those who wait for one."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from processes import in_child, until

from plantid_core.deadline import Deadline
from plantid_core.errors import BulkheadFull, DeadlineExceeded, LeaseLost
from plantid_core.resilience.bulkhead import Bulkhead


def test_no_more_than_its_size_run_at_once() -> None:
    """Forty threads through three slots never are four inside, and all of them get through."""
    bulkhead, inside, most = Bulkhead("b", 3, 100), [0], [0]
    lock = threading.Lock()

    def work(_: int) -> bool:
        with bulkhead.slot(Deadline.after(20)):
            with lock:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
            time.sleep(0.002)
            with lock:
                inside[0] -= 1
        return True

    with ThreadPoolExecutor(40) as pool:
        done = list(pool.map(work, range(200)))

    assert len(done) == 200
    assert most[0] == bulkhead.use().most_in_use == 3
    assert (bulkhead.use().in_use, bulkhead.use().waiting) == (0, 0)


def test_the_queue_is_bounded_too() -> None:
    """Who finds slots and queue taken is told at once, with the figures."""
    bulkhead = Bulkhead("plantnet", 1, 1)

    def wait() -> None:
        with bulkhead.slot(Deadline.after(20)):
            pass

    with ThreadPoolExecutor(1) as pool, bulkhead.slot(Deadline.after(20)):
        waiting = pool.submit(wait)
        assert until(lambda: bulkhead.use().waiting == 1)
        with pytest.raises(BulkheadFull) as caught, bulkhead.slot(Deadline.after(20)):
            pass
    waiting.result(10)

    assert (caught.value.name, caught.value.size, caught.value.queued) == ("plantnet", 1, 1)
    assert bulkhead.use().shed == 1


def test_nobody_waits_longer_than_the_deadline() -> None:
    """A slot that does not come free in time is a deadline that passed, and leaves no trace."""
    bulkhead = Bulkhead("b", 1, 1)

    with bulkhead.slot(Deadline.after(20)):
        began = time.monotonic()
        with pytest.raises(DeadlineExceeded), bulkhead.slot(Deadline.after(0.2)):
            pass
        took = time.monotonic() - began

    assert 0.2 <= took < 2
    assert (bulkhead.use().in_use, bulkhead.use().waiting) == (0, 0)


def test_work_no_longer_wanted_waits_no_longer() -> None:
    """Who waits for a slot looks whether the call is still to be made."""
    bulkhead = Bulkhead("b", 1, 1)
    unwanted = replace(Deadline.after(20), cancelled=lambda: True)

    with bulkhead.slot(Deadline.after(20)), pytest.raises(LeaseLost), bulkhead.slot(unwanted):
        pass


def test_a_call_that_fails_frees_its_slot() -> None:
    """An error passes through, and the next one finds the slot free."""
    bulkhead = Bulkhead("b", 1, 0)

    for _ in range(3):
        with pytest.raises(RuntimeError), bulkhead.slot(Deadline.after(1)):
            raise RuntimeError

    assert bulkhead.use().in_use == 0


def test_a_child_inherits_no_slot_in_use() -> None:
    """Those who hold a slot at a fork are the parent's, and never free it in the child."""
    bulkhead = Bulkhead("b", 1, 0)

    def enter() -> str:
        with bulkhead.slot(Deadline.after(1)):
            return "in"

    with bulkhead.slot(Deadline.after(1)):
        said = in_child(enter)

    assert said == repr("in")
