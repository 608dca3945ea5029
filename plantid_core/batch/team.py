"""Who asks: a workbench of this machine, so many photos at a time; and what any team can be asked for."""

from __future__ import annotations

import os
import queue
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from plantid_core.batch.told import Refusal, Told, heard, slim
from plantid_core.errors import PlantIDError, UploadRejected
from plantid_core.plants import LOCAL
from plantid_core.upload import Upload
from plantid_core.workbench import open_workbench

if TYPE_CHECKING:
    from typing import Self

    from plantid_core.batch.told import Job
    from plantid_core.plants import Answer
    from plantid_core.settings import Settings
    from plantid_core.workbench import Workbench

# Photos that are made ready while others wait for a service: decoding is no reason to ask nobody.
_AHEAD = 4
_UNBOUNDED = 1_000_000
_CONNECTIONS_A_PHOTO = 4


@dataclass(frozen=True, slots=True)
class Service:
    """A provider that the team can ask."""

    name: str
    title: str
    sandbox: bool


class Team(Protocol):
    """Asks photos, several at a time. All but its inner work is for one thread."""

    @property
    def window(self) -> int:
        """Return how many jobs it should be given at once."""

    def services(self) -> tuple[Service, ...]:
        """Return whom it can ask, in the order of the columns."""

    def submit(self, job: Job) -> None:
        """Begin a job."""

    def next(self, within_s: float) -> Told | None:
        """Return what came of a job, None if none ended in time; raises what is no photo's own fault."""

    def close(self) -> None:
        """Begin no more, wait for what is under way, and let go."""


def settings_for(settings: Settings, concurrency: int) -> Settings:
    """Return the settings with bounds that let so many photos be asked at once.

    The bound on a person's calls a minute is for pages; it holds here only where it was set.
    """
    return settings.model_copy(
        update={
            "bulkhead_size": max(settings.bulkhead_size, concurrency),
            "redis_max_connections": max(
                settings.redis_max_connections, _CONNECTIONS_A_PHOTO * concurrency
            ),
            "quota_user_per_minute": settings.quota_user_per_minute or _UNBOUNDED,
            # A failure is asked again when its service says so, not told again before.
            "error_ttl_s": 0.0,
            # No photo is asked twice, so an answer is not wanted again here.
            "near_size": min(settings.near_size, _CONNECTIONS_A_PHOTO * concurrency),
        }
    )


def services_of(workbench: Workbench) -> tuple[Service, ...]:
    """Return whom a workbench can ask."""
    return tuple(Service(info.name, info.title, info.sandbox) for info in workbench.providers())


class Gates:
    """How many photos may be at one stage at once.

    What this machine computes is bounded by its cores, and one more for the moments in which a worker
    decodes: more at once would take no less time, and more memory. A photo that is made ready does not
    keep another one from being asked.
    """

    def __init__(self, concurrency: int) -> None:
        self.machine = threading.BoundedSemaphore((os.cpu_count() or 1) + 1)
        self.services = threading.BoundedSemaphore(concurrency)


def ask(workbench: Workbench, job: Job, gates: Gates) -> Told:
    """Return what came of one photo.

    What is not the file's own fault, such as a store that is busy, is a transient refusal.
    """
    upload = Upload(job.data, job.name)
    given = {answer.provider: answer for answer in job.kept}
    took_s = 0.0
    try:
        with gates.machine:
            # Whoever asks next finds the verdict kept.
            workbench.admit(upload)
            given |= _answers(workbench, job, upload, local=True)
        with gates.services:
            begin = time.monotonic()
            given |= _answers(workbench, job, upload, local=False)
            took_s = time.monotonic() - begin
    except UploadRejected as rejected:
        refusal = Refusal(rejected.code, str(rejected), transient=rejected.transient)
        return Told(job.key, job.kept, refusal=refusal)
    except PlantIDError as error:
        return Told(job.key, job.kept, refusal=Refusal("busy", str(error), transient=True))
    answers = tuple(given[name] for name in job.order if name in given)
    joint = workbench.joint(answers) if any(heard(answer) for answer in answers) else None
    return Told(job.key, tuple(slim(answer) for answer in answers), joint, job.ask, took_s)


def _answers(workbench: Workbench, job: Job, upload: Upload, *, local: bool) -> dict[str, Answer]:
    names = [name for name in job.ask if (name in LOCAL) == local]
    if not names:
        return {}
    asking = workbench.begin([upload], providers=names, language=job.language, user=job.user)
    return {name: asking.answer(name) for name in names}


class LocalTeam:
    """Threads that share one workbench of this process. ``owned``: it closes with the team."""

    def __init__(self, workbench: Workbench, concurrency: int, *, owned: bool = False) -> None:
        self._workbench, self._owned = workbench, owned
        self._gates = Gates(concurrency)
        self._done: queue.SimpleQueue[Told | BaseException] = queue.SimpleQueue()
        self._threads = ThreadPoolExecutor(concurrency + _AHEAD, "batch")
        self.window = concurrency + _AHEAD

    @classmethod
    def open(cls, settings: Settings, concurrency: int) -> Self:
        """Return a team with a workbench of its own, whose bounds fit; raises `ConfigurationError`."""
        return cls(open_workbench(settings_for(settings, concurrency)), concurrency, owned=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def services(self) -> tuple[Service, ...]:
        """Return whom it can ask."""
        return services_of(self._workbench)

    def submit(self, job: Job) -> None:
        """Begin a job."""
        self._threads.submit(self._work, job)

    def _work(self, job: Job) -> None:
        try:
            self._done.put(ask(self._workbench, job, self._gates))
        except BaseException as error:  # noqa: BLE001 - raised again by `next`
            self._done.put(error)

    def next(self, within_s: float) -> Told | None:
        """Return what came of a job, None if none ended in time."""
        return taken(self._done, within_s)

    def close(self) -> None:
        """Wait for what is under way, and close a workbench of its own."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        if self._owned:
            self._workbench.close()


def taken(done: queue.SimpleQueue[Told | BaseException], within_s: float) -> Told | None:
    """Return the next of a queue, None if there is none in time; raises an error found there."""
    try:
        ended = done.get(timeout=within_s) if within_s > 0 else done.get_nowait()
    except queue.Empty:
        return None
    if isinstance(ended, BaseException):
        raise ended
    return ended
