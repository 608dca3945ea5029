"""Alerts that leave the house."""

from __future__ import annotations

import json
import logging
import threading
import time
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest
from loopback import serving, told
from processes import until

from plantid_core.resilience.breaker_alarm import Alert
from plantid_core.webhook import Webhook

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

ALERT = Alert("plant_id", "5 failures in a row", 2, 60.0)


class Chat:
    """A receiver of webhooks."""

    def __init__(self, status: int = 200) -> None:
        self.bodies: list[dict[str, object]] = []
        bodies = self.bodies

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                bodies.append(json.loads(self.rfile.read(length)))
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Stay silent."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook/secret"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def chat() -> Iterator[Chat]:
    """Run a receiver."""
    running = Chat()
    yield running
    running.server.shutdown()
    running.server.server_close()


def test_an_alert_is_posted_in_words_and_in_fields(chat: Chat) -> None:
    """People read the text, programs the rest."""
    with closing(Webhook(chat.url)) as webhook:
        webhook(ALERT)
        assert until(lambda: len(chat.bodies) == 1)

    assert chat.bodies[0] == {
        "text": "The breaker plant_id stays open (2 times in a row), now for 60 s:"
        " 5 failures in a row.",
        "name": "plant_id",
        "cause": "5 failures in a row",
        "times": 2,
        "open_for_s": 60.0,
    }


def test_a_dead_receiver_harms_nobody(chat: Chat, capfd: pytest.CaptureFixture[str]) -> None:
    """What cannot be sent is dropped, and the address is not told to anyone."""
    chat.server.server_close()
    with closing(Webhook(chat.url)) as webhook:
        for _ in range(100):
            webhook(ALERT)

    assert chat.bodies == []
    assert "secret" not in "".join(capfd.readouterr())


def test_closing_sends_what_waits(chat: Chat) -> None:
    """The last words of a process that ends are heard."""
    webhook = Webhook(chat.url)
    webhook(ALERT)

    webhook.close()

    assert len(chat.bodies) == 1


def drip(connection: socket.socket) -> None:
    """Answer well, and then never come to an end."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    for _ in range(20):
        connection.sendall(b"x")
        time.sleep(0.1)


def hang(connection: socket.socket) -> None:
    """Say nothing, until the other side has enough."""
    connection.settimeout(20)
    while connection.recv(65536):
        pass


def test_an_answer_that_drips_holds_no_alert_up() -> None:
    """The receiver's status is all that is read of its answer."""
    with serving(drip) as receiver, closing(Webhook(receiver.url)) as webhook:
        for _ in range(3):
            webhook(ALERT)
        assert until(lambda: len(receiver.requests) == 3, 5)

    assert webhook.dropped == 0


def test_no_log_shows_the_address(caplog: pytest.LogCaptureFixture) -> None:
    """Neither the debug log of the library below, nor its warning of headers that are none."""
    caplog.set_level(logging.DEBUG)

    with (
        serving(told(b"", "no header", status="500 X")) as receiver,
        closing(Webhook(f"{receiver.url}/hook/secret")) as webhook,
    ):
        webhook(ALERT)
        assert until(lambda: webhook.dropped == 1)

    assert len(receiver.requests) == 1
    assert "secret" not in caplog.text


def test_an_address_that_cannot_be_used_ends_no_thread(chat: Chat) -> None:
    """Whatever the library raises costs one alert each, which is counted."""
    webhook = Webhook("http://a..b/\udc80")
    webhook(ALERT)
    webhook(ALERT)

    assert until(lambda: webhook.dropped == 2)
    webhook.close()
    assert chat.bodies == []


def test_closing_ends_the_thread_and_counts_what_was_not_sent() -> None:
    """A receiver that does not answer keeps no process from ending."""
    with serving(hang) as receiver:
        webhook = Webhook(receiver.url)
        for _ in range(3):
            webhook(ALERT)
        assert until(lambda: len(receiver.requests) == 1)
        began = time.monotonic()
        webhook.close()
        took = time.monotonic() - began
        webhook(ALERT)

    assert took < 2
    assert webhook.dropped == 4
    assert not any(thread.name == "alarm" for thread in threading.enumerate())


def test_more_than_a_few_dozen_that_wait_are_dropped_and_counted() -> None:
    """Alerts pile up in no process's memory."""
    with serving(hang) as receiver:
        webhook = Webhook(receiver.url)
        for _ in range(100):
            webhook(ALERT)
        assert webhook.dropped >= 60
        webhook.close()

    assert webhook.dropped == 100
