"""Worker processes: what happens in one happens to nobody else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from processes import until
from profiles import P3, matrix_profile

from plantid_core.errors import UploadRejected
from plantid_core.lab.pictures import png
from plantid_core.lab.pictures import quadrants as any_quadrants
from plantid_core.upload import Policy
from plantid_core.upload.chain import inspect
from plantid_core.upload.decode.plan import Plan
from plantid_core.upload.isolation import Pool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from plantid_core.upload.decode.plan import Picture
    from plantid_core.upload.isolation import Lane


@pytest.fixture
def pool() -> Iterator[Pool]:
    opened = Pool(single=1, bulk=1)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def slow() -> bytes:
    """Return a picture that takes a worker a second or more."""
    return png(7000, 7000, row_filter=4, noise_period=1021)


def decode(
    pool: Pool,
    data: bytes,
    name: str = "leaf.jpg",
    policy: Policy | None = None,
    lane: Lane = "single",
) -> Picture:
    policy = policy or Policy()
    header = inspect(data, name, policy)
    return pool.decode(header.stripped(data), Plan.of(header, policy), policy, lane)


def refusal(pool: Pool, data: bytes, policy: Policy) -> UploadRejected:
    with pytest.raises(UploadRejected) as caught:
        decode(pool, data, "leaf.png", policy)
    return caught.value


def warm(pool: Pool) -> int:
    """Start the reserved worker from another thread, so that it serves ours; return its id."""
    with ThreadPoolExecutor(1) as executor:
        executor.submit(pool.warm_up).result()
    [worker] = pool.pids()
    return worker


def busy(pid: int) -> bool:
    """Tell whether the process has used processor time since the last look."""
    before = _ticks(pid)
    time.sleep(0.1)
    return _ticks(pid) > before + 3


def _ticks(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().split()[13])


def test_worker_gives_what_this_process_would(pool: Pool, quadrants: Callable[..., bytes]) -> None:
    """A worker's picture is byte for byte that of a decode in this process."""
    from plantid_core.upload.decode.picture import sanitise

    data = quadrants()
    header = inspect(data, "leaf.jpg", Policy())

    picture = decode(pool, data)

    assert picture == sanitise(header.stripped(data), Plan.of(header, Policy()))


def test_worker_converts_wide_colours(pool: Pool) -> None:
    """What a worker needs for a rarer kind of picture, it needs no file for."""
    data = any_quadrants("PNG", icc_profile=matrix_profile(P3))

    assert decode(pool, data, "leaf.png").jpeg


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


def test_worker_killed_while_idle_costs_nothing(
    pool: Pool, quadrants: Callable[..., bytes]
) -> None:
    """A worker that died between two files is replaced before the next one is handed out."""
    worker = warm(pool)
    os.kill(worker, signal.SIGKILL)
    assert until(lambda: not pool.pids())

    assert decode(pool, quadrants()).jpeg


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
    slower = png(9900, 8900, row_filter=4, noise_period=1021)
    policy = Policy(decode_cpu_seconds=1, max_varied_raw_bytes=10**9, max_raw_bytes=10**9)

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


