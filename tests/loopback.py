"""Services that answer as a test says, on loopback."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator


class Service:
    """What one loopback service saw: its address and the requests' first bytes."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests: list[bytes] = []


@contextmanager
def serving(
    answer: Callable[[socket.socket], None], tls: ssl.SSLContext | None = None
) -> Iterator[Service]:
    """Run a service that reads each request's head and hands the connection to ``answer``."""
    listener = socket.create_server(("127.0.0.1", 0))
    scheme = "https" if tls else "http"
    service = Service(f"{scheme}://localhost:{listener.getsockname()[1]}")

    def serve() -> None:
        while True:
            try:
                connection = listener.accept()[0]
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                try:
                    secured = tls.wrap_socket(connection, server_side=True) if tls else connection
                    service.requests.append(secured.recv(65536))
                    answer(secured)
                    secured.close()
                except OSError:
                    continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield service
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


def told(
    body: bytes, *headers: str, status: str = "200 OK", kind: str = "application/json"
) -> Callable[[socket.socket], None]:
    """Return an answerer of this body, with a right length unless the headers give one."""
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", "Connection: close", *headers]
    if not any(header.startswith("Content-Length") for header in headers):
        lines.append(f"Content-Length: {len(body)}")
    head = "\r\n".join([*lines, "", ""]).encode()
    return lambda connection: say(connection, head + body)


def say(connection: socket.socket, answer: bytes) -> None:
    """Send all of an answer and end it, once the request has been read to its end."""
    connection.sendall(answer)
    connection.shutdown(socket.SHUT_WR)
    # A connection closed with something unread is reset, and the answer with it.
    while connection.recv(65536):
        pass
