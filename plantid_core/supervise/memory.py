"""What the C library does with freed memory, in a process of many threads that runs for weeks."""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress

# mallopt(3): what the environment calls each, its number in malloc.h, and our choice.
_OPTIONS = {
    # By itself it makes up to 8 arenas a core; what is freed in one serves no thread of another.
    "MALLOC_ARENA_MAX": (-8, 2),
    # Fixed here, or it grows to 32 MiB: a photo's pixels go back to the system when they are freed.
    "MALLOC_MMAP_THRESHOLD_": (-3, 1 << 20),
    "MALLOC_TRIM_THRESHOLD_": (-1, 16 << 20),
}


def give_back_freed() -> None:
    """Have glibc's malloc give freed memory back instead of keeping it for each thread.

    To be called before the first thread starts: the number of arenas is settled then. What the
    environment sets (see https://man7.org/linux/man-pages/man3/mallopt.3.html) stays as it is; other
    C libraries are left alone.
    """
    if "GLIBC_TUNABLES" in os.environ:
        return
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        for name, (option, value) in _OPTIONS.items():
            if name not in os.environ:
                mallopt(option, value)
