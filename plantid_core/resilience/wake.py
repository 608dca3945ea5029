"""Waking by value: one subscriber a process hears every commit and hands it to who waits for it.

It subscribes before the process asks for its first lease, and after it lost its connection every
flight that waits looks again for itself; the lease's own expiry is the backstop.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

from plantid_core.resilience.ground import REAL
from plantid_core.resilience.lease import SCRIPTS, read_message

if TYPE_CHECKING:
    from collections.abc import Callable

    from plantid_core.resilience.ground import Baton, Ground
    from plantid_core.resilience.server import RedisServer

_FIRST_WAIT_S = 0.25


class Slot:
    """Where one flight's broadcast arrives; used by one waiting thread."""

    __slots__ = ("_full", "_lock", "_told")

    def __init__(self, full: Baton) -> None:
        self._lock = threading.Lock()
        self._full = full
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
        """Take note of a blob, on the subscriber's thread; an empty one: the value is deleted."""


class Wake:
    """The subscriber. ``on_gap`` is called when commits may have been missed."""

    def __init__(
        self,
        server: RedisServer,
        hear: Hearer,
        on_gap: Callable[[], None],
        ground: Ground = REAL,
    ) -> None:
        self.channel = f"plantid:wake:{server.address.database}"
        self._hear, self._on_gap = hear, on_gap
        self._slots: dict[str, list[Slot]] = {}
        self._lock = threading.Lock()
        self._new_lock = ground.lock
        self._subscriber = ground.subscriber(server, self.channel, SCRIPTS, self, "redis-wake")

    @property
    def connected(self) -> bool:
        """Tell whether broadcasts arrive."""
        return self._subscriber.connected

    def start(self) -> None:
        """Begin to subscribe; apart from making it, since its hooks lead to whoever makes it."""
        self._subscriber.start()

    def open(self, key: str) -> Slot:
        """Return a slot for the key's broadcasts; waits a moment for the first subscription."""
        self._subscriber.await_first(_FIRST_WAIT_S)
        slot = Slot(self._new_lock())
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
        self._subscriber.reconnect_now()

    def close(self) -> None:
        """End the subscription."""
        self._subscriber.close()

    def joined(self, *, again: bool) -> None:
        """Let everybody look again who may have missed something."""
        if again:
            self._on_gap()
            self.wake_all()

    def message(self, body: bytes) -> None:
        """Hand a commit to who waits for it."""
        told = read_message(body)
        if told is None:
            return
        key, blob = told
        # Nobody waits for a deletion.
        with self._lock:
            slots = list(self._slots.get(key, ())) if blob else []
        for slot in slots:
            slot.tell(blob)
        self._hear(key, blob)

    def lost(self) -> None:
        """Let nobody wait for what cannot come."""
        self.wake_all()
