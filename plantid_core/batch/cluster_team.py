"""A Dask cluster that asks: photos go to the workers, what came of them comes back.

Each worker process opens one workbench from its own environment, so that no key leaves a machine; it
closes with the last batch that used it. Workers that share ``PLANTID_REDIS_URL`` make one call a photo
among them. The journal stays with whoever runs the batch.
"""

from __future__ import annotations

import queue
import threading
import uuid
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from distributed import get_worker, secede
from distributed.diagnostics.plugin import WorkerPlugin

from plantid_core.batch.team import Gates, ask, services_of, settings_for, taken
from plantid_core.batch.told import Refusal, Told
from plantid_core.cluster import ClusterUnavailable, connect
from plantid_core.errors import ConfigurationError
from plantid_core.settings import load_settings
from plantid_core.workbench import open_workbench

if TYPE_CHECKING:
    from typing import Self

    from distributed import Future, Worker

    from plantid_core.batch.team import Service
    from plantid_core.batch.told import Job
    from plantid_core.workbench import Workbench


class _Place:
    """The workbench of one worker process, opened by the first photo, closed after the last batch."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._batches = 0
        self._opened: tuple[Workbench, Gates] | None = None

    def enter(self) -> None:
        """Count one batch more."""
        with self._lock:
            self._batches += 1

    def leave(self) -> None:
        """Count one batch less."""
        with self._lock:
            self._batches -= 1
            if self._batches > 0 or self._opened is None:
                return
            (workbench, _), self._opened = self._opened, None
        workbench.close()

    def open(self, concurrency: int) -> tuple[Workbench, Gates]:
        """Return the workbench and its gates; raises `ConfigurationError`."""
        with self._lock:
            if self._opened is None:
                settings = settings_for(load_settings(), concurrency)
                self._opened = open_workbench(settings), Gates(concurrency)
            return self._opened


_PLACE = _Place()


class Membership(WorkerPlugin):
    """Keeps every worker's workbench open for as long as the batch runs."""

    def __init__(self) -> None:
        self.name = f"plantid-batch-{uuid.uuid4().hex}"

    def setup(self, worker: Worker) -> None:
        """Begin, in a worker that is there or comes later."""
        del worker
        _PLACE.enter()

    def teardown(self, worker: Worker) -> None:
        """End."""
        del worker
        _PLACE.leave()


def _ask(job: Job, concurrency: int, topic: str) -> Told:
    # Told at once, since a worker that is lost tells nothing more: Dask gives its photos to another.
    get_worker().log_event(topic, job.key)
    # Asking is waiting, mostly: another photo may have this thread's place in the worker meanwhile.
    secede()  # type: ignore[no-untyped-call]
    workbench, gates = _PLACE.open(concurrency)
    return ask(workbench, job, gates)


def _services(concurrency: int) -> tuple[Service, ...]:
    return services_of(_PLACE.open(concurrency)[0])


class ClusterTeam:
    """The workers of a Dask cluster. Raises `ClusterUnavailable` and `ConfigurationError`."""

    def __init__(self, address: str, concurrency: int) -> None:
        self.window = concurrency
        self._address, self._concurrency = address, concurrency
        self._client = connect(address)
        self._done: queue.SimpleQueue[Told | BaseException] = queue.SimpleQueue()
        self._under_way: set[Future[Told]] = set()
        self._membership = Membership()
        self._begun: Counter[str] = Counter()
        try:
            # distributed has no types of its own.
            self._client.subscribe_topic(self._membership.name, self._note_begin)  # type: ignore[no-untyped-call]
            self._client.register_plugin(self._membership)
            self._services = self._ask_services()
        except BaseException:
            self.close()
            raise

    def _ask_services(self) -> tuple[Service, ...]:
        found = cast(
            "dict[str, tuple[Service, ...]]",
            self._client.run(_services, self._concurrency),
        )
        kinds = set(found.values())
        if len(kinds) != 1:
            raise ClusterUnavailable(
                self._address,
                "its workers have different settings: some ask a sandbox where others have a key.",
            )
        return kinds.pop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def services(self) -> tuple[Service, ...]:
        """Return whom every worker can ask."""
        return self._services

    def submit(self, job: Job) -> None:
        """Send a job to a worker."""
        future = self._client.submit(
            _ask,
            job,
            self._concurrency,
            self._membership.name,
            pure=False,
            key=f"plantid-{uuid.uuid4().hex}",
        )
        self._under_way.add(future)
        future.add_done_callback(  # type: ignore[no-untyped-call]
            lambda ended: self._ended(job, ended)
        )

    def _note_begin(self, event: tuple[float, str]) -> None:
        self._begun[event[1]] += 1

    def _ended(self, job: Job, future: Future[Told]) -> None:
        calls, begun = job.calls, self._begun.pop(job.key, 1)
        try:
            told = future.result()
        except ConfigurationError as error:
            self._done.put(error)
        except Exception as error:  # noqa: BLE001 - a worker that was lost: the photo is asked again
            lost = Refusal("worker", f"A worker failed ({type(error).__name__}).", transient=True)
            self._done.put(Told(job.key, job.kept, refusal=lost, lost=begun * calls))
        else:
            self._done.put(replace(told, lost=(begun - 1) * calls))
        self._under_way.discard(future)

    def next(self, within_s: float) -> Told | None:
        """Return what came of a job, None if none ended in time."""
        if self._client.status != "running":
            raise ClusterUnavailable(
                self._address, "its scheduler went away. The same command continues."
            )
        return taken(self._done, within_s)

    def close(self) -> None:
        """Cancel what is under way, and let the workers close their workbenches."""
        # Of a scheduler that went away there is nobody left to tell.
        with self._client as client, suppress(OSError):
            if client.status == "running":
                client.cancel(list(self._under_way))
                client.unregister_worker_plugin(self._membership.name)
