"""The upload chain beside a plain decode and the usual validator; and what attacks cost it."""

from __future__ import annotations

import functools
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from plantid_core.bench.report import Ratio, Report, Row
from plantid_core.bench.rivals import POOLED, RIVALS, peak_in_fresh_process
from plantid_core.bench.timing import interleaved
from plantid_core.errors import UploadRejected
from plantid_core.lab.attacks import ATTACKS
from plantid_core.lab.pictures import encode, photo_like
from plantid_core.lab.worst import WORST
from plantid_core.upload import Policy, admit
from plantid_core.upload.chain import inspect
from plantid_core.upload.isolation.peak import PeakMemory
from plantid_core.upload.isolation.pool import shared_pool

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 11
_FEW = 5
_PROCESSES = 3
_MB = 1e6
_FLOODS = ("Decompression bomb", "Frame bomb", "Scan bomb", "Segment flood")
_DENSE = ("ff-fill", "ff-stuffing")
_LARGE = "12 Mpx JPEG"


def run(tell: Callable[[str], None]) -> Report:
    """Return times, peaks and ratios; takes about two minutes."""
    rows: list[Row] = []
    tell("making pictures")
    for case, (filename, data) in _cases().items():
        tell(f"{case}, {len(data) / _MB:.1f} MB")
        rows += _case(case, data, filename)
    tell("throughput of the pool")
    rows += _throughput(_cases()[_LARGE][1])
    tell("refusals")
    rows += _refusals()
    for name, (filename, make) in WORST.items():
        tell(f"worst: {name}")
        rows += _worst(name, make(), filename)
    report = Report("upload", tuple(rows), ())
    return Report("upload", report.rows, tuple(_ratios(report)))


def _cases() -> dict[str, tuple[str, bytes]]:
    small = photo_like(1600, 1250)
    return {
        _LARGE: ("a.jpg", encode(photo_like(4000, 3000), "JPEG", quality=92)),
        "2 Mpx JPEG": ("a.jpg", encode(small, "JPEG", quality=92)),
        "2 Mpx PNG": ("a.png", encode(small, "PNG", compress_level=6)),
        "2 Mpx WebP": ("a.webp", encode(small, "WEBP", quality=90, method=0)),
    }


def _case(case: str, data: bytes, filename: str) -> list[Row]:
    contestants: dict[str, Callable[[], object]] = {
        name: functools.partial(work, data, filename) for name, work in RIVALS.items()
    }
    taken = interleaved(contestants, ROUNDS, warm_up=2)
    rows = [Row.of(case, name, "time", "ms", values) for name, values in taken.items()]
    pairs = zip(taken[POOLED], taken["ours in process"], strict=True)
    rows.append(Row.of(case, "pool", "overhead", "ms", [mine - other for mine, other in pairs]))
    for name in RIVALS.keys() - {POOLED}:
        peaks = [peak_in_fresh_process(name, data, filename) / _MB for _ in range(_PROCESSES)]
        rows.append(Row.of(case, name, "peak above base", "MB", peaks))
    rows.append(Row.of(case, "worker", "peak", "MB", [_worker_peak()]))
    return rows


def _worker_peak() -> float:
    """Return the high-water mark of the worker that had the last picture, in MB; 0 without /proc."""
    marks = [0.0]
    for pid in shared_pool().pids():
        try:
            status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
        except OSError:
            continue
        marks += [
            int(line.split()[1]) * 1024 / _MB
            for line in status.splitlines()
            if line.startswith("VmHWM")
        ]
    return max(marks)


def _throughput(data: bytes) -> list[Row]:
    cores, count, rates = os.cpu_count() or 1, 24, []
    with ThreadPoolExecutor(cores) as executor:
        for _ in range(_FEW):
            begin = time.perf_counter()
            list(
                executor.map(lambda _: shared_pool().examine(data, "a.jpg", Policy()), range(count))
            )
            rates.append(count / (time.perf_counter() - begin))
    return [Row.of(_LARGE, f"pool, {cores} workers", "throughput", "photos/s", rates)]


