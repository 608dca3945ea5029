"""Worker processes in two lanes: one kept free for the upload a person waits for, and bulk work."""

from __future__ import annotations

import atexit
import math
import os
import signal
import threading
import time
import weakref
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Literal

from plantid_core.errors import UploadRejected
from plantid_core.upload.decode.plan import Picture, Plan
from plantid_core.upload.examination import examine
from plantid_core.upload.isolation import report
from plantid_core.upload.isolation.peak import PeakMemory
from plantid_core.upload.isolation.process import WorkerProcess
from plantid_core.upload.isolation.wire import BrokenLink
from plantid_core.upload.policy import Policy
from plantid_core.upload.rejection import reject
from plantid_core.upload.verdict import record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from plantid_core.upload.examination import Examination
    from plantid_core.upload.isolation.wire import Head
    from plantid_core.upload.photo import Prefill

Lane = Literal["single", "bulk"]

_IN_A_ROW_S = 0.5
_WAIT_S: dict[Lane, float] = {"single": 20.0, "bulk": 600.0}


class Pool:
    """Workers, started as they are needed and replaced when they die; safe from any thread.

    ``single`` uploads have workers of their own and may borrow idle ones of the other lane;
    ``bulk`` work keeps to its own, which run at a low precedence (nice 15). A thread that
    comes back within half a second is sending many: it gets a bulk worker while there is one.
    """

    def __init__(self, *, single: int = 1, bulk: int | None = None) -> None:
        self._most: dict[Lane, int] = {"single": single, "bulk": bulk or os.cpu_count() or 1}
        self._started: dict[Lane, int] = {"single": 0, "bulk": 0}
        self._idle: dict[Lane, list[WorkerProcess]] = {"single": [], "bulk": []}
        self._workers: weakref.WeakSet[WorkerProcess] = weakref.WeakSet()
        self._condition = threading.Condition()
        self._caller = threading.local()
        self._closed = False
        self._replaced = 0
        _pools.add(self)

    @property
    def replaced(self) -> int:
        """Return how many workers died or were killed."""
        return self._replaced

    def pids(self) -> list[int]:
        """Return the workers' process ids."""
        return [worker.process.pid for worker in list(self._workers) if worker.alive]

    def warm_up(self) -> None:
        """Start the first worker of the reserved lane, so that the first upload need not wait."""
        with suppress(Exception), self._worker("single", Policy()):
            pass

    def decode(self, stripped: bytes, plan: Plan, policy: Policy, lane: Lane = "single") -> Picture:
        """Return the picture made of a stripped stream by a worker; raises `UploadRejected`."""
        head: Head = {"work": "decode", "plan": asdict(plan)}
        answer, blobs = self._ask(head, stripped, policy, lane)
        if "rejected" in answer:
            raise report.as_rejection(answer["rejected"])  # type: ignore[arg-type]  # checked there
        if not blobs:
            raise reject("decode_crashed", value="no picture came back")
        return Picture(blobs[0], blobs[1] if len(blobs) > 1 else None)

    def examine(self, data: bytes, filename: str, policy: Policy) -> Examination:
        """Run the whole chain in a worker of the bulk lane, with what each gate cost there.

        A file over the size limit is not even handed to it. A refusal is part of what is returned;
        raises `UploadRejected` where the worker failed.
        """
        if len(data) > policy.max_bytes:
            with PeakMemory() as meter:
                found = examine(data, filename, policy, meter)
            record(found.rejected, time.perf_counter())
            return found
        head: Head = {"work": "examine", "filename": filename, "policy": asdict(policy)}
        begin = time.perf_counter()
        try:
            answer, blobs = self._ask(head, data, policy, "bulk")
            found = report.as_examination(answer, blobs, policy)
        except BrokenLink as fault:
            failed = reject("decode_crashed", value=str(fault))
            record(failed, begin)
            raise failed from None
        except UploadRejected as rejected:
            record(rejected, begin)
            raise
        record(found.rejected, begin)
        return found

    def prefill(self, data: bytes) -> Prefill:
        """Return the place and date that an admitted file's own EXIF tells, as a worker read them.

        Raises `UploadRejected` where the worker failed.
        """
        answer, _ = self._ask({"work": "prefill"}, data, Policy(), "single")
        try:
            return report.as_prefill(answer)
        except BrokenLink as fault:
            raise reject("decode_crashed", value=str(fault)) from None

    def close(self) -> None:
        """End all workers; idle ones at once, busy ones when their picture is done."""
        with self._condition:
            self._closed = True
            idle = [worker for lane in self._idle.values() for worker in lane]
            for workers in self._idle.values():
                workers.clear()
            self._condition.notify_all()
        for worker in idle:
            worker.end()

    def forget(self) -> None:
        """Let go of all workers without ending them: they are those of the process we forked from."""
        for worker in list(self._workers):
            worker.forget()

    def _ask(self, head: Head, data: bytes, policy: Policy, lane: Lane) -> tuple[Head, list[bytes]]:
        head["cpu_seconds"] = policy.decode_cpu_seconds
        with self._worker(lane, policy) as worker:
            try:
                return worker.ask(head, data, policy.decode_seconds)
            except TimeoutError:
                worker.end()
                raise reject("decode_timeout", limit=policy.decode_seconds) from None
            except (BrokenLink, OSError) as fault:
                status = worker.end()
                if status == -signal.SIGXCPU:
                    raise reject("decode_timeout", limit=policy.decode_cpu_seconds) from None
                raise reject("decode_crashed", value=_name(status, fault)) from None

    @contextmanager
    def _worker(self, lane: Lane, policy: Policy) -> Iterator[WorkerProcess]:
        worker = self._taken(lane, policy)
        try:
            yield worker
        except BaseException:
            # Also where the caller is interrupted: a worker that still computes cannot be asked.
            if worker.alive:
                worker.end()
            raise
        finally:
            self._give_back(worker)

    def _taken(self, lane: Lane, policy: Policy) -> WorkerProcess:
        until = time.monotonic() + _WAIT_S[lane]
        lanes = self._lanes(lane)
        with self._condition:
            while True:
                if self._closed:
                    raise reject("busy", limit=0)
                for name in lanes:
                    while self._idle[name]:
                        worker = self._idle[name].pop()
                        if worker.alive:
                            return worker
                        self._lost(worker)
                    if self._started[name] < self._most[name]:
                        self._started[name] += 1
                        break
                else:
                    if not self._condition.wait(max(0.0, until - time.monotonic())):
                        raise reject("busy", limit=_WAIT_S[lane])
                    continue
                break
        return self._start(name, policy)

    def _lanes(self, lane: Lane) -> tuple[Lane, ...]:
        """Return the lanes that may serve this thread, the preferred one first."""
        if lane == "bulk":
            return ("bulk",)
        last = getattr(self._caller, "last", -math.inf)
        in_a_row = time.monotonic() - last < _IN_A_ROW_S
        return ("bulk", "single") if in_a_row else ("single", "bulk")

    def _start(self, lane: Lane, policy: Policy) -> WorkerProcess:
        try:
            worker = WorkerProcess(policy.worker_bytes, lane)
        except (OSError, BrokenLink):
            with self._condition:
                self._started[lane] -= 1
                self._condition.notify()
            raise reject("busy", limit=0) from None
        self._workers.add(worker)
        return worker

    def _give_back(self, worker: WorkerProcess) -> None:
        self._caller.last = time.monotonic()
        with self._condition:
            if worker.alive and not self._closed:
                self._idle[_lane(worker)].append(worker)
            else:
                self._lost(worker)
            self._condition.notify()
        if self._closed:
            worker.end()

    def _lost(self, worker: WorkerProcess) -> None:
        worker.forget()
        self._started[_lane(worker)] -= 1
        self._replaced += not self._closed


def _lane(worker: WorkerProcess) -> Lane:
    return "bulk" if worker.lane == "bulk" else "single"


def _name(status: int, fault: Exception) -> str:
    if status < 0:
        return signal.Signals(-status).name
    return f"status {status}" if status else type(fault).__name__


_pools: weakref.WeakSet[Pool] = weakref.WeakSet()
_shared: list[Pool] = []
_shared_lock = threading.Lock()


def shared_pool() -> Pool:
    """Return this process's pool, made at its first use and closed at its end."""
    with _shared_lock:
        if not _shared:
            _shared.append(Pool())
            atexit.register(_shared[0].close)
        return _shared[0]


def _after_fork() -> None:
    # The parent's workers would outlive it as long as a forked child keeps their links open.
    for pool in list(_pools):
        pool.forget()
    _pools.clear()
    _shared.clear()
    globals()["_shared_lock"] = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)
