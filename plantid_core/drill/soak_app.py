"""The app as a process of its own, what it takes of the machine, and what can be done to it."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil
import redis
import requests

from plantid_core.errors import PlantIDError
from plantid_core.supervise.python import module_command

if TYPE_CHECKING:
    from plantid_core.drill.scene import Scene

_READY_S, _COMMAND_S, _ANSWER_S = 90.0, 60.0, 1.0
_WORKER = "plantid_core.upload.isolation.worker"
_SERVER = "valkey-server"
# Short lives, so that the cache is as full after five minutes as it will ever be, and what is new
# goes on being asked of the services. The services' own faults are the drill's.
_SETTINGS = {
    "SOFT_TTL_S": "60",
    "HARD_TTL_S": "180",
    "NEAR_SIZE": "256",
    "BREAKER_RESET_S": "5",
    "THROTTLE_ANONYMOUS": "off",
    "THROTTLE_USER": "off",
    "THROTTLE_TOKEN": "off",
    "QUOTA_USER_PER_MINUTE": "1000000",
}


@dataclass(frozen=True, slots=True)
class Vitals:
    """What the app's processes take together at one time; bytes, and numbers of things.

    ``rss`` is of the app, the processes that decode uploads and the watchdogs, without ``redis_rss``:
    what the embedded server holds are keys, which end by their times. ``app_rss`` is of the app alone.
    """

    at: float
    rss: int
    app_rss: int
    redis_rss: int
    processes: int
    threads: int
    files: int
    sockets: int
    redis_clients: int
    keys: int


class App:
    """A running app on a data directory of its own, which embeds its own Redis."""

    def __init__(self, scene: Scene) -> None:
        self._data = scene.folder / "app"
        self._data.mkdir(mode=0o700)
        if (scene.folder / "models").is_dir():
            (self._data / "models").symlink_to(scene.folder / "models")
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = int(probe.getsockname()[1])
        self.url = f"http://127.0.0.1:{port}"
        own = {
            "DATA_DIR": self._data,
            "PORT": port,
            "SANDBOX_URL": scene.services.url,
            "LOG_LEVEL": "error",
        }
        self._environment = [f"PLANTID_{name}={value}" for name, value in (_SETTINGS | own).items()]
        self._process = scene.start(self._command("serve"))
        self._tree = psutil.Process(self._process.pid)
        self._redis = redis.Redis(
            unix_socket_path=str(self._data / "valkey" / "valkey.sock"), socket_timeout=_ANSWER_S
        )
        self._await_ready()

    def token(self) -> str:
        """Return the word of a token that may identify, and read and change its history."""
        scopes = ("identify", "history:read", "history:write")
        words = [word for scope in scopes for word in ("--scope", scope)]
        command = self._command("token", "create", *words, "--days", "1", "--json")
        done = subprocess.run(  # noqa: S603 - our own command
            command, capture_output=True, text=True, timeout=_COMMAND_S, check=False
        )
        if done.returncode:
            raise PlantIDError(f"No token could be made: {done.stderr.strip()[-300:]}")
        return str(json.loads(done.stdout)["token"])

    @property
    def running(self) -> bool:
        """Tell whether the app's own process lives."""
        return self._process.poll() is None

    def look(self) -> Vitals:
        """Return what the app takes now; one that has ended takes nothing."""
        tree = self._all() if self.running else []
        rss = redis_rss = threads = files = sockets = count = 0
        for process in tree:
            with suppress(psutil.Error), process.oneshot():
                taken = process.memory_info().rss
                # Its watchdog has the name among its arguments, but not as its own.
                redis_rss += taken if process.name() == _SERVER else 0
                rss += 0 if process.name() == _SERVER else taken
                threads += process.num_threads()
                files += process.num_fds()
                sockets += len(process.net_connections("all"))
                count += 1
        clients = keys = -1
        with suppress(redis.RedisError):
            clients = len(self._redis.client_list()) - 1  # without the one that asks
            keys = int(self._redis.dbsize())
        app_rss = self._tree.memory_info().rss if self.running else 0
        return Vitals(
            at=time.monotonic(),
            rss=rss,
            app_rss=app_rss,
            redis_rss=redis_rss,
            processes=count,
            threads=threads,
            files=files,
            sockets=sockets,
            redis_clients=clients,
            keys=keys,
        )

    def lasting_keys(self) -> list[str]:
        """Return the keys in Redis that no time will end."""
        return [
            key.decode(errors="replace")
            for key in self._redis.scan_iter(count=1000)
            if self._redis.pttl(key) == -1
        ]

    def kill_redis(self) -> None:
        """Kill the embedded server with SIGKILL; its watchdog starts it again."""
        self._child(_SERVER).kill()

    def freeze_redis(self, seconds: float) -> None:
        """Let the embedded server hang for a while."""
        server = self._child(_SERVER)
        server.suspend()
        time.sleep(seconds)
        server.resume()

    def flush_redis(self) -> None:
        """Empty the embedded server."""
        self._redis.flushall()

    def kill_worker(self) -> None:
        """Kill a process that decodes uploads."""
        self._child(_WORKER).kill()

    def close(self) -> None:
        """Let go of the connection; the process ends with the scene."""
        self._redis.close()

    def _all(self) -> list[psutil.Process]:
        """Return the app, its children, and the servers of its data directory with their watchdogs."""
        found = {self._tree, *self._tree.children(recursive=True)}
        data = str(self._data)
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.cwd().startswith(data) or any(
                    word.startswith(data) for word in process.cmdline()[1:]
                ):
                    found.add(process)
        return sorted(found, key=lambda process: process.pid)

    def _child(self, word: str) -> psutil.Process:
        for process in self._all():
            with suppress(psutil.Error):
                # The server's watchdog has its name among its arguments, but not as its own.
                if process.name() == word or word in process.cmdline()[1:4]:
                    return process
        raise PlantIDError(f"The app has no process {word}.")

    def _command(self, *arguments: str) -> list[str]:
        return ["/usr/bin/env", *self._environment, *module_command("plantid_core.cli", *arguments)]

    def _await_ready(self) -> None:
        until = time.monotonic() + _READY_S
        with requests.Session() as session:
            session.trust_env = False
            while self.running and time.monotonic() < until:
                with suppress(requests.RequestException):
                    if session.get(f"{self.url}/readyz", timeout=2).ok:
                        return
                time.sleep(0.1)
        raise PlantIDError("The app did not start.")
