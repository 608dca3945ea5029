"""``python -m plantid_core.supervise.guard FOLDER``: ends all that a group started, however it ends.

It leads a process group that everything else of the group joins, and reads a pipe that its maker
holds open: the kernel closes the pipe however its holder dies. Then the group goes, and the folder.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from contextlib import suppress

import psutil


def main() -> None:
    """Wait for the pipe's end, then end the group and remove the folder."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    sys.stdin.buffer.read()
    _kill_others()
    shutil.rmtree(sys.argv[1], ignore_errors=True)
    # Also whoever was being born meanwhile, and this process with it.
    os.killpg(os.getpgrp(), signal.SIGKILL)


def _kill_others() -> None:
    """Kill the group's other processes, and see them gone: they might write to the folder."""
    own = os.getpgrp()
    for pid in psutil.pids():
        with suppress(ProcessLookupError, PermissionError, psutil.Error):
            if pid != own and os.getpgid(pid) == own:
                os.kill(pid, signal.SIGKILL)
                _await_end(pid)


def _await_end(pid: int) -> None:
    # A stranger's child is never reaped here: as a zombie it is gone enough.
    process = psutil.Process(pid)
    while process.status() != psutil.STATUS_ZOMBIE:
        with suppress(psutil.TimeoutExpired):
            process.wait(0.01)
            return


if __name__ == "__main__":
    main()
