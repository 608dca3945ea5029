"""One worker process: how it is bounded, and how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from processes import until
from workers import busy, decode, refusal, warm

from plantid_core.lab.pictures import png
from plantid_core.upload import Policy
from plantid_core.upload.isolation.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pytest


def test_killed_worker_costs_its_own_file_only(
    pool: Pool, slow: bytes, quadrants: Callable[..., bytes]
) -> None:
    """A file whose worker is killed in the middle is refused; the next one is admitted."""
    decode(pool, quadrants())
    [worker] = pool.pids()
    with ThreadPoolExecutor(1) as executor:
        refused = executor.submit(refusal, pool, slow, Policy())
        assert until(lambda: busy(worker))
        os.kill(worker, signal.SIGKILL)

    verdict = refused.result()

    assert (verdict.code, verdict.value, verdict.transient) == ("decode_crashed", "SIGKILL", True)
    assert decode(pool, quadrants()).jpeg
    assert worker not in pool.pids()
    assert pool.replaced == 1


def test_stopped_worker_is_given_up_at_the_deadline(
    pool: Pool, slow: bytes, quadrants: Callable[..., bytes]
) -> None:
    """A suspended worker is killed and replaced when its file's time is up."""
    worker = warm(pool)
    os.kill(worker, signal.SIGSTOP)

    verdict = refusal(pool, slow, Policy(decode_seconds=0.5))

    assert (verdict.code, verdict.limit) == ("decode_timeout", 0.5)
    assert not Path(f"/proc/{worker}").exists()
    assert decode(pool, quadrants()).jpeg


_HOG = """
import os
os.sched_setaffinity(0, {int(os.environ["PROCESSOR"])})
print("ready", flush=True)
while True:
    pass
"""


@contextmanager
def busy_processor(processor: int) -> Iterator[None]:
    """Keep a processor busy with two programs for the length of the block."""
    with ExitStack() as stack:
        for _ in range(2):
            hog = subprocess.Popen(
                [sys.executable, "-c", _HOG],
                env={"PROCESSOR": str(processor)},
                stdout=subprocess.PIPE,
                start_new_session=True,
            )
            stack.enter_context(hog)
            stack.callback(hog.kill)
            assert hog.stdout
            hog.stdout.readline()
        yield


def test_worker_that_is_kept_from_the_processor_is_waited_for(pool: Pool) -> None:
    """A photo is not refused because other programs have most of the processor."""
    large, processor = png(5000, 4000, row_filter=4), min(os.sched_getaffinity(0))
    worker = warm(pool)
    os.sched_setaffinity(worker, {processor})

    with busy_processor(processor):
        photo = decode(pool, large, "leaf.png", Policy(decode_seconds=0.5))

    assert photo.jpeg
    assert pool.pids() == [worker]


def test_memory_beyond_the_bound_is_refused(slow: bytes) -> None:
    """A decode that asks for more address space than a worker has is refused, and the worker lives."""
    pool = Pool(single=1, bulk=1)

    verdict = refusal(pool, slow, Policy(worker_bytes=160 * 1024 * 1024))

    assert (verdict.code, verdict.layer) == ("decode_memory", "decode")
    assert len(pool.pids()) == 1
    pool.close()


def test_memory_of_a_large_picture_is_given_back(pool: Pool, slow: bytes) -> None:
    """A worker that has decoded a very large picture is small again."""
    decode(pool, slow, "leaf.png")
    [worker] = pool.pids()

    assert until(lambda: psutil.Process(worker).memory_info().rss < 100_000_000)


def test_processor_time_beyond_the_bound_is_refused(pool: Pool) -> None:
    """The kernel ends a worker that computes for too long."""
    # Four seconds of work: the kernel counts in whole ones, and from the next one on.
    slower = png(9900, 8900, colour=6, depth=16, row_filter=4, noise_period=1021)
    bounds = {"max_bytes": 2 * 10**7, "max_varied_raw_bytes": 10**9, "max_raw_bytes": 10**9}
    policy = Policy(decode_cpu_seconds=1, **bounds)

    verdict = refusal(pool, slower, policy)

    assert verdict.code == "decode_timeout"


def test_worker_can_open_nothing_and_knows_no_key(
    pool: Pool, quadrants: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker has no files, sockets, core dumps or settings to its name."""
    monkeypatch.setenv("PLANTID_PLANT_ID_API_KEY", "planted-secret")
    decode(pool, quadrants(), lane="bulk")
    [worker] = pool.pids()

    limits = Path(f"/proc/{worker}/limits").read_text()
    rows = {line[:26].strip(): line[26:].split() for line in limits.splitlines()}

    assert rows["Max open files"][:2] == ["0", "0"]
    assert rows["Max file size"][:2] == ["0", "0"]
    assert rows["Max core file size"][:2] == ["0", "0"]
    assert rows["Max address space"][:2] == [str(Policy().worker_bytes)] * 2
    assert b"planted-secret" not in Path(f"/proc/{worker}/environ").read_bytes()
    assert os.getpriority(os.PRIO_PROCESS, worker) == 15
    group = Path(f"/proc/{worker}/autogroup")
    assert not group.exists() or group.read_text().endswith("nice 15\n")


def test_worker_carries_nothing_of_the_servers_side(pool: Pool) -> None:
    """A worker is small: what only the server needs of this room is not loaded there."""
    loaded = psutil.Process(warm(pool)).memory_maps()

    assert not [library.path for library in loaded if "psutil" in library.path]
