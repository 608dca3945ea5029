"""Callers of one key, in processes and threads: ``python tests/callers.py '{"url": "unix://…"}'``.

Such a process prints ``ready``, waits for a line, prints ``computing`` whenever upstream is called
(``holding`` where it is to hold a lock), and in the end its report as JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self


class Refused(Exception):
    """What the callers' computation raises where it is to fail."""


@dataclass(frozen=True)
class Job:
    """What a process of callers does; ``outcome`` "hold" takes the lock ``key`` and keeps it."""

    url: str
    key: str = "key"
    threads: int = 20
    outcome: Literal["value", "none", "raise", "hold"] = "value"
    compute_s: float = 1.0
    lease_s: float = 1.5


@dataclass(frozen=True)
class Report:
    """What came of it; an error is its type, the type it tells of, and its message."""

    pid: int
    calls: int
    values: list[object]
    errors: list[list[str]]
    events: dict[str, int]


class Held:
    """A computation that lasts until it is released, and counts its calls."""

    def __init__(self, value: object = "value", error: Exception | None = None) -> None:
        self.value, self.error = value, error
        self.calls = 0
        self.started, self.released = threading.Event(), threading.Event()

    def __call__(self) -> object:
        self.calls += 1
        self.started.set()
        assert self.released.wait(25)
        if self.error is not None:
            raise self.error
        return self.value


def in_threads(*calls: Callable[[], object]) -> list[object]:
    """Return what each call, made in a thread of its own, returned or raised."""

    def one(call: Callable[[], object]) -> object:
        try:
            return call()
        except Exception as error:  # noqa: BLE001 - whatever it was is the result
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(one, calls))


class Callers:
    """A process of callers, seen from the test."""

    def __init__(self, job: Job) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__, json.dumps(asdict(job))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def until(self, word: str) -> Self:
        """Wait for a line of the process."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.strip() == word:
                return self
        raise EOFError(f"the callers ended without {word!r}")

    def go(self) -> Self:
        """Let the callers begin."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self

    def report(self) -> Report:
        """Wait for the end, and return what came of it."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("{"):
                return Report(**json.loads(line))
        raise EOFError("the callers ended without a report")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.process.kill()
        with self.process:
            pass


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _call(job: Job) -> Report:
    from plantid_core.errors import RemoteError
    from plantid_core.resilience.link import Address
    from plantid_core.resilience.policy import Policy
    from plantid_core.resilience.strategies.leased import LeaseStrategy
    from plantid_core.store.connection import connect

    strategy = LeaseStrategy(Address.of(connect(job.url)), Policy(lease_s=job.lease_s, beta=0))
    calls: list[float] = []

    def compute() -> object:
        calls.append(time.monotonic())
        _say("computing")
        time.sleep(job.compute_s)
        if job.outcome == "raise":
            raise Refused("upstream refused")
        return None if job.outcome == "none" else {"made_by": os.getpid()}

    _say("ready")
    sys.stdin.readline()
    results = in_threads(*[lambda: strategy.get(job.key, compute)] * job.threads)
    errors = [result for result in results if isinstance(result, Exception)]
    told = [
        [type(e).__name__, e.type_name, e.message]
        if isinstance(e, RemoteError)
        else [type(e).__name__, type(e).__name__, str(e)]
        for e in errors
    ]
    values = [result for result in results if not isinstance(result, Exception)]
    events = {str(event): count for event, count in strategy.cache.events().items()}
    strategy.close()
    return Report(os.getpid(), len(calls), values, told, events)


def _hold(job: Job) -> None:
    from plantid_core.resilience.locks import RedisLock
    from plantid_core.store.connection import connect

    with RedisLock(connect(job.url, socket_timeout_s=5), job.key, expire_s=job.lease_s):
        _say("holding")
        time.sleep(job.compute_s)


if __name__ == "__main__":
    asked = Job(**json.loads(sys.argv[1]))
    if asked.outcome == "hold":
        _hold(asked)
    else:
        _say(json.dumps(asdict(_call(asked))))