def test_reserved_lane_answers_while_bulk_is_stuck(
    pool: Pool, slow: bytes, quadrants: Callable[..., bytes]
) -> None:
    """With every bulk worker held up, a single upload is answered."""
    decode(pool, quadrants(), lane="bulk")
    [stuck] = pool.pids()
    os.kill(stuck, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as executor:
        held = executor.submit(decode, pool, slow, "leaf.png", Policy(), "bulk")

        assert decode(pool, quadrants()).jpeg

        assert not held.done()
        os.kill(stuck, signal.SIGCONT)
        assert held.result().jpeg


def test_thread_that_sends_many_leaves_the_reserved_worker_alone(
    pool: Pool, quadrants: Callable[..., bytes]
) -> None:
    """A flood through the ordinary door is told by its pace, and is served at the lowest precedence."""
    decode(pool, quadrants())
    [reserved] = pool.pids()
    decode(pool, quadrants())
    [other] = set(pool.pids()) - {reserved}

    assert os.getpriority(os.PRIO_PROCESS, reserved) == 0
    assert os.getpriority(os.PRIO_PROCESS, other) == 15


def test_more_callers_than_workers_all_get_their_picture(
    pool: Pool, quadrants: Callable[..., bytes]
) -> None:
    """Callers queue for a worker; none is lost, no more workers than allowed are started."""
    data = [quadrants(quality=quality) for quality in range(60, 90)]
    with ThreadPoolExecutor(15) as executor:
        pictures = list(executor.map(lambda one: decode(pool, one), data))

    assert len({picture.jpeg for picture in pictures}) == len(data)
    assert len(pool.pids()) <= 2


def test_workers_end_with_their_server(tmp_path: Path, quadrants: Callable[..., bytes]) -> None:
    """However the server dies, no worker is left."""
    (tmp_path / "leaf.jpg").write_bytes(quadrants())
    script = (
        "import sys, time; from pathlib import Path; from plantid_core.upload import admit;"
        "from plantid_core.upload.isolation import shared_pool;"
        "admit(Path(sys.argv[1]).read_bytes(), 'leaf.jpg');"
        "print(*shared_pool().pids(), flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "leaf.jpg")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        workers = [int(pid) for pid in server.stdout.readline().split()]
        server.kill()

    assert workers
    assert until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))


def test_closed_pool_refuses_kindly(pool: Pool, quadrants: Callable[..., bytes]) -> None:
    """After close, a file is refused as busy, and no worker is left."""
    decode(pool, quadrants())
    pool.close()

    with pytest.raises(UploadRejected) as caught:
        decode(pool, quadrants())

    assert caught.value.code == "busy"
    assert not pool.pids()


def test_examination_tells_every_gate(pool: Pool, quadrants: Callable[..., bytes]) -> None:
    """A worker can run the whole chain, and says what each gate cost."""
    found = pool.examine(quadrants(comment=b"hello"), "leaf.jpg", Policy())

    assert [gate.layer for gate in found.gates] == [
        "size", "name", "type", "header", "decode", "re-encode",
    ]  # fmt: skip
    assert all(gate.passed for gate in found.gates)
    assert found.photo is not None
    assert found.header is not None
    assert found.header.metadata == ("comment",)


def test_examination_ends_at_the_gate_that_refuses(pool: Pool) -> None:
    """Of a refused file, the gates before are told, and the one that refused."""
    found = pool.examine(b"%PDF-1.4\n", "leaf.jpg", Policy())

    assert [(gate.layer, gate.passed) for gate in found.gates] == [
        ("size", True), ("name", True), ("type", False),
    ]  # fmt: skip
    assert found.rejected is not None
    assert found.rejected.code == "type"


def test_forked_child_starts_workers_of_its_own(quadrants: Callable[..., bytes]) -> None:
    """A forked process does not talk to its parent's workers, nor keep them alive."""
    script = (
        "import os, sys; from pathlib import Path; from plantid_core.upload import admit;"
        "from plantid_core.upload.isolation import shared_pool;"
        "data = sys.stdin.buffer.read(); admit(data, 'leaf.jpg'); theirs = shared_pool().pids();"
        "child = os.fork();\n"
        "if child == 0:\n"
        "    admit(data, 'leaf.jpg'); mine = shared_pool().pids(); shared_pool().close()\n"
        "    os._exit(0 if mine and not set(mine) & set(theirs) else 9)\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], input=quadrants(), timeout=60, check=False
    )

    assert done.returncode == 0


def test_interrupted_caller_leaves_no_half_asked_worker(
    pool: Pool, slow: bytes, quadrants: Callable[..., bytes]
) -> None:
    """Closing the pool while a file is being decoded lets that one finish."""
    with ThreadPoolExecutor(1) as executor:
        picture = executor.submit(decode, pool, slow, "leaf.png")
        assert until(lambda: any(busy(pid) for pid in pool.pids()))
        threading.Thread(target=pool.close).start()

        assert picture.result().jpeg

    assert until(lambda: not pool.pids())
    del quadrants
