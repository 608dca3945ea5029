"""The worker process: takes a stripped stream, hands back a plain JPEG, one after another.

``python -m plantid_core.upload.isolation.worker BYTES LANE``, with its link to the server as
standard input. It ends when the server does.
"""

from __future__ import annotations

import base64
import socket
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from plantid_core.errors import UploadRejected
from plantid_core.upload import container
from plantid_core.upload.isolation import limits, wire

if TYPE_CHECKING:
    from plantid_core.upload.isolation.peak import PeakMemory
    from plantid_core.upload.isolation.wire import Head

_MOST_REQUEST_BYTES = 1 << 30
_LARGE_BYTES = 128 * 1024 * 1024
# A picture of each format, as small as they come: to encode them here would cost more memory.
SPECKS = {
    name: base64.b64decode(text)
    for name, text in {
        "JPEG": "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDACgcHiMeGSgjISMtKygwPGRBPDc3PHtYXUlkkYCZlo+AjIqgtObD"
        "oKrarYqMyP/L2u71////m8H////6/+b9//j/wAALCAACAAIBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAAAP/EABQQAQAA"
        "AAAAAAAAAAAAAAAAAAD/2gAIAQEAAD8AP//Z",
        "PNG": "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAYAAABytg0kAAAAFElEQVR4nGPk5ORsYGBgYGBigAIACOYAnxp8vMQA"
        "AAAASUVORK5CYII=",
        "GIF": "R0lGODdhAgACAIEAAICAgAAAAAAAAAAAACwAAAAAAgACAAAIBgABCAQQEAA7",
        "WEBP": "UklGRh4AAABXRUJQVlA4TBEAAAAvAUAAEAfQhCY0oYCBiOh/AAA=",
    }.items()
}


def main(address_space: int, lane: str) -> None:
    """Serve the link until its other side is gone."""
    limits.leave_network()
    link = socket.socket(fileno=sys.stdin.fileno())
    _warm_up(lane)
    from plantid_core.upload.isolation.peak import PeakMemory

    meter = PeakMemory()
    limits.renounce(address_space, bulk=lane == "bulk")
    with suppress(wire.BrokenLink, OSError):
        wire.send(link, {"ready": True})
        while True:
            head, blobs = wire.receive(link, _MOST_REQUEST_BYTES)
            limits.arm_processor_time(int(cast("int", head["cpu_seconds"])))
            answer, pictures = _answer(head, blobs[0], meter)
            wire.send(link, answer, *pictures)
            if meter.total() > _LARGE_BYTES:
                del blobs, pictures
                limits.give_back_memory()


def _answer(head: Head, data: bytes, meter: PeakMemory) -> tuple[Head, list[bytes]]:
    from plantid_core.upload.isolation import report

    try:
        if head["work"] == "examine":
            return _examine(head, data, meter)
        if head["work"] == "prefill":
            return _prefill(data)
        return _decode(head, data, meter)
    except UploadRejected as rejected:
        return {"rejected": report.of_rejection(rejected)}, []


def _decode(head: Head, data: bytes, meter: PeakMemory) -> tuple[Head, list[bytes]]:
    from plantid_core.upload.decode.picture import sanitise
    from plantid_core.upload.decode.plan import Plan

    meter.begin()
    picture = sanitise(data, Plan(**cast("dict[str, int]", head["plan"])))  # type: ignore[arg-type]  # our own server wrote it
    pictures = [picture.jpeg] if picture.full is None else [picture.jpeg, picture.full]
    return {"peak_bytes": meter.total()}, pictures


def _prefill(data: bytes) -> tuple[Head, list[bytes]]:
    from plantid_core.upload.prefill import read_prefill

    found = read_prefill(data)
    place, date = found.place, found.date
    return {
        "place": None if place is None else [place.latitude, place.longitude],
        "date": None if date is None else date.isoformat(),
    }, []


def _examine(head: Head, data: bytes, meter: PeakMemory) -> tuple[Head, list[bytes]]:
    from plantid_core.upload.examination import examine
    from plantid_core.upload.isolation import report
    from plantid_core.upload.policy import Policy

    policy = Policy(**cast("dict[str, int]", head["policy"]))  # type: ignore[arg-type]  # as above
    return report.of_examination(examine(data, str(head["filename"]), policy, meter))


def _warm_up(lane: str) -> None:
    """Load every module and library that a picture may need: no file can be opened later."""
    from PIL import ImageFilter

    from plantid_core.upload import prefill
    from plantid_core.upload.decode import gamut, libwebp
    from plantid_core.upload.decode.picture import sanitise
    from plantid_core.upload.decode.plan import Plan
    from plantid_core.upload.isolation import report
    from plantid_core.upload.policy import Policy

    del ImageFilter, gamut, report
    libwebp.available()
    for name, data in SPECKS.items():
        sanitise(data, Plan.of(container.walk(data, name, Policy()), Policy()))
        prefill.read_prefill(data)
    if lane == "bulk":
        # Only whole examinations ask libmagic, and its tables are a fifth of a worker's memory.
        from plantid_core.upload import examination, sniff

        examination.examine(SPECKS["PNG"], "x.png", Policy(), _NoMeter())
        sniff.describe(b"%PDF-1.4")


class _NoMeter:
    def begin(self) -> None:
        """Begin nothing."""

    def taken(self) -> int:
        """Return nothing."""
        return 0


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
