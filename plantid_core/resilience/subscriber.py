"""One subscribed connection a process that comes back by itself, and says when it was away."""

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING, Protocol

import hiredis

from plantid_core.resilience.link import LinkError, command

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plantid_core.resilience.link import Link
    from plantid_core.resilience.server import RedisServer

_IDLE_S = 2.0
_LOOK_S = 1.0
_FIRST_PAUSE_S = 0.02
_LONGEST_PAUSE_S = 0.8


class Ear(Protocol):
    """What is told of a subscription, always on its own thread."""

    def joined(self, *, again: bool) -> None:
        """Take note that messages arrive from now on; ``again``: some may have been missed."""

    def message(self, body: bytes) -> None:
        """Take a message."""

    def lost(self) -> None:
        """Take note that messages are being missed."""


class Subscriber:
    """The thread that listens to one channel; it loads ``scripts`` whenever it connects."""

    def __init__(
        self, server: RedisServer, channel: str, scripts: Sequence[str], ear: Ear, *, name: str
    ) -> None:
        self.channel = channel
        self.connected = False
        self._server, self._scripts, self._ear, self._name = server, scripts, ear, name
        self._first, self._closed, self._nudge = (threading.Event() for _ in range(3))
        self._doubt = False
        self._link: Link | None = None

    def start(self) -> None:
        """Begin to subscribe; apart from making it, since its hooks lead to whoever makes it."""
        threading.Thread(target=self._run, name=self._name, daemon=True).start()

    def await_first(self, seconds: float) -> None:
        """Wait a moment for the first subscription, unless there has been one."""
        if not self.connected and not self._first.is_set():
            self._first.wait(seconds)

    def reconnect_now(self) -> None:
        """End a pause between two attempts, and make sure that a connection still leads somewhere.

        After an outage it may lead to a primary that hangs, while another serves.
        """
        self._doubt = True
        self._nudge.set()

    def close(self) -> None:
        """End the subscription."""
        self._closed.set()
        self._nudge.set()
        if (link := self._link) is not None:
            link.close()

    def _run(self) -> None:
        self._serve()
        if (link := self._link) is not None:
            link.close()  # it may have been made while the subscription was being ended

    def _serve(self) -> None:
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
        for script in self._scripts:
            link.send(command("SCRIPT", "LOAD", script))
            _require(link.receive(self._server.timeouts.answer_s))
        link.send(command("SUBSCRIBE", self.channel))
        _require(link.receive(self._server.timeouts.answer_s))
        again = self._first.is_set()
        self.connected, self._doubt = True, False
        self._ear.joined(again=again)
        self._first.set()

    def _listen(self) -> None:
        link, asked, heard = self._link, False, time.monotonic()
        if link is None:
            return
        while True:
            try:
                reply = link.receive(_LOOK_S)
            except LinkError as error:
                if not error.timed_out or asked:
                    raise
                # A connection that a network has dropped silently is known by its silence.
                if self._doubt or time.monotonic() - heard > _IDLE_S:
                    self._doubt = False
                    link.send(command("PING"))
                    asked = True
                continue
            asked, heard = False, time.monotonic()
            match reply:
                case [b"message", _, bytes(body)]:
                    self._ear.message(body)
                case _:
                    _require(reply)

    def _lost(self) -> None:
        self.connected = False
        if (link := self._link) is not None:
            link.close()
        self._ear.lost()


def _require(reply: object) -> None:
    if isinstance(reply, hiredis.ReplyError):
        raise LinkError(str(reply))