def _refusals() -> list[Row]:
    rows, meter = [], PeakMemory()
    for attack in ATTACKS:
        if attack.vector not in _FLOODS or attack.expect != "reject":
            continue
        upload, times, peaks = attack.upload(), [], []
        for number in range(_FEW + 1):
            meter.begin()
            begin = time.perf_counter()
            refused = _refused(upload.data, upload.filename)
            ms = (time.perf_counter() - begin) * 1e3
            if number and refused:
                times.append(ms)
                peaks.append(meter.taken() / _MB)
        rows.append(Row.of(f"refusal: {attack.id}", "ours", "time", "ms", times))
        rows.append(Row.of(f"refusal: {attack.id}", "ours", "peak", "MB", peaks))
    return rows


def _refused(data: bytes, filename: str) -> bool:
    try:
        inspect(data, filename, Policy())
    except UploadRejected:
        return True
    return False


def _worst(name: str, data: bytes, filename: str) -> list[Row]:
    case, times, peaks, server = f"worst: {name}", [], [], []
    meter = PeakMemory()
    for _ in range(_FEW):
        meter.begin()
        begin = time.perf_counter()
        admit(data, filename)
        times.append((time.perf_counter() - begin) * 1e3)
        server.append(meter.taken() / _MB)
        peaks.append(_worker_peak())
    return [
        Row.of(case, POOLED, "time", "ms", times),
        Row.of(case, "worker", "peak", "MB", peaks),
        Row.of(case, "server", "peak", "MB", server),
    ]


def _ratios(report: Report) -> list[Ratio]:
    def time_of(case: str, contestant: str) -> float:
        return report.median(case, contestant, "time")

    ours, full = time_of(_LARGE, "ours in process"), time_of(_LARGE, "ours, full size kept")
    seed, plain = time_of(_LARGE, "seed"), time_of(_LARGE, "decode and encode")
    ratios = [
        Ratio("12 Mpx JPEG: ours / seed", ours / seed, "x", 0.55),
        Ratio("12 Mpx JPEG: ours / (decode + encode)", ours / plain, "x", 0.90),
        Ratio("12 Mpx JPEG: full size kept / seed", full / seed, "x", 0.97),
        Ratio("12 Mpx JPEG: full size kept / (decode + encode)", full / plain, "x", 1.55),
        Ratio(
            "12 Mpx JPEG: overhead of the pool",
            report.median(_LARGE, "pool", "overhead"),
            "ms",
            10.0,
        ),
        Ratio(
            "12 Mpx JPEG: peak above base",
            report.median(_LARGE, "ours in process", "peak above base"),
            "MB",
            60,
        ),
    ]
    ratios += [
        Ratio(
            f"{case}: ours / seed",
            time_of(case, "ours in process") / time_of(case, "seed"),
            "x",
            1.0,
        )
        for case in ("2 Mpx JPEG", "2 Mpx PNG", "2 Mpx WebP")
    ]
    return ratios + _bounds(report)


def _bounds(report: Report) -> list[Ratio]:
    def most(prefix: str, metric: str, contestant: str, *, dense: bool = False) -> float:
        return max(
            row.median
            for row in report.rows
            if row.case.startswith(prefix)
            and (row.metric, row.contestant) == (metric, contestant)
            and (row.case.removeprefix(prefix) in _DENSE) == dense
        )

    return [
        Ratio("refusals: slowest", most("refusal: ", "time", "ours"), "ms", 30.0),
        Ratio("refusals: largest peak above base", most("refusal: ", "peak", "ours"), "MB", 10.0),
        Ratio(
            "10 MB dense in FF bytes", most("refusal: ", "time", "ours", dense=True), "ms", 120.0
        ),
        Ratio(
            "worst accepted file: time",
            most("worst: ", "time", POOLED),
            "ms",
            2500,
        ),
        Ratio("worst accepted file: worker's peak", most("worst: ", "peak", "worker"), "MB", 800.0),
    ]
