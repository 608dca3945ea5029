"""``python -m plantid_core.drill.guard FOLDER``: ends all that a drill started, however it ends.

It leads a process group that everything else of the drill joins, and reads a pipe that the drill
holds open: the kernel closes the pipe however its holder dies. Then the folder goes, and the group.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys


def main() -> None:
    """Wait for the pipe's end, then remove the folder and end the group, this process with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    sys.stdin.buffer.read()
    shutil.rmtree(sys.argv[1], ignore_errors=True)
    os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    main()
