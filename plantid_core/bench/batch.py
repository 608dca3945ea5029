"""Thousands of photos through ``plantid batch``: killed on the way, timed, and again on a Dask cluster.

The wall time is held to what no program could go below: the services' latency for so many photos at
once, or half the processor time on two cores, whichever is longer. The sandbox has seen each
photo before, so that its image models are not what is measured.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import requests
from PIL import Image

from plantid_core.bench.batch_watch import Watch
from plantid_core.bench.report import Ratio, Report, Row
from plantid_core.bench.servers import Server
from plantid_core.deadline import Deadline
from plantid_core.errors import PlantIDError
from plantid_core.plants import Observation, Picture
from plantid_core.providers.plant_id import PlantId
from plantid_core.providers.plantnet import PlantNet
from plantid_core.supervise.group import Group
from plantid_core.supervise.python import module_command
from plantid_core.upload import admit

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator

    Tell = Callable[[str], None]

PHOTOS, CONCURRENCY, LATENCY_S = 2000, 16, 0.3
WALL_BAR, GROWTH_BAR_MB = 1.25, 50.0
_SERVICES = ("plant_id", "plantnet")
_CORES = 2
_KEPT = 0.85
_QUOTA = "10000000"
_WORKERS = 2
_READY_S = 60.0
# Where an answer came from may differ from run to run; everything else may not.
_ORIGIN = "source"


@dataclass(frozen=True, slots=True)
class Sandbox:
    """The services of a benchmark's own, and how they are asked what they saw."""

    url: str

    def calls(self) -> dict[str, int]:
        """Return the identifications that each service was asked for."""
        found = requests.get(f"{self.url}/_stats", timeout=10).json()
        return {
            service: sum(
                sum(statuses.values())
                for route, statuses in found.get(service, {}).items()
                if route.startswith("POST ")
            )
            for service in _SERVICES
        }

    def prepare(self, latency_s: float) -> None:
        """Set the latency, and forget the calls."""
        for service in _SERVICES:
            each = {"p50": latency_s * 1e3, "p99": latency_s * 1e3}
            faults = {"service": service, "latency_ms": each}
            requests.post(f"{self.url}/_faults", json=faults, timeout=10).raise_for_status()
        requests.delete(f"{self.url}/_stats", timeout=10).raise_for_status()


def run(
    tell: Tell,
    *,
    photos: int = PHOTOS,
    concurrency: int = CONCURRENCY,
    latency_s: float = LATENCY_S,
    cluster: bool = True,
) -> Report:
    """Return the wall time, the calls and the memory of a batch; takes about six minutes."""
    group = Group("bench-batch")
    try:
        bench = _Bench(group, tell, photos, concurrency, latency_s)
        rows, ratios = bench.local()
        if cluster:
            more, ratio = bench.on_cluster()
            rows, ratios = rows + more, ratios + ratio
    finally:
        group.close()
    return Report("batch", tuple(rows), tuple(ratios))


