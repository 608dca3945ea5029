"""How many arenas malloc makes for threads, as it tells itself (malloc_info(3))."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

ASK = """
import ctypes, threading
from plantid_core.supervise.memory import give_back_freed

{first}
ready = threading.Barrier(11)

def work():
    held = [bytes(50_000) for _ in range(20)]
    ready.wait()

threads = [threading.Thread(target=work) for _ in range(10)]
[thread.start() for thread in threads]
ready.wait()
libc = ctypes.CDLL(None)
libc.fdopen.restype = ctypes.c_void_p
out = ctypes.c_void_p(libc.fdopen(1, b"w"))
libc.malloc_info(0, out)
libc.fflush(out)
"""


def arenas(first: str, **environment: str) -> int:
    """Return how many arenas ten threads at once were given."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    done = subprocess.run(
        [sys.executable, "-c", ASK.format(first=first)],
        env=clean | environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return done.stdout.count("<heap nr=")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries are left alone")
def test_threads_share_two_arenas_unless_the_environment_says_otherwise() -> None:
    """What one of them frees, another can use."""
    assert arenas("") > 3
    assert arenas("give_back_freed()") == 2
    assert arenas("give_back_freed()", MALLOC_ARENA_MAX="3") == 3
