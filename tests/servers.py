"""A Valkey of the test's own, to be killed, stopped and started again."""

from __future__ import annotations

import signal
import subprocess
from typing import TYPE_CHECKING

import redis
from processes import until

from plantid_core.store.connection import connect
from plantid_core.store.embedded import _executable, find_binary

if TYPE_CHECKING:
    from pathlib import Path


class Server:
    """One valkey-server on a unix socket; it keeps nothing over a restart."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._binary = _executable(find_binary(), directory)
        self._clients: list[redis.Redis] = []
        self.url = f"unix://{directory / 'v.sock'}"
        self.restart()

    def restart(self) -> None:
        """Start the server, empty, and wait until it answers."""
        options = {"port": "0", "unixsocket": "v.sock", "save": "", "dir": str(self._directory)}
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        self.process = subprocess.Popen(
            [self._binary, *words], cwd=self._directory, stdout=subprocess.DEVNULL
        )
        assert until(self._answers, 10)

    def _answers(self) -> bool:
        try:
            with connect(self.url) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def client(self, socket_timeout_s: float = 5.0) -> redis.Redis:
        """Return a client, closed when the test ends."""
        client = connect(self.url, socket_timeout_s=socket_timeout_s)
        self._clients.append(client)
        return client

    def kill(self) -> None:
        """End the server at once, with all it holds."""
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> None:
        """Let the server hang."""
        self.process.send_signal(signal.SIGSTOP)

    def cont(self) -> None:
        """Let a server that hangs go on."""
        self.process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """End all."""
        for client in self._clients:
            client.close()
        if self.process.poll() is None:
            self.kill()
