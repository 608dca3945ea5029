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

from plantid_core.providers.cutoff import Session, cut_after
from plantid_core.providers.secrecy import unlogged
from plantid_core.telemetry import tell

if TYPE_CHECKING:
    from collections.abc import Callable

    from plantid_core.resilience.breaker_alarm import Alert

_QUEUED = 32
_CONNECT_S, _READ_S, _WHOLE_S = 3.0, 5.0, 8.0
_END_S = 1.0


class Webhook:
    """Posts alerts, one after the other, a few seconds each at most.

    ``dropped`` counts those that were not sent: more than a few dozen waited, nobody took them, or
    the webhook was closed before.
    """

    def __init__(self, url: str) -> None:
        self.dropped = 0
        self._url = url
        self._waiting: queue.SimpleQueue[Alert | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._given_up = False
        self._cut: Callable[[], None] | None = None
        self._lock = threading.Lock()

    def __call__(self, alert: Alert) -> None:
        """Post an alert soon."""
        with self._lock:
            if self._closed or self._waiting.qsize() >= _QUEUED:
                self.dropped += 1
                return
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="alarm", daemon=True)
                self._thread.start()
            self._waiting.put(alert)

    def close(self) -> None:
        """Give what waits a moment to be sent, and end."""
        with self._lock:
            self._closed = True
            self._waiting.put(None)
        if self._thread is None:
            return
        self._thread.join(_END_S)
        with self._lock:
            self._given_up = True
            if self._cut is not None:
                self._cut()
        self._thread.join(_END_S)

    def _run(self) -> None:
        with Session(1) as session:
            while (alert := self._waiting.get()) is not None:
                self._send(session, alert)

    def _send(self, session: Session, alert: Alert) -> None:
        try:
            status = self._post(session, {"text": str(alert), **asdict(alert)})
        except Exception as error:  # noqa: BLE001 - the thread outlives every alert, and its text is secret
            self._missed(alert, error=type(error).__name__)
            return
        if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            self._missed(alert, status=status)

    def _post(self, session: Session, body: dict[str, object]) -> int:
        with unlogged(), cut_after(_WHOLE_S) as cut:
            with self._lock:
                if self._given_up:
                    raise InterruptedError
                self._cut = cut
            # The status is all that is read: the body may be of any length, and take any time.
            with session.post(
                self._url,
                json=body,
                timeout=(_CONNECT_S, _READ_S),
                allow_redirects=False,
                stream=True,
            ) as answer:
                return answer.status_code

    def _missed(self, alert: Alert, **why: object) -> None:
        with self._lock:
            self.dropped += 1
        tell("alarm_not_sent", breaker=alert.name, **why)
