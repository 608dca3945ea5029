"""Processes that end together with whoever started them, and a folder that goes with them."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from plantid_core.supervise.python import module_command, python_path

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_END_S = 10.0


class Group:
    """A process group under a guard, which ends it also where this process is killed."""

    def __init__(self, name: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"{name}-"))
        self._processes: list[subprocess.Popen[bytes]] = []
        self._guard = subprocess.Popen(  # noqa: S603 - our own module
            module_command("plantid_core.supervise.guard", str(self.folder)),
            stdin=subprocess.PIPE,
            env=_environment(),
            process_group=0,
        )

    def start(
        self,
        command: Sequence[str],
        *,
        talks: bool = False,
        listens: bool = False,
        pass_fds: Sequence[int] = (),
        settings: Mapping[str, str] | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start a process that ends with the group.

        ``talks`` lets its standard output be read, ``listens`` its standard input be written;
        ``settings`` are the only ones it has of ours.
        """
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(  # noqa: S603 - our own commands
                command,
                stdin=subprocess.PIPE if listens else subprocess.DEVNULL,
                stdout=subprocess.PIPE if talks else subprocess.DEVNULL,
                stderr=log,
                cwd=self.folder,
                env=_environment() | dict(settings or {}),
                process_group=self._guard.pid,
                pass_fds=pass_fds,
            )
        self._processes.append(process)
        return process

    def last_words(self) -> str:
        """Return the last line that any process wrote to its standard error."""
        lines = (self.folder / "log").read_text(errors="replace").split("\n")
        return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "nothing")

    def close(self) -> None:
        """End everything, and remove the folder."""
        # The guard's own end ends the others: there is one way, and it is tried every time.
        if self._guard.stdin is not None:
            self._guard.stdin.close()
        self._guard.wait(_END_S)
        for process in self._processes:
            process.kill()
            process.wait(_END_S)
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with suppress(OSError):
                        pipe.close()
        # What was still written while the guard removed it.
        shutil.rmtree(self.folder, ignore_errors=True)


def _environment() -> dict[str, str]:
    """Return this process's environment without any setting of ours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PLANTID_")}
    return {**kept, "PYTHONPATH": python_path()}
