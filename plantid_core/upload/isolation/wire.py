"""What server and worker say to each other: a JSON head and raw blobs, each with its length.

No pickle: a worker that an attacker's file has taken over must not be able to run code in the
server, so that what it sends is only ever parsed as JSON and bounded bytes.
"""

from __future__ import annotations

import json
import socket
import struct
import time
from typing import TypeAlias

Head: TypeAlias = dict[str, object]

_MOST_HEAD_BYTES = 65_536
_MOST_BLOBS = 4
_CHUNK = 1 << 20
_LENGTHS = struct.Struct(">II")
_BLOB = struct.Struct(">I")


class BrokenLink(Exception):
    """The other side is gone, or does not speak the protocol."""


def send(link: socket.socket, head: Head, *blobs: bytes, until: float | None = None) -> None:
    """Send one message; ``until`` is a monotonic time. Raises TimeoutError and OSError."""
    text = json.dumps(head).encode()
    lengths = b"".join(_BLOB.pack(len(blob)) for blob in blobs)
    _aim(link, until)
    link.sendall(_LENGTHS.pack(len(text), len(blobs)) + lengths + text)
    for blob in blobs:
        _aim(link, until)
        link.sendall(blob)


def receive(
    link: socket.socket, most_bytes: int, *, until: float | None = None
) -> tuple[Head, list[bytes]]:
    """Return the next message, whose blobs have at most ``most_bytes`` together.

    Raises `BrokenLink` at its end or for nonsense, TimeoutError at ``until``.
    """
    size, count = _LENGTHS.unpack(_exactly(link, _LENGTHS.size, until))
    if size > _MOST_HEAD_BYTES or count > _MOST_BLOBS:
        raise BrokenLink("a head is too long")
    sizes = [_BLOB.unpack(_exactly(link, _BLOB.size, until))[0] for _ in range(count)]
    if sum(sizes) > most_bytes:
        raise BrokenLink("its blobs are too long")
    text = _exactly(link, size, until)
    blobs = [_exactly(link, size, until) for size in sizes]
    try:
        head = json.loads(text)
    except ValueError:
        raise BrokenLink("a head is no JSON") from None
    if not isinstance(head, dict):
        raise BrokenLink("a head is no object")
    return head, blobs


def _exactly(link: socket.socket, size: int, until: float | None) -> bytes:
    if until is None:
        # A side without a deadline lets the kernel fill one buffer, and saves a copy of a photo.
        whole = link.recv(size, socket.MSG_WAITALL) if size else b""
        if len(whole) < size:
            raise BrokenLink("the other side is gone")
        return whole
    buffer = bytearray(size)
    view, at = memoryview(buffer), 0
    while at < size:
        _aim(link, until)
        got = link.recv_into(view[at : at + _CHUNK])
        if not got:
            raise BrokenLink("the other side is gone")
        at += got
    return bytes(buffer)


def _aim(link: socket.socket, until: float | None) -> None:
    if until is None:
        return
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    link.settimeout(left)
