"""What a worker takes from itself before it sees the first byte of a stranger's file."""

from __future__ import annotations

import ctypes
import math
import os
import resource
import time
from contextlib import suppress

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_PR_SET_NO_NEW_PRIVS = 38
_NICE = 15


def leave_network() -> None:
    """Move into a network of its own without any device, where the kernel allows it.

    Must come first: a process that has threads cannot do it.
    """
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        if libc.unshare(_CLONE_NEWNET) != 0:
            libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET)


def renounce(address_space: int, *, bulk: bool) -> None:
    """Give up memory beyond a bound, files, sockets, core dumps and, for bulk work, precedence.

    Comes after all imports: nothing can be opened from here on, neither a file nor a socket.
    """
    if bulk:
        _yield_to_others()
    for limit, value in (
        (resource.RLIMIT_AS, address_space),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 0),
    ):
        with suppress(ValueError, OSError):  # macOS has no RLIMIT_AS to set
            resource.setrlimit(limit, (value, value))


def give_back_memory() -> None:
    """Return to the system what a large picture took (glibc's malloc_trim; nothing elsewhere)."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _yield_to_others() -> None:
    os.nice(_NICE)
    # Linux shares the processor among sessions first, and a worker has a session of its own: its
    # niceness counts only if that of its group does as well (sched(7), autogroup).
    with suppress(OSError), open("/proc/self/autogroup", "w", encoding="ascii") as group:  # noqa: PTH123 - no regular file
        group.write(str(_NICE))


def arm_processor_time(seconds: int) -> None:
    """Let the kernel end this process when it has used ``seconds`` more than it has so far."""
    until = math.ceil(time.process_time()) + seconds
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (until, hard))
