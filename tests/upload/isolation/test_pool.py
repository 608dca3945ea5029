"""Worker processes: what happens in one happens to nobody else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from processes import until
from profiles import P3, matrix_profile
from workers import busy, decode, warm

from plantid_core.errors import UploadRejected
from plantid_core.lab.pictures import quadrants as any_quadrants
from plantid_core.upload import Policy
from plantid_core.upload.chain import inspect
from plantid_core.upload.decode.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from plantid_core.upload.isolation.pool import Pool


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


def test_worker_killed_while_idle_costs_nothing(
    pool: Pool, quadrants: Callable[..., bytes]
) -> None:
    """A worker that died between two files is replaced before the next one is handed out."""
    worker = warm(pool)
    os.kill(worker, signal.SIGKILL)
    assert until(lambda: not pool.pids())

    assert decode(pool, quadrants()).jpeg


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
        "from plantid_core.upload.isolation.pool import shared_pool;"
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
        "from plantid_core.upload.isolation.pool import shared_pool;"
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
