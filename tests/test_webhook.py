"""Alerts that leave the house."""

from __future__ import annotations

import json
import threading
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest
from processes import until

from plantid_core.resilience.breaker_alarm import Alert
from plantid_core.webhook import Webhook

if TYPE_CHECKING:
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
