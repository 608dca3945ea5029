"""What live runs stand on: a Valkey, a sandbox and client processes, all private, for many runs.

Everything ends with the rig, also where its process is killed (see `supervise.group`).
"""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from multiprocessing.connection import Pipe
from typing import TYPE_CHECKING, cast

import psutil
import redis

from plantid_core.errors import PlantIDError
from plantid_core.lab.live import limits
from plantid_core.lab.live.upstream import Upstream
from plantid_core.store.embedded import find_binary
from plantid_core.supervise.group import Group
from plantid_core.supervise.python import module_command

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from multiprocessing.connection import Connection
    from typing import Self

    from plantid_core.lab.live.orders import Order, Told

_VALKEY = ("--port", "0", "--save", "", "--appendonly", "no", "--unixsocket", "s")
_QUOTA = "10000000"
_READY_S = 15.0
_POLL_S = 0.005
_SETTLED_S, _SETTLED_CPU_S = 0.2, 0.02


class RigBroken(PlantIDError):
    """A part of the rig ended or does not answer; the next run starts what is missing anew."""


class RigBusy(PlantIDError):
    """Another run is under way on the same rig."""

    def __init__(self) -> None:
        super().__init__("A run on real processes is under way. Wait for its end, or stop it.")


class Client:
    """A client process, seen from the rig; ``line`` carries orders there and answers back."""

    def __init__(self, group: Group, redis_url: str, port: int) -> None:
        self._group = group
        self.line: Connection
        self.line, theirs = Pipe()
        number = str(theirs.fileno())
        command = module_command("plantid_core.lab.live.client", number, redis_url, str(port))
        self.process = group.start(command, pass_fds=[theirs.fileno()])
        theirs.close()
        self.well = True

    def send(self, order: Order) -> None:
        """Have an order carried out; raises `RigBroken`."""
        try:
            self.line.send(order)
        except OSError as error:
            raise self._broken() from error

    def receive(self, within_s: float) -> Told:
        """Return what the process tells next; raises `RigBroken` where nothing comes in time."""
        try:
            if not self.line.poll(within_s):
                raise self._broken()
            return cast("Told", self.line.recv())
        except (EOFError, OSError) as error:
            raise self._broken() from error

    def kill(self) -> None:
        """Kill the process with SIGKILL."""
        self.well = False
        self.process.kill()
        self.process.wait()
        self.line.close()

    def _broken(self) -> RigBroken:
        self.kill()
        said = self._group.last_words()
        return RigBroken(f"A client process ended or hangs; the last that was heard: {said}.")


class Rig:
    """Kept open for many runs, one at a time; more processes are started as runs ask for them.

    ``grace_s`` is how long after its end a run waits for answers that are missing. Raises
    `PlantIDError` where a part does not start.
    """

    def __init__(self, processes: int = 2, *, grace_s: float = 10.0) -> None:
        self.grace_s = grace_s
        self._runs = 0
        self._taking = threading.Lock()
        self._clients: list[Client] = []
        self._group = Group("live")
        self.folder = self._group.folder
        try:
            self.redis_url = f"unix://{self._group.folder / 's'}"
            self.redis = redis.Redis.from_url(self.redis_url)
            self._group.start([find_binary(), *_VALKEY])
            sandbox = self._start_sandbox()
            self.clients(processes)
            self._await_valkey()
            _await_calm(sandbox)
        except BaseException:  # also Ctrl-C: nobody else could end what was begun
            self._group.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def clients(self, count: int) -> list[Client]:
        """Return so many client processes, once those that were missing are ready.

        Raises `TooMuch` and `RigBroken`.
        """
        if not 1 <= count <= limits.MOST_PROCESSES:
            raise limits.TooMuch("processes", count, limits.MOST_PROCESSES, "client processes")
        self._clients = [client for client in self._clients if client.well]
        missing = count - len(self._clients)
        new = [Client(self._group, self.redis_url, self.upstream.port) for _ in range(missing)]
        self._clients += new
        for client in new:
            client.receive(_READY_S)
        return self._clients[:count]

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Have the rig for a run; raises `RigBusy` where somebody else has."""
        if not self._taking.acquire(blocking=False):
            raise RigBusy
        try:
            yield
        finally:
            self._taking.release()

    def anew(self) -> str:
        """Return a prefix for the keys of a new run, in a Redis that holds nothing."""
        try:
            self.redis.flushall()
        except redis.RedisError as error:
            raise RigBroken(f"The live run's Valkey does not answer: {error}.") from error
        self._runs += 1
        return f"run{self._runs}:"

    def close(self) -> None:
        """End everything."""
        self.redis.close()
        for client in self._clients:
            client.line.close()
        self._group.close()

    def _start_sandbox(self) -> subprocess.Popen[bytes]:
        options = ("--quota", _QUOTA, "--cache-dir", str(self._group.folder))
        sandbox = self._group.start(module_command("plantid_core.sandbox", *options), talks=True)
        line = sandbox.stdout.readline() if sandbox.stdout else b""
        if not line:
            raise RigBroken(f"The live run's sandbox did not start: {self._group.last_words()}")
        self.upstream = Upstream(int(json.loads(line)["port"]))
        return sandbox

    def _await_valkey(self) -> None:
        until = time.monotonic() + _READY_S
        while not self._answers():
            if time.monotonic() > until:
                raise RigBroken(f"Valkey did not start: {self._group.last_words()}")
            time.sleep(_POLL_S)

    def _answers(self) -> bool:
        try:
            return bool(self.redis.ping())
        except redis.RedisError:
            return False


def _await_calm(sandbox: subprocess.Popen[bytes]) -> None:
    """Wait until the sandbox has loaded its models, which would delay its first answers."""
    process, until = psutil.Process(sandbox.pid), time.monotonic() + _READY_S
    used = -1.0
    while time.monotonic() < until:
        before, used = used, sum(process.cpu_times()[:2])
        if used - before < _SETTLED_CPU_S and before >= 0:
            return
        time.sleep(_SETTLED_S)
