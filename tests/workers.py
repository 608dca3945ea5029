"""A pool of workers, as tests use it."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from plantid_core.errors import UploadRejected
from plantid_core.upload import Policy
from plantid_core.upload.chain import inspect
from plantid_core.upload.decode.plan import Plan

if TYPE_CHECKING:
    from plantid_core.upload.decode.plan import Picture
    from plantid_core.upload.isolation.pool import Lane, Pool


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
