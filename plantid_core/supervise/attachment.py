"""A process's hold on a directory's server."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from plantid_core.errors import PlantIDError
from plantid_core.supervise import rendezvous
from plantid_core.supervise.python import module_command, python_path

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Self

_LOCK_S = 15.0
_WATCHDOG_START_S = 10.0
_RETRY_S = 0.5
_POLL_S = 0.005
_MOST_LOG_BYTES = 1_000_000


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
    A forked child holds nothing.
    """

    def __init__(self, spec: ServerSpec) -> None:
        self.directory = spec.directory
        self._spec = spec
        self._closed = threading.Event()
        self._link = _hold(spec)
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

    def _renew(self) -> None:
        while not self._closed.is_set():
            try:
                gone = not self._link.recv(1)
            except OSError:
                gone = True
            if not gone or self._closed.is_set():
                continue
            with contextlib.suppress(PlantIDError):
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

    Raises `PlantIDError` where the directory cannot be used, and, with the end of the server's log,
    where the server does not become ready in time.
    """
    # A later chdir of this process must not make it look for its server elsewhere.
    spec = replace(spec, directory=spec.directory.absolute())
    attachment = Attachment(spec)
    try:
        _await_ready(spec)
    except BaseException:  # also Ctrl-C: nobody else could let go
        attachment.close()
        raise
    return attachment


def _await_ready(spec: ServerSpec) -> None:
    deadline = time.monotonic() + spec.ready_s
    while not spec.ready():
        if time.monotonic() > deadline:
            raise PlantIDError(
                f"The {spec.name} in {spec.directory} was not ready within {spec.ready_s:.0f} s."
                f"{_last_words(spec.directory)}"
            )
        time.sleep(_POLL_S)


def _hold(spec: ServerSpec) -> socket.socket:
    directory = spec.directory
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        directory.chmod(0o700)
        with rendezvous.locked(directory, _LOCK_S):
            rendezvous.make_short(directory)
            return _connect(directory, within_s=0.0) or _start(spec)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = getattr(error, "strerror", None) or "its watchdog did not start"
        raise PlantIDError(
            f"The {spec.name} in {directory} cannot be had: {reason}.{_last_words(directory)}"
        ) from error


def _start(spec: ServerSpec) -> socket.socket:
    try:
        _start_watchdog(spec)
    except subprocess.CalledProcessError as error:
        if error.returncode > 0:
            raise
        _start_watchdog(spec)  # a signal ended it before it was in the background
    link = _connect(spec.directory, within_s=_WATCHDOG_START_S)
    if link is None:
        raise TimeoutError(None, "its watchdog did not start")
    return link


def _connect(directory: Path, *, within_s: float) -> socket.socket | None:
    """Return a connection; None where no watchdog appears within the time.

    Raises BlockingIOError where a watchdog is there and takes nobody in: starting a second one
    would put two servers on the same files.
    """
    appears = time.monotonic() + within_s
    answers = time.monotonic() + _WATCHDOG_START_S
    while True:
        try:
            link = rendezvous.connect(directory)
        except BlockingIOError:
            if time.monotonic() > answers:
                raise
        else:
            if link is not None or time.monotonic() > appears:
                return link
        time.sleep(_POLL_S)


def _start_watchdog(spec: ServerSpec) -> None:
    """Start the watchdog in a session of its own, which no Ctrl-C of this terminal reaches."""
    log = spec.directory / "log"
    grown = log.exists() and log.stat().st_size > _MOST_LOG_BYTES
    with log.open("wb" if grown else "ab") as output:
        subprocess.run(  # noqa: S603 - our own module
            module_command("plantid_core.supervise", str(spec.directory), *spec.command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": python_path()},
            check=True,
        )


def _last_words(directory: Path) -> str:
    try:
        lines = (directory / "log").read_text(errors="replace").strip().splitlines()
    except OSError:
        return ""
    return f" Its log ends: {lines[-1][:200]}" if lines else ""
