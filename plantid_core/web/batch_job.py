"""Many photos that a page was given: kept until they are answered, asked beside the page.

What came of them lies in the data directory under a digest of what was brought and of who is asked: the
same photos, brought again, find their answers, also after the app was restarted. The photos themselves
go once all is done.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

from plantid_core.batch import kept, run
from plantid_core.batch.journal import Journal
from plantid_core.batch.journal_values import JournalInUse
from plantid_core.batch.order import Order
from plantid_core.batch.team import LocalTeam, services_of
from plantid_core.errors import PermissionDenied, PlantIDError
from plantid_core.upload.archive import Limits, unpack
from plantid_core.upload.policy import MIB

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import BinaryIO

    from plantid_core.batch.order import Done, Estimate, Progress
    from plantid_core.batch.table import Written
    from plantid_core.batch.team import Service
    from plantid_core.desk import Desk
    from plantid_core.workbench import Workbench

LIMITS: Final = Limits(archive_bytes=100 * MIB, files=2_000)
# Fewer than the services' own bound: whoever identifies a single plant meanwhile finds a place.
_AT_ONCE: Final = 4
_KEPT_S: Final = 7 * 86400.0
_LET_END_S: Final = 10.0
_PHOTOS, _ROOT, _TABLE = "photos", "root", "table.csv"


class BatchBusy(PlantIDError):
    """Another batch is under way on this server."""

    def __init__(self) -> None:
        super().__init__(
            "Another batch is being asked on this server. Try again when it has ended."
        )


@dataclass(frozen=True, slots=True)
class Batch:
    """What was brought, ready to be asked; ``place`` holds its journal and its table."""

    place: Path
    root: Path
    estimate: Estimate
    services: tuple[Service, ...]

    @property
    def sandbox(self) -> tuple[str, ...]:
        """Return the titles of those that a sandbox answers for."""
        return tuple(service.title for service in self.services if service.sandbox)

    @property
    def finished(self) -> bool:
        """Tell whether an earlier run answered it all, so that only the table is left to take."""
        left = self.estimate.photos - self.estimate.done - self.estimate.refused
        return not left and self.table.exists()

    @property
    def table(self) -> Path:
        """Return where the table will be."""
        return self.place / _TABLE


def prepare(desk: Desk, files: Sequence[tuple[str, BinaryIO]]) -> Batch:
    """Return the person's batch of these photos, or of one ZIP archive; raises `PlantIDError`."""
    workbench = desk.workbench_for("batch.run")
    services = services_of(workbench)
    own = kept.folder(desk.settings.data_dir, desk.owner_for("batch.run"))
    place = own / _digest(files, services)
    # Two visits may bring the same photos at the same moment.
    with _preparing:
        job = _jobs.get(place)
        if job is not None and job.running:
            return job.batch
        for folder in kept.folders(desk.settings.data_dir):
            _forget_old(folder)
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        root = _unpacked(place, files)
        order = _order(workbench, root, None, desk.user)
        try:
            with Journal(_journal(place), run.choice(order, services)) as journal:
                estimate = run.prepare(journal, order)
        except JournalInUse:
            # Where it lies is nobody's business.
            raise BatchBusy from None
        batch = Batch(place, root, estimate, services)
        if batch.finished:
            _drop_photos(place)
        return batch


def _digest(files: Sequence[tuple[str, BinaryIO]], services: Sequence[Service]) -> str:
    # A journal is continued only with the services that it was begun with.
    asked = sorted((service.name, service.sandbox) for service in services)
    whole = hashlib.sha256(f"{asked}\n".encode())
    for name, file in sorted(files, key=lambda pair: pair[0]):
        file.seek(0)
        digest = hashlib.sha256(file.read()).hexdigest()
        whole.update(f"{digest} {name}\n".encode(errors="surrogatepass"))
    return whole.hexdigest()[:32]


def _forget_old(folder: Path) -> None:
    # What nobody came back for.
    for place in folder.glob("*") if folder.is_dir() else ():
        job = _jobs.get(place)
        if (job is None or not job.running) and time.time() - place.stat().st_mtime > _KEPT_S:
            _jobs.pop(place, None)
            shutil.rmtree(place, ignore_errors=True)


def _drop_photos(place: Path) -> None:
    # Once all is answered, the table is what is wanted of them.
    shutil.rmtree(place / _PHOTOS, ignore_errors=True)


def _unpacked(place: Path, files: Sequence[tuple[str, BinaryIO]]) -> Path:
    """Return the folder of photos, written if it is not there whole."""
    photos, mark = place / _PHOTOS, place / _ROOT
    if mark.exists() and photos.is_dir():
        return place / mark.read_text(encoding="utf-8")
    shutil.rmtree(photos, ignore_errors=True)
    photos.mkdir(mode=0o700)
    try:
        root = _written(photos, files)
    except BaseException:
        # Half of them are of no use, and take room.
        shutil.rmtree(photos, ignore_errors=True)
        raise
    for path in root.rglob("*"):
        # The journal knows a file by its size and time: brought again, it is the same one.
        os.utime(path, (0, 0))
    mark.write_text(str(root.relative_to(place)), encoding="utf-8")
    return root


