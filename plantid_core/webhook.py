"""Tells somebody outside that a breaker has opened: a POST to a webhook, behind whoever met it.

The JSON has ``text``, which chat services show as it is, and the alert's fields for programs. The
address often holds a secret, so it is never logged.
"""

from __future__ import annotations

import queue
import threading
from dataclasses import asdict
from http import HTTPStatus
from typing import TYPE_CHECKING

import requests

from plantid_core.telemetry import tell

if TYPE_CHECKING:
    from plantid_core.resilience.breaker_alarm import Alert

_QUEUED = 32
_CONNECT_S, _READ_S = 3.0, 5.0
_END_S = 1.0


class Webhook:
    """Posts alerts, one after the other; more than a few dozen that wait are dropped and counted."""

    def __init__(self, url: str) -> None:
        self.dropped = 0
        self._url = url
        self._waiting: queue.Queue[Alert | None] = queue.Queue(_QUEUED)
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def __call__(self, alert: Alert) -> None:
        """Post an alert soon."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="alarm", daemon=True)
                self._thread.start()
        try:
            self._waiting.put_nowait(alert)
        except queue.Full:
            self.dropped += 1

    def close(self) -> None:
        """Give what waits a moment to be sent."""
        if self._thread is None:
            return
        try:
            self._waiting.put_nowait(None)
        except queue.Full:
            return
        self._thread.join(_END_S)

    def _run(self) -> None:
        while (alert := self._waiting.get()) is not None:
            body = {"text": str(alert), **asdict(alert)}
            try:
                answer = requests.post(
                    self._url, json=body, timeout=(_CONNECT_S, _READ_S), allow_redirects=False
                )
            except requests.RequestException as error:
                tell("alarm_not_sent", breaker=alert.name, error=type(error).__name__)
                continue
            if answer.status_code >= HTTPStatus.MULTIPLE_CHOICES:
                tell("alarm_not_sent", breaker=alert.name, status=answer.status_code)
