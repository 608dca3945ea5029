"""A primary, a replica and three sentinels that watch them, on loopback."""

from __future__ import annotations

import secrets
import signal
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import redis

from plantid_core.errors import PlantIDError
from plantid_core.store.embedded import find_binary

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Sequence
    from pathlib import Path

    Start = Callable[[Sequence[str]], subprocess.Popen[bytes]]

SERVICE = "garden"
_HOST = "127.0.0.1"
_SENTINELS, _QUORUM = 3, 2
_READY_S, _SWITCH_S, _REPLICA_S = 20.0, 30.0, 30.0
_ASK_S = 1.0


class Sentinels:
    """The servers, each with a password; ``start`` starts a process in ``folder``.

    ``down_after_ms`` is how long the primary is silent before a sentinel takes it for dead. See
    https://valkey.io/topics/sentinel/ for what they agree on then.
    """

    def __init__(self, folder: Path, start: Start, *, down_after_ms: int = 700) -> None:
        self._folder, self._start = folder, start
        self._password = secrets.token_urlsafe(24)
        self._down_after_ms = down_after_ms
        self._primary, self._replica, *self._watchers = _free_ports(2 + _SENTINELS)
        hosts = ",".join(f"{_HOST}:{port}" for port in self._watchers)
        self.url = f"redis+sentinel://:{self._password}@{hosts}/{SERVICE}"
        self._process = self._serve(self._primary)
        self._serve(self._replica, "--replicaof", f"{_HOST} {self._primary}")
        _await("The replica", lambda: self._linked(self._replica), _READY_S)
        for port in self._watchers:
            self._watch(port)
        _await("The sentinels", self._know_each_other, _READY_S)

    def kill_primary(self) -> float:
        """Kill the primary with SIGKILL; returns when, on the monotonic clock."""
        self._process.kill()
        at = time.monotonic()
        self._process.wait()
        return at

    def freeze_primary(self) -> None:
        """Let the primary hang: it takes connections, and answers nobody."""
        self._process.send_signal(signal.SIGSTOP)

    def await_switch(self) -> float:
        """Return when the sentinels had announced another primary, on the monotonic clock.

        It is the moment at which one that is asked names it: sentinels answer so from their
        ``+switch-master`` on. Raises `PlantIDError` where they do not come to it.
        """
        _await("The failover", lambda: self._named() == self._replica, _SWITCH_S)
        return time.monotonic()

    def primary(self) -> redis.Redis:
        """Return a client of the server that the sentinels name."""
        return self._client(self._named() or self._primary)

    def bring_back(self) -> None:
        """Start the killed server again, as it was: it still takes itself for the primary."""
        self._process = self._serve(self._primary)

    def await_replica(self) -> float:
        """Return when the server that came back follows the new primary, on the monotonic clock."""
        _await("The old primary", lambda: self._linked(self._primary), _REPLICA_S)
        return time.monotonic()

    def _serve(self, port: int, *more: str) -> subprocess.Popen[bytes]:
        words = {
            "port": str(port),
            "bind": _HOST,
            "dir": str(self._folder),
            "dbfilename": f"{port}.rdb",
            "logfile": str(self._folder / f"{port}.log"),
            "save": "",
            "appendonly": "no",
            "repl-diskless-sync-delay": "0",
            "requirepass": self._password,
            "masterauth": self._password,
        }
        # In a file: what is written on a command line is for everybody to read.
        rules = self._folder / f"{port}.conf"
        lines = [f'{name} "{value}"' for name, value in words.items()]
        rules.write_text("\n".join(lines) + "\n", encoding="utf-8")
        process = self._start([find_binary(), str(rules), *more])
        _await("A server", lambda: self._role(port) is not None, _READY_S)
        return process

    def _watch(self, port: int) -> None:
        rules = self._folder / f"{port}.conf"
        rules.write_text(
            f"port {port}\n"
            f"bind {_HOST}\n"
            f'dir "{self._folder}"\n'
            f'logfile "{self._folder / f"{port}.log"}"\n'
            f"sentinel monitor {SERVICE} {_HOST} {self._primary} {_QUORUM}\n"
            f"sentinel auth-pass {SERVICE} {self._password}\n"
            f"sentinel down-after-milliseconds {SERVICE} {self._down_after_ms}\n"
            f"sentinel failover-timeout {SERVICE} 3000\n",
            encoding="utf-8",
        )
        self._start([find_binary(), str(rules), "--sentinel"])

    def _know_each_other(self) -> bool:
        for port in self._watchers:
            with suppress(redis.RedisError), self._client(port, password=None) as client:
                state = client.sentinel_master(SERVICE)
                if (state["num-other-sentinels"], state["num-slaves"]) == (_SENTINELS - 1, 1):
                    continue
            return False
        return True

    def _named(self) -> int | None:
        """Return the port of the primary by the word of most sentinels."""
        named = []
        for port in self._watchers:
            with suppress(redis.RedisError), self._client(port, password=None) as client:
                found = client.sentinel_get_master_addr_by_name(SERVICE)
                named.append(found[1] if found else None)
        return max(set(named), key=named.count) if len(named) >= _QUORUM else None

    def _role(self, port: int) -> str | None:
        with suppress(redis.RedisError), self._client(port) as client:
            return str(client.info("replication")["role"])
        return None

    def _linked(self, port: int) -> bool:
        with suppress(redis.RedisError), self._client(port) as client:
            state = client.info("replication")
            return (state["role"], state.get("master_link_status")) == ("slave", "up")
        return False

    def _client(self, port: int, *, password: str | None = "") -> redis.Redis:
        return redis.Redis(
            _HOST,
            port,
            password=self._password if password == "" else password,
            socket_timeout=_ASK_S,
            socket_connect_timeout=_ASK_S,
        )


def _await(what: str, came: Callable[[], bool], within_s: float) -> None:
    until = time.monotonic() + within_s
    while not came():
        if time.monotonic() > until:
            raise PlantIDError(f"{what} did not come within {within_s:g} s.")
        time.sleep(0.02)


def _free_ports(count: int) -> list[int]:
    """Return ports nobody listens at, all different."""
    probes = [socket.create_server((_HOST, 0)) for _ in range(count)]
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports
