"""A flood of files, half of them hostile, while somebody identifies a plant once a second."""

from __future__ import annotations

import itertools
import os
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psutil

from plantid_core.admission import Admission
from plantid_core.bench.report import Ratio, Report, Row
from plantid_core.deadline import Deadline
from plantid_core.errors import UploadRejected
from plantid_core.lab.attacks import ATTACKS
from plantid_core.lab.pictures import encode, photo_like, segment
from plantid_core.pipeline import pictures
from plantid_core.plants import Observation
from plantid_core.providers.offline import OfflineProvider
from plantid_core.telemetry import Trace
from plantid_core.upload import Policy
from plantid_core.upload.chain import Upload
from plantid_core.upload.isolation.pool import shared_pool

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FILES = 1000
PROBES = 100
QUIET_PROBES = 30
LANES = 2
_WARM_UP = 140
_DEADLINE_S = 30.0
_MB = 1e6


def run(
    tell: Callable[[str], None], *, files: int = FILES, probes: int = PROBES, pause_s: float = 1.0
) -> Report:
    """Return the probe's times, quiet and under attack; takes about three minutes.

    ``pause_s`` seconds pass from one probe's beginning to the next one's.
    """
    tell("making files")
    load, photo = _load(), encode(photo_like(1600, 1250), "JPEG", quality=92)
    with tempfile.TemporaryDirectory() as folder:
        probe = _Probe(OfflineProvider(Path(folder)), photo, pause_s)
        # Fills the cache of verdicts, too, whose growth is not the flood's.
        probe.times(_WARM_UP, pause_s=0.0)
        tell("quiet")
        quiet = probe.times(min(probes, QUIET_PROBES))
        tell("under attack")
        _Attack(load, len(load)).while_running(lambda: probe.times(2))
        before = _memory()
        attack = _Attack(load, files)
        attacked = attack.while_running(lambda: probe.times(probes))
        after = _memory()
    zombies = sum(child.status() == psutil.STATUS_ZOMBIE for child in psutil.Process().children())
    rows = (
        Row.of("quiet", "probe", "time", "ms", quiet),
        Row.of("under attack", "probe", "time", "ms", attacked),
        Row.of("under attack", "flood", "files", "files", [attack.judged]),
        Row.of("under attack", "flood", "throughput", "files/s", [attack.judged / attack.seconds]),
        Row.of("before", "server and workers", "resident", "MB", [before]),
        Row.of("after", "server and workers", "resident", "MB", [after]),
    )
    p95 = float(np.percentile(attacked, 95))
    return Report(
        "attack",
        rows,
        (
            Ratio("probe's p95 under attack / its quiet median", p95 / rows[0].median, "x", 1.5),
            Ratio("wrong verdicts", len(attack.wrong), "files", 0),
            Ratio("resident memory, after / before", after / before, "x", 1.15),
            Ratio("zombies", zombies, "processes", 0),
        ),
    )


class _Probe:
    """Identifies a photo that has never been seen, by the model on this machine."""

    def __init__(self, model: OfflineProvider, photo: bytes, pause_s: float) -> None:
        self._model, self._photo, self._pause_s = model, photo, pause_s
        self._admission = Admission()
        self._number = itertools.count()

    def times(self, count: int, *, pause_s: float | None = None) -> list[float]:
        pause_s = self._pause_s if pause_s is None else pause_s
        taken = []
        for _ in range(count):
            begin = time.perf_counter()
            self._once()
            taken.append((time.perf_counter() - begin) * 1e3)
            time.sleep(max(0.0, pause_s - (time.perf_counter() - begin)))
        return taken

    def _once(self) -> None:
        mark = segment(0xFE, str(next(self._number)).encode())
        upload = Upload(self._photo[:2] + mark + self._photo[2:], "leaf.jpg")
        deadline = Deadline.after(_DEADLINE_S)
        admitted = self._admission.photo(upload, deadline, Trace())
        seen = Observation(pictures([admitted], ["auto"]), None, None, "en")
        self._model.identify(seen, deadline)


class _Attack:
    """Sends files in a ring through the bulk lane until it is told to end and enough were sent."""

    def __init__(self, load: Sequence[tuple[Upload, str]], least: int) -> None:
        self.judged, self.seconds = 0, 0.0
        self.wrong: list[str] = []
        self._ring, self._least = itertools.cycle(load), least
        self._lock, self._over = threading.Lock(), threading.Event()

    def while_running(self, work: Callable[[], list[float]]) -> list[float]:
        begin = time.perf_counter()
        with ThreadPoolExecutor(LANES) as executor:
            senders = [executor.submit(self._send) for _ in range(LANES)]
            try:
                result = work()
            finally:
                self._over.set()
            for sender in senders:
                sender.result()
        self.seconds = time.perf_counter() - begin
        return result

    def _send(self) -> None:
        while not (self._over.is_set() and self.judged >= self._least):
            with self._lock:
                upload, expected = next(self._ring)
            verdict = _verdict(upload)
            with self._lock:
                self.judged += 1
                if verdict != expected:
                    self.wrong.append(f"{upload.filename}: {verdict}")


def _verdict(upload: Upload) -> str:
    try:
        found = shared_pool().examine(upload.data, upload.filename, Policy())
    except UploadRejected as rejected:
        return rejected.code
    return "reject" if found.rejected else "accept"


def _load() -> list[tuple[Upload, str]]:
    """Return the attacks, each beside an honest photo."""
    honest = [
        Upload(encode(photo_like(*size, seed=number), "JPEG", quality=90), "leaf.jpg")
        for number, size in enumerate(((4000, 3000), (1600, 1200), (3000, 2000), (800, 600)))
    ]
    pairs = zip(ATTACKS, itertools.cycle(honest), strict=False)
    return [
        entry
        for attack, good in pairs
        for entry in ((attack.upload(), str(attack.expect)), (good, "accept"))
    ]


def _memory() -> float:
    """Return what this process and its workers hold in memory, in MB."""
    pids = [os.getpid(), *shared_pool().pids()]
    return sum(psutil.Process(pid).memory_info().rss for pid in pids) / _MB