class _Bench:
    def __init__(
        self, group: Group, tell: Tell, photos: int, concurrency: int, latency_s: float
    ) -> None:
        self._group, self._tell = group, tell
        self._photos, self._concurrency, self._latency_s = photos, concurrency, latency_s
        self._folder = group.folder / "photos"
        self._folder.mkdir()
        tell(f"{photos} photos")
        for number, jpeg in enumerate(_crops(photos)):
            (self._folder / f"{number:06}.jpg").write_bytes(jpeg)
        process = group.start(
            module_command(
                "plantid_core.sandbox",
                "--quota",
                _QUOTA,
                "--cache-dir",
                str(group.folder / "sandbox"),
            ),
            talks=True,
        )
        line = process.stdout.readline() if process.stdout else b""
        if not line:
            raise PlantIDError(f"The sandbox did not start: {group.last_words()}")
        self._sandbox = Sandbox(str(json.loads(line)["url"]))
        tell("the sandbox sees every photo once")
        _show(self._folder, self._sandbox.url)

    def local(self) -> tuple[list[Row], list[Ratio]]:
        """Run the batch here, killed twice on the way."""
        self._sandbox.prepare(self._latency_s)
        watch = Watch(self._group.folder, lambda: sum(self._sandbox.calls().values()))
        with watch:
            for share in (1 / 3, 2 / 3):
                process = self._start("out.csv")
                watch.leg(process.pid)
                self._until(watch, share * 2 * self._photos, process)
                process.kill()
                process.wait()
                watch.end()
                self._tell(f"killed at {watch.calls} calls")
            process = self._start("out.csv")
            watch.leg(process.pid)
            told = self._finished(process)
            watch.end()
        self._tell(f"done in {watch.wall_s:.1f} s of work")
        calls = self._sandbox.calls()
        bound = self._photos + 2 * self._concurrency
        least_s = max(self._photos * self._latency_s / self._concurrency, watch.cpu_s / _CORES)
        once = _answered_once(self._group.folder / "out.csv", self._photos)
        case = f"{self._photos} photos, killed twice"
        rows = [
            Row.of(case, "batch", "answered once", "photos", [once]),
            Row.of(case, "batch", "wall, restarts apart", "s", [watch.wall_s]),
            Row.of(case, "batch", "processor", "s", [watch.cpu_s]),
            Row.of(case, "batch", "photos a second", "photos/s", [self._photos / watch.wall_s]),
            Row.of(case, "batch", "memory at the end", "MB", [watch.rss_mb]),
            *(Row.of(case, name, "calls", "calls", [count]) for name, count in calls.items()),
            Row.of(case, "batch", "rows", "rows", [float(str(told["rows"]))]),
        ]
        ratios = [
            Ratio("photos not answered exactly once", self._photos - once, "photos", 0),
            Ratio("calls of a service above distinct + in flight", max(calls.values()) - bound,
                  "calls", 0),
            Ratio("wall / what it must take", watch.wall_s / least_s, "x", WALL_BAR),
            Ratio("memory gained while it ran", watch.growth_mb, "MB", GROWTH_BAR_MB),
        ]  # fmt: skip
        return rows, ratios

    def on_cluster(self) -> tuple[list[Row], list[Ratio]]:
        """Run the same on two Dask workers that share a Redis, and compare the tables."""
        self._sandbox.prepare(self._latency_s)
        with ExitStack() as running:
            server = running.enter_context(Server())
            address = self._cluster(server.url)
            self._tell(f"{_WORKERS} Dask workers")
            begin = time.monotonic()
            self._finished(self._start("cluster.csv", "--scheduler", address))
            wall_s = time.monotonic() - begin
        calls = self._sandbox.calls()
        here, there = (_content(self._group.folder / name) for name in ("out.csv", "cluster.csv"))
        differ = sum(a != b for a, b in zip(here, there, strict=False)) + abs(
            len(here) - len(there)
        )
        case = f"{self._photos} photos, Dask"
        rows = [
            Row.of(case, "batch", "wall, with its start", "s", [wall_s]),
            *(Row.of(case, name, "calls", "calls", [count]) for name, count in calls.items()),
        ]
        return rows, [
            Ratio("Dask: rows that differ from the local table", differ, "rows", 0),
            Ratio("Dask: calls of a service above one a photo", max(calls.values()) - self._photos,
                  "calls", 0),
        ]  # fmt: skip

    def _start(self, table: str, *more: str) -> subprocess.Popen[bytes]:
        command = module_command(
            "plantid_core.cli", "batch", "photos", "-o", table, "--json",
            "--concurrency", str(self._concurrency), *more,
        )  # fmt: skip
        return self._group.start(self._with_settings(command, "data"), talks=True)

    def _with_settings(self, command: list[str], data: str, **more: str) -> list[str]:
        settings = {
            "PLANTID_DATA_DIR": str(self._group.folder / data),
            "PLANTID_SANDBOX_URL": self._sandbox.url,
            **more,
        }
        return ["/usr/bin/env", *(f"{name}={value}" for name, value in settings.items()), *command]

    def _cluster(self, redis_url: str) -> str:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        address = f"tcp://127.0.0.1:{port}"
        scheduler = module_command(
            "distributed.cli.dask_scheduler",
            "--host", "127.0.0.1", "--port", str(port), "--no-dashboard",
        )  # fmt: skip
        self._group.start(scheduler)
        worker = module_command(
            "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny",
            "--no-dashboard",
        )  # fmt: skip
        for number in range(_WORKERS):
            self._group.start(
                self._with_settings(worker, f"worker{number}", PLANTID_REDIS_URL=redis_url)
            )
        from distributed import Client

        with Client(  # type: ignore[no-untyped-call]
            address, timeout=_READY_S, set_as_default=False
        ) as client:
            client.wait_for_workers(_WORKERS, timeout=_READY_S)
        return address

    def _until(self, watch: Watch, calls: float, process: subprocess.Popen[bytes]) -> None:
        while watch.calls < calls:
            if process.poll() is not None:
                raise PlantIDError(f"The batch ended early: {self._group.last_words()}")
            time.sleep(0.02)

    def _finished(self, process: subprocess.Popen[bytes]) -> dict[str, object]:
        out, _ = process.communicate()
        if process.returncode != 0:
            raise PlantIDError(f"The batch failed: {self._group.last_words()}")
        found: dict[str, object] = json.loads(out)
        return found


