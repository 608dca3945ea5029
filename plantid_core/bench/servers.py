"""A Valkey of a benchmark's own, on a unix socket in a folder that goes with it, to be killed at will."""

from __future__ import annotations

import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import redis

from plantid_core.store.embedded import find_binary

if TYPE_CHECKING:
    from typing import Self

_READY_S = 10.0
_OPTIONS = ("--port", "0", "--save", "", "--appendonly", "no", "--daemonize", "no")


class Server:
    """A running server that keeps nothing; `start` after `kill` brings it back at the same address."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="bench-")
        self._socket = Path(self._folder.name) / "s"
        self.url = f"unix://{self._socket}"
        self.client = redis.Redis.from_url(self.url)
        self.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.kill()
        self.client.close()
        self._folder.cleanup()

    def start(self) -> None:
        """Start the server; it answers when this returns."""
        self._process = subprocess.Popen(  # noqa: S603 - our own binary
            [find_binary(), *_OPTIONS, "--unixsocket", str(self._socket)],
            cwd=self._folder.name,
            stdout=subprocess.DEVNULL,
        )
        until = time.monotonic() + _READY_S
        while not self._answers():
            if time.monotonic() > until:
                raise TimeoutError("the server did not start")
            time.sleep(0.002)

    def kill(self) -> None:
        """Kill the server with SIGKILL."""
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        """Stop the server with SIGSTOP: it takes connections, and never answers."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen server go on."""
        self._process.send_signal(signal.SIGCONT)

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.RedisError:
            return False


class CommandCount:
    """Counts the commands that clients send, not those that scripts run; it slows the server down."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._monitor: Any = client.monitor()  # type: ignore[no-untyped-call]  # no types here
        self._monitor.__enter__()
        # What the client's next connection says of itself is not to be counted.
        self._until_marker()

    def total(self) -> int:
        """Return how many commands came since the beginning, and end the counting."""
        count = self._until_marker()
        self._monitor.__exit__()
        return count

    def _until_marker(self) -> int:
        marker, count = f"bench-{time.monotonic_ns()}", 0
        self._client.echo(marker)
        while marker not in (seen := self._monitor.next_command())["command"]:
            count += seen["client_type"] != "lua"
        return count
