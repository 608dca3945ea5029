"""A process's hold on a directory's server."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plantid_core.errors import PlantIDError
from plantid_core.supervise import rendezvous

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Self

_WATCHDOG_START_S = 10.0
_RETRY_S = 0.5


@dataclass(frozen=True, slots=True)
class ServerSpec:
    """A server to be had in ``directory``: what to run there, and how to tell that it is ready.

    ``command`` runs with ``directory`` as its working directory; ``ready`` is asked in the
    attaching process until it is true, for ``ready_s`` seconds at most.
    """

    name: str
    directory: Path
    command: tuple[str, ...]
    ready: Callable[[], bool]
    ready_s: float = 20.0


class Attachment:
    """Keeps the server alive for as long as it is open; made by `attach`.

    A watchdog that dies (with its server) is replaced within a second, by whoever is attached.
    """

    def __init__(self, spec: ServerSpec) -> None:
        self.directory = spec.directory
        self._spec = spec
        self._closed = threading.Event()
        self._link = _hold(spec)
        os.register_at_fork(after_in_child=self._let_go_after_fork)
        threading.Thread(target=self._renew, name=f"{spec.name}-attachment", daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go; the server ends if nobody else holds it."""
        self._closed.set()
        with contextlib.suppress(OSError):
            self._link.shutdown(socket.SHUT_RDWR)
        self._link.close()

    def _let_go_after_fork(self) -> None:
        # Only the copy is closed: a shutdown would reach the parent's connection too.
        self._closed.set()
        with contextlib.suppress(OSError):
            self._link.close()

    def _renew(self) -> None:
        while not self._closed.is_set():
            try:
                gone = not self._link.recv(1)
            except OSError:
                gone = True
            if not gone or self._closed.is_set():
                continue
            with contextlib.suppress(PlantIDError, OSError):
                self._replace(_hold(self._spec))
                continue
            self._closed.wait(_RETRY_S)

    def _replace(self, link: socket.socket) -> None:
        self._link.close()
        self._link = link
        if self._closed.is_set():
            link.close()


def attach(spec: ServerSpec) -> Attachment:
    """Find or start the directory's server and hold it, once it is ready.

    Raises `PlantIDError` with the end of the server's log when it does not become ready in time.
    """
    attachment = Attachment(spec)
    deadline = time.monotonic() + spec.ready_s
    while not spec.ready():
        if time.monotonic() > deadline:
            attachment.close()
            raise PlantIDError(
                f"The {spec.name} in {spec.directory} was not ready within {spec.ready_s:.0f} s."
                f" {_last_words(spec.directory)}"
            )
        time.sleep(0.01)
    return attachment


def _hold(spec: ServerSpec) -> socket.socket:
    spec.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    spec.directory.chmod(0o700)
    with rendezvous.locked(spec.directory):
        if (link := rendezvous.connect(spec.directory)) is not None:
            return link
        _start_watchdog(spec)
        deadline = time.monotonic() + _WATCHDOG_START_S
        while time.monotonic() < deadline:
            if (link := rendezvous.connect(spec.directory)) is not None:
                return link
            time.sleep(0.005)
    raise PlantIDError(
        f"The watchdog of the {spec.name} did not start. {_last_words(spec.directory)}"
    )


def _start_watchdog(spec: ServerSpec) -> None:
    """Start the watchdog in a session of its own, as a grandchild: it leaves no zombie here."""
    with (spec.directory / "log").open("ab") as log:
        subprocess.run(  # noqa: S603 - our own module
            [
                sys.executable,
                "-c",
                "import subprocess, sys; subprocess.Popen(sys.argv[1:], start_new_session=True)",
                sys.executable,
                "-m",
                "plantid_core.supervise",
                str(spec.directory),
                *spec.command,
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            check=True,
        )


def _last_words(directory: Path) -> str:
    try:
        lines = (directory / "log").read_text(errors="replace").strip().splitlines()
    except OSError:
        return ""
    return f"Its log ends: {lines[-1][:200]}" if lines else ""