def _crops(photos: int) -> Iterator[bytes]:
    """Yield different crops of real photos as JPEGs: those beside the project, else sklearn's two."""
    beside = Path(__file__).parents[3] / "shared" / "photos-dev"
    sources = sorted(beside.glob("*.jpg"))
    if not sources:
        import sklearn

        images = Path(sklearn.__file__).parent / "datasets" / "images"
        sources = sorted(images.glob("*.jpg"))
    pictures = [Image.open(path).convert("RGB") for path in sources]
    rng = np.random.default_rng(7)
    seen: set[tuple[int, int, int]] = set()
    for number in range(photos):
        which = number % len(pictures)
        picture = pictures[which]
        width, height = (math.floor(_KEPT * side) for side in picture.size)
        while True:
            left = int(rng.integers(0, picture.width - width + 1))
            top = int(rng.integers(0, picture.height - height + 1))
            if (which, left, top) not in seen:
                break
        seen.add((which, left, top))
        buffer = io.BytesIO()
        picture.crop((left, top, left + width, top + height)).save(buffer, "JPEG", quality=90)
        yield buffer.getvalue()


def _show(folder: Path, url: str) -> None:
    providers = (PlantId(url, "sandbox", sandbox=True), PlantNet(url, "sandbox", sandbox=True))

    def show(path: Path) -> None:
        photo = admit(path.read_bytes(), path.name)
        asked = Observation((Picture(photo.jpeg, photo.sha256),))
        for provider in providers:
            provider.identify(asked, Deadline.after(_READY_S))

    with ThreadPoolExecutor(os.cpu_count() or _CORES) as threads:
        list(threads.map(show, sorted(folder.iterdir())))
    for provider in providers:
        provider.close()


def _content(path: Path) -> list[tuple[str, ...]]:
    with path.open(encoding="utf-8", newline="") as file:
        table = csv.DictReader(file)
        return [tuple(value for name, value in row.items() if name != _ORIGIN) for row in table]


def _answered_once(path: Path, photos: int) -> int:
    """Return how many photos have every provider's answer exactly once, of those there should be."""
    with path.open(encoding="utf-8", newline="") as file:
        seen: dict[str, list[tuple[str, str]]] = {}
        for row in csv.DictReader(file):
            if row["observation"] == "answered" and not row["error"]:
                seen.setdefault(row["file"], []).append((row["provider"], row["rank"]))
    once = sum(
        len(told) == len(set(told)) and {*_SERVICES} <= {name for name, _ in told}
        for told in seen.values()
    )
    # A photo that there should not be counts against those that are right.
    return once - max(0, len(seen) - photos)
