"""Client processes that live through a whole benchmark, and do what they are told with their threads."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
import traceback
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from plantid_core.bench.peers import make

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection

    from plantid_core.bench.peers import Contestant
    from plantid_core.resilience.policy import Policy

T = TypeVar("T")

_PATIENCE_S = 180.0
_END_S = 10.0
_STACK_BYTES = 256 * 1024


class Place:
    """What a job finds in its process: contestants that stay, and a line to the parent's side."""

    def __init__(self, url: str, policy: Policy | None, line: Connection) -> None:
        self.url, self.policy, self.line = url, policy, line
        self._contestants: dict[str, Contestant] = {}

    def contestant(self, name: str) -> Contestant:
        """Return the process's contestant of that name."""
        if name not in self._contestants:
            self._contestants[name] = make(name, self.url, self.policy)
        return self._contestants[name]

    def close(self) -> None:
        """Let go of the contestants."""
        for contestant in self._contestants.values():
            contestant.close()


class Caller:
    """A client process. A job is a function of some module: ``job(place, *arguments)``."""

    def __init__(self, url: str, policy: Policy | None = None) -> None:
        context = multiprocessing.get_context("spawn")
        self._orders, orders = context.Pipe()
        self.line, line = context.Pipe()
        self._process = context.Process(target=_serve, args=(url, policy, orders, line))
        self._process.daemon = True
        self._process.start()
        orders.close()
        line.close()

    def begin(self, job: Callable[..., object], *arguments: object) -> None:
        """Have a job begun."""
        self._orders.send((job, arguments))

    def result(self) -> Any:  # noqa: ANN401 - as the job returned it
        """Return what the job under way returned; raises RuntimeError if it failed."""
        if not self._orders.poll(_PATIENCE_S):
            raise TimeoutError("a client process hangs")
        done, result = self._orders.recv()
        if not done:
            raise RuntimeError(result)
        return result

    def call(self, job: Callable[..., T], *arguments: object) -> T:
        """Return what a job returns."""
        self.begin(job, *arguments)
        found: T = self.result()
        return found

    def kill(self) -> None:
        """Kill the process with SIGKILL."""
        self._process.kill()
        self._process.join()

    def close(self) -> None:
        """Let the process end, and end it if it will not."""
        with suppress(OSError):
            self._orders.send(None)
        self._process.join(_END_S)
        self.kill()


@contextmanager
def callers(url: str, count: int, policy: Policy | None = None) -> Iterator[list[Caller]]:
    """Give so many client processes, which end with the block."""
    crowd = [Caller(url, policy) for _ in range(count)]
    try:
        yield crowd
    finally:
        for caller in crowd:
            caller.close()


def all_call(crowd: list[Caller], job: Callable[..., T], *arguments: object) -> list[T]:
    """Return what each process's run of the job returned; they run at the same time."""
    for caller in crowd:
        caller.begin(job, *arguments)
    return [caller.result() for caller in crowd]


def _serve(url: str, policy: Policy | None, orders: Connection, line: Connection) -> None:
    threading.stack_size(_STACK_BYTES)
    place = Place(url, policy, line)
    while (order := _next(orders)) is not None:
        job, arguments = order
        try:
            orders.send((True, job(place, *arguments)))
        except Exception:  # noqa: BLE001 - the parent is told
            orders.send((False, traceback.format_exc()))
    place.close()


def _next(orders: Connection) -> Any:  # noqa: ANN401 - a job of any kind, and its arguments
    try:
        return orders.recv()
    except EOFError:
        os._exit(1)  # the parent is gone, and threads may hang


def together(work: Callable[[], object], threads: int, at: float) -> list[threading.Thread]:
    """Start threads that meet at a barrier, and begin at a time of the monotonic clock."""
    barrier = threading.Barrier(threads, lambda: time.sleep(max(0.0, at - time.monotonic())))

    def one() -> None:
        barrier.wait()
        work()

    crowd = [threading.Thread(target=one, daemon=True) for _ in range(threads)]
    for thread in crowd:
        thread.start()
    return crowd
