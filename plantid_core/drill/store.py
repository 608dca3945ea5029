"""A drill's own Valkey, to be killed, frozen, emptied and started again."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import redis

from plantid_core.errors import StoreUnavailable
from plantid_core.store.embedded import find_binary

if TYPE_CHECKING:
    from plantid_core.drill.rig import Rig

_READY_S = 10.0
_OPTIONS = ("--port", "0", "--save", "", "--appendonly", "no", "--daemonize", "no")


class Store:
    """A running server that keeps nothing; `start` after `kill` brings it back at its old address."""

    def __init__(self, rig: Rig, name: str) -> None:
        self._rig = rig
        self._socket = rig.folder / f"{name}.sock"
        self.url = f"unix://{self._socket}"
        self._client = redis.Redis.from_url(self.url, socket_timeout=1.0)
        self.start()

    def start(self) -> None:
        """Start the server, empty; it answers when this returns."""
        command = (find_binary(), *_OPTIONS, "--unixsocket", str(self._socket))
        self._process = self._rig.start(command, talks=False)
        until = time.monotonic() + _READY_S
        while not self._answers():
            if time.monotonic() > until:
                raise StoreUnavailable("The drill's own Valkey did not start.")
            time.sleep(0.005)

    def kill(self) -> None:
        """Kill the server with SIGKILL, and wait until it is gone."""
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        """Stop the server with SIGSTOP: it takes connections, and never answers."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen server go on."""
        self._process.send_signal(signal.SIGCONT)

    def flush(self) -> None:
        """Empty the server, of its values and of its scripts."""
        self._client.flushall()
        self._client.script_flush()

    def close(self) -> None:
        """End the server."""
        self.kill()
        self._client.close()

    def _answers(self) -> bool:
        try:
            return bool(self._client.ping())
        except redis.RedisError:
            return False