def _written(photos: Path, files: Sequence[tuple[str, BinaryIO]]) -> Path:
    """Write the photos into an empty folder, and return the one to begin at; raises `PlantIDError`."""
    archives = [name for name, _ in files if name.lower().endswith(".zip")]
    if archives and len(files) > 1:
        raise PlantIDError("Give one ZIP alone, or single photos.")
    if archives:
        name, file = files[0]
        file.seek(0)
        return unpack(file, name, photos, LIMITS).root
    if len(files) > LIMITS.files:
        raise PlantIDError(f"{len(files):,} photos were given; up to {LIMITS.files:,} can be.")
    for name, file in files:
        target = photos / (Path(name).name or "photo")
        if target.exists():
            raise PlantIDError(f"Two of the files are called {target.name}. Rename one.")
        file.seek(0)
        with target.open("wb") as written:
            shutil.copyfileobj(file, written)
    return photos


def _order(workbench: Workbench, root: Path, max_credits: int | None, user: str) -> Order:
    providers = run.chosen(services_of(workbench), None)
    return Order(root, providers, concurrency=_AT_ONCE, max_credits=max_credits, user=user)


def _journal(place: Path) -> Path:
    return place / f"{_TABLE}.journal"


_one, _preparing = threading.Lock(), threading.Lock()
_jobs: dict[Path, BatchJob] = {}


def job_of(batch: Batch) -> BatchJob | None:
    """Return the job that was begun for the batch, by whichever visit to the page."""
    return _jobs.get(batch.place)


def latest(desk: Desk) -> BatchJob | None:
    """Return the person's job that was begun last, for a page that was loaded again."""
    if not desk.may("batch.see"):
        return None
    folder = kept.folder(desk.settings.data_dir, desk.owner_for("batch.see"))
    ours = [job for place, job in list(_jobs.items()) if place.parent == folder and place.exists()]
    return ours[-1] if ours else None


def forget_all(desk: Desk) -> int:
    """Stop what runs of theirs, remove every batch of theirs, and return how many there were."""
    owner = desk.owner_for("history.forget")
    folder = kept.folder(desk.settings.data_dir, owner)
    jobs = {place: job for place, job in list(_jobs.items()) if place.parent == folder}
    for job in jobs.values():
        job.stop()
    for place, job in jobs.items():
        job.join(_LET_END_S)
        _jobs.pop(place, None)
    return kept.forget(desk.settings.data_dir, owner)


class BatchJob:
    """One batch in a thread of its own, which goes on when the page is left; raises `BatchBusy`."""

    def __init__(self, desk: Desk, batch: Batch, max_credits: int | None) -> None:
        workbench = desk.workbench_for("batch.run")
        own = kept.folder(desk.settings.data_dir, desk.owner_for("batch.run"))
        if batch.place.parent != own:
            raise PermissionDenied("batch.run")
        if not _one.acquire(blocking=False):
            raise BatchBusy
        self.batch = batch
        self.progress: Progress | None = None
        self.done: Done | None = None
        self.written: Written | None = None
        self.error = ""
        self._desk, self._workbench, self._max_credits = desk, workbench, max_credits
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="batch-job", daemon=True)
        _jobs.pop(batch.place, None)
        _jobs[batch.place] = self
        self._thread.start()

    @property
    def running(self) -> bool:
        """Tell whether it goes on."""
        return self._thread.is_alive()

    def join(self, within_s: float) -> None:
        """Wait for its end, for so long at most."""
        self._thread.join(within_s)

    def stop(self) -> None:
        """Begin no more photos; those under way end, and what was answered is kept."""
        self._stop.set()

    def _tell(self, progress: Progress) -> None:
        self.progress = progress
        self._stop_if_out()

    def _stop_if_out(self) -> None:
        if not self._desk.still_in():
            self.stop()

    def _run(self) -> None:
        try:
            order = _order(self._workbench, self.batch.root, self._max_credits, self._desk.user)
            choice = run.choice(order, services_of(self._workbench))
            self._stop_if_out()
            with (
                LocalTeam(self._workbench, _AT_ONCE) as team,
                Journal(_journal(self.batch.place), choice) as journal,
            ):
                self.done = run.run(team, journal, order, tell=self._tell, stop=self._stop)
                self.written = run.write(self.batch.table, journal, order, self.done)
            if not self.done.counts.left:
                _drop_photos(self.batch.place)
        except JournalInUse:
            self.error = str(BatchBusy())
        except PlantIDError as error:
            structlog.get_logger().warning("batch failed", error=type(error).__name__)
            self.error = str(error).replace(f"{self.batch.place}/", "")
        except Exception as error:  # noqa: BLE001 - the page tells of it; nobody else would
            structlog.get_logger().error("batch failed", error=type(error).__name__)
            self.error = "Something went wrong here. What was answered is kept: start again."
        finally:
            _one.release()
