"""The threads of one provider, and who waits for which question.

Whoever asks what is being asked already takes no thread: a thousand callers of one photo are one
question. Questions beyond the threads are turned away rather than queued, since those under way may
be stuck; so that whatever bounds the calls behind the threads is met at once.
"""

from __future__ import annotations

import os
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol, TypeAlias

from plantid_core.errors import BulkheadFull
from plantid_core.resilience.protocol import is_own_affair

if TYPE_CHECKING:
    from plantid_core.resilience.driver import Cached

Outcome: TypeAlias = "Cached | BaseException"


class Caller(Protocol):
    """Who asks a question."""

    def ask(self) -> Cached:
        """Return the answer; takes as much time as the caller has."""

    def take(self, outcome: Outcome) -> None:
        """Take what came of it, from any thread; raises nothing."""


class Crew:
    """At most ``threads`` questions at once; more of them wait only where ``queued`` says so.

    After a fork it begins anew in the child.
    """

    def __init__(self, name: str, threads: int, *, queued: bool = False) -> None:
        self.name, self.threads = name, threads
        self._queued = queued
        self._closed = False
        self.forked()
        _CREWS.add(self)

    def forked(self) -> None:
        """Begin with nothing under way: in a child, threads and locks are the parent's."""
        self._lock = threading.Lock()
        self._under_way: dict[str, list[Caller]] = {}
        self._executor: ThreadPoolExecutor | None = None

    def ask(self, key: str, caller: Caller) -> None:
        """Have the caller's question asked, or what is under way for the key told to it as well.

        Where that ends for a reason that was its first caller's own, the next one asks anew.
        """
        with self._lock:
            if (others := self._under_way.get(key)) is not None:
                others.append(caller)
                return
            asked = len(self._under_way)
            executor = self._ready(asked)
            if executor is not None:
                self._under_way[key] = []
        if executor is None:
            caller.take(BulkheadFull(self.name, self.threads, asked - self.threads))
            return
        try:
            executor.submit(self._lead, key, caller)
        except RuntimeError as error:  # closed meanwhile, or no thread is to be had
            self._told(key, caller, error)

    def _ready(self, asked: int) -> ThreadPoolExecutor | None:
        if asked >= self.threads and not self._queued:
            return None
        if self._executor is None:
            self._executor = ThreadPoolExecutor(self.threads, f"provider-{self.name}")
            if self._closed:
                self._executor.shutdown()
        return self._executor

    def _lead(self, key: str, caller: Caller) -> None:
        try:
            outcome: Outcome = caller.ask()
        except BaseException as error:  # noqa: BLE001 - whoever waits is told of whatever it was
            outcome = error
        self._told(key, caller, outcome)

    def _told(self, key: str, caller: Caller, outcome: Outcome) -> None:
        with self._lock:
            others = self._under_way.pop(key, [])
        caller.take(outcome)
        again = isinstance(outcome, BaseException) and is_own_affair(outcome)
        for other in others:
            if again:
                self.ask(key, other)
            else:
                other.take(outcome)

    def close(self) -> None:
        """Take no more questions; those under way end by themselves."""
        with self._lock:
            self._closed = True
            executor = self._executor
        if executor is not None:
            executor.shutdown(wait=False, cancel_futures=True)


_CREWS: weakref.WeakSet[Crew] = weakref.WeakSet()


def _after_fork() -> None:
    for crew in list(_CREWS):
        crew.forked()


os.register_at_fork(after_in_child=_after_fork)
