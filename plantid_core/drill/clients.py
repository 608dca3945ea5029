"""Client processes, seen from the drill."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING

import orjson
from pydantic import TypeAdapter

from plantid_core.drill.traffic import Heard, Hello, Order, Told
from plantid_core.errors import PlantIDError
from plantid_core.supervise.python import module_command

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import IO, Self

    from plantid_core.drill.rig import Rig
    from plantid_core.drill.traffic import Traffic

_TOLD = TypeAdapter(Told)
_READY_S = 60.0
_PATIENCE_S = 90.0
# Orders are on their way to all processes before the first of them begins.
_LEAD_S = 0.15


class Client:
    """One process with a workbench. ``settings`` are its workbench's."""

    def __init__(self, rig: Rig, number: int, settings: Mapping[str, object]) -> None:
        self.number = number
        self._rig = rig
        self._told: list[Told] = []
        self._done: set[str] = set()
        self._changed = threading.Condition()
        self._process = rig.start(module_command("plantid_core.drill.worker"))
        if self._process.stdin is None or self._process.stdout is None:
            raise PlantIDError("A client process was started without its pipes.")
        self._orders = self._process.stdin
        self._send(asdict(Hello(number, dict(settings))))
        reader = threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True)
        reader.start()

    def order(self, traffic: Traffic, at: float) -> None:
        """Have traffic begin at a time of the monotonic clock."""
        self._send(asdict(Order(traffic, at)))

    def told(self) -> list[Told]:
        """Return every answer so far."""
        return list(self._told)

    def wait(self, event: str, within_s: float = _PATIENCE_S) -> None:
        """Wait for the end of a traffic, or for "ready"; raises `PlantIDError` if it never comes."""
        with self._changed:
            self._changed.wait_for(lambda: {event, _ENDED} & self._done, within_s)
            if event not in self._done:
                raise PlantIDError(
                    f"Client {self.number} did not come to the end of {event!r};"
                    f" the last that was heard: {self._rig.last_words()}"
                )

    def kill(self) -> None:
        """Kill the process with SIGKILL."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """End the process."""
        self.kill()

    def _send(self, order: dict[str, object]) -> None:
        # A process that has died is found out when it is waited for, with its last words.
        with suppress(OSError):
            self._orders.write(orjson.dumps(order) + b"\n")
            self._orders.flush()

    def _read(self, lines: IO[bytes]) -> None:
        for line in lines:
            event = orjson.loads(line)
            if event["event"] == "answer":
                self._told.append(_TOLD.validate_python(event["told"]))
            else:
                self._mark(event.get("traffic", event["event"]))
        self._mark(_ENDED)

    def _mark(self, event: str) -> None:
        with self._changed:
            self._done.add(event)
            self._changed.notify_all()


_ENDED = "\0ended"


class Crowd:
    """Several clients that are told the same."""

    def __init__(self, clients: Sequence[Client]) -> None:
        self.clients = list(clients)
        for client in self.clients:
            client.wait("ready", _READY_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        for client in self.clients:
            client.close()

    def __len__(self) -> int:
        return len(self.clients)

    def begin(self, *streams: Traffic) -> float:
        """Have every client begin these, all at once; return when they do, on the monotonic clock."""
        at = time.monotonic() + _LEAD_S
        for traffic in streams:
            for client in self.clients:
                client.order(traffic, at)
        return at

    def finish(self, *streams: Traffic) -> Heard:
        """Return the answers to these, once they have all come."""
        for traffic in streams:
            for client in self.clients:
                client.wait(traffic.name)
        names = {traffic.name for traffic in streams}
        return self.heard().where(lambda told: told.traffic in names)

    def ask(self, *streams: Traffic) -> Heard:
        """Have every client ask these, and return the answers."""
        self.begin(*streams)
        return self.finish(*streams)

    def heard(self) -> Heard:
        """Return every answer so far."""
        return Heard([told for client in self.clients for told in client.told()])
