"""A clock outlives the thread it ran in, and is the collector's to take."""

from __future__ import annotations

import subprocess
import sys

# The collector finds the clock and what frees its thread in one sweep: the thread ends in between.
ENDS_IN_A_SWEEP = """
import gc, threading, time, weakref
from plantid_core.lab.simulate.clock import Clock

ran, end = threading.Event(), threading.Event()

class Last:
    def __del__(self):
        end.set()
        thread.join()
        time.sleep(0.2)  # greenlet hears of it a moment after the thread is joined
        for _ in range(10_000):
            pass
        print("freed" if hub() is None else "kept")

def simulate():
    global hub
    clock = Clock()
    clock.itself = clock
    clock.spawn(clock.now, lambda: clock.sleep(1))
    clock.run(clock.now + 2)
    hub = weakref.ref(clock._hub)
    del clock
    ran.set()
    end.wait()

gc.disable()
thread = threading.Thread(target=simulate)
thread.start()
ran.wait()
last = Last()
last.itself = last
del last
gc.collect()
"""


def test_a_thread_may_end_while_the_collector_holds_its_clock() -> None:
    """Greenlet's search for who still refers to the thread's greenlet would free it too early."""
    ended = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", ENDS_IN_A_SWEEP],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (ended.returncode, ended.stdout) == (0, "kept\n"), ended.stderr
