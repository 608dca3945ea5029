"""Waking by value: one subscriber a process hears every commit and hands it to who waits for it.

It subscribes before the process asks for its first lease, and after it lost its connection every
flight that waits looks again for itself; the lease's own expiry is the backstop.
"""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING, Protocol

import hiredis

from plantid_core.resilience.lease import SCRIPTS, read_message
from plantid_core.resilience.link import LinkError, command

if TYPE_CHECKING:
    from collections.abc import Callable

    from plantid_core.resilience.link import Link
    from plantid_core.resilience.server import RedisServer

_IDLE_S = 5.0
_FIRST_WAIT_S = 0.25
_FIRST_PAUSE_S = 0.02
_LONGEST_PAUSE_S = 0.8


class Slot:
    """Where one flight's broadcast arrives; used by one waiting thread."""

    __slots__ = ("_full", "_lock", "_told")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._full = threading.Lock()
        self._full.acquire()
        self._told: bytes | None = None

    def tell(self, blob: bytes | None) -> None:
        """Leave a blob (None: look again for yourself) and wake the waiting thread."""
        with self._lock:
            self._told = blob if blob is not None else self._told
            if self._full.locked():
                self._full.release()

    def wait(self, seconds: float) -> bytes | None:
        """Return what was told since the last time, within so many seconds."""
        self._full.acquire(timeout=max(0.0, seconds))
        with self._lock:
            if not self._full.locked():
                self._full.acquire()
            told, self._told = self._told, None
            return told


class Hearer(Protocol):
    """Hears every commit of every process."""

    def __call__(self, key: str, blob: bytes) -> None:
        """Take note of a blob, on the subscriber's thread."""


class Wake:
    """The subscriber. ``on_gap`` is called when commits may have been missed."""

    def __init__(self, server: RedisServer, hear: Hearer, on_gap: Callable[[], None]) -> None:
        self.channel = f"plantid:wake:{server.address.database}"
        self._server = server
        self._hear, self._on_gap = hear, on_gap
        self._slots: dict[str, list[Slot]] = {}
        self._lock = threading.Lock()
        self._first, self._closed, self._nudge = (threading.Event() for _ in range(3))
        self._link: Link | None = None
        self.connected = False

    def start(self) -> None:
        """Begin to subscribe; apart from making it, since its hooks lead to whoever makes it."""
        threading.Thread(target=self._run, name="redis-wake", daemon=True).start()

    def open(self, key: str) -> Slot:
        """Return a slot for the key's broadcasts; waits a moment for the first subscription."""
        if not self.connected and not self._first.is_set():
            self._first.wait(_FIRST_WAIT_S)
        slot = Slot()
        with self._lock:
            self._slots.setdefault(key, []).append(slot)
        return slot

    def shut(self, key: str, slot: Slot) -> None:
        """Give the slot up."""
        with self._lock:
            slots = self._slots[key]
            slots.remove(slot)
            if not slots:
                del self._slots[key]

    def wake_all(self) -> None:
        """Let every waiting flight look again for itself."""
        with self._lock:
            slots = [slot for slots in self._slots.values() for slot in slots]
        for slot in slots:
            slot.tell(None)

    def reconnect_now(self) -> None:
        """End a pause between two attempts."""
        self._nudge.set()

    def close(self) -> None:
        """End the subscription."""
        self._closed.set()
        self._nudge.set()
        if (link := self._link) is not None:
            link.close()

    def _run(self) -> None:
        pause = _FIRST_PAUSE_S
        while not self._closed.is_set():
            try:
                self._subscribe()
                pause = _FIRST_PAUSE_S
                self._listen()
            except Exception as error:  # noqa: BLE001 - nobody would notice a subscriber that died
                if self._closed.is_set():
                    return
                if not self.connected:
                    self._server.health.failed(error)
                self._lost()
            self._nudge.wait(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
            self._nudge.clear()
            pause = min(pause * 2, _LONGEST_PAUSE_S)

    def _subscribe(self) -> None:
        link = self._link = self._server.dial()
        for script in SCRIPTS:
            link.send(command("SCRIPT", "LOAD", script))
            _require(link.receive(self._server.timeouts.answer_s))
        link.send(command("SUBSCRIBE", self.channel))
        _require(link.receive(self._server.timeouts.answer_s))
        again = self._first.is_set()
        self.connected = True
        self._first.set()
        if again:
            self._on_gap()
            self.wake_all()

    def _listen(self) -> None:
        link, asked = self._link, False
        if link is None:
            return
        while True:
            try:
                reply = link.receive(_IDLE_S)
            except LinkError as error:
                if not error.timed_out or asked:
                    raise
                # A connection that a network has dropped silently is known by its silence.
                link.send(command("PING"))
                asked = True
                continue
            asked = False
            match reply:
                case [b"message", _, bytes(message)] if told := read_message(message):
                    self._deliver(*told)
                case _:
                    _require(reply)

    def _deliver(self, key: str, blob: bytes) -> None:
        with self._lock:
            slots = list(self._slots.get(key, ()))
        for slot in slots:
            slot.tell(blob)
        self._hear(key, blob)

    def _lost(self) -> None:
        self.connected = False
        if (link := self._link) is not None:
            link.close()
        self.wake_all()


def _require(reply: object) -> None:
    if isinstance(reply, hiredis.ReplyError):
        raise LinkError(str(reply))
