"""A widely copied upload validator, as it is usually written: every check, in the usual order.

It stands beside our chain for comparison, in our own words and with its own faults: the name and
the type are never compared, the size is looked at last, the picture is decoded before its
dimensions are known, every format of the image library is welcome, and a re-encode keeps comments.
``python -m plantid_core.lab.seed_upload`` runs it over standard input, within limits: a line of JSON
with the file's name, then the file. It answers alike: a line with the verdict, then the clean copy.
"""

from __future__ import annotations

import io
import json
import resource
import sys
import time
import warnings
from pathlib import PurePosixPath

from plantid_core.upload import sniff

EXTENSIONS = frozenset({"jpg", "jpeg", "png", "webp", "gif"})
TYPES = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif"})
MOST_BYTES = 10 * 1024 * 1024
MOST_SIDE = 10_000
MOST_PIXELS = 89_000_000
QUALITY = 85


class SeedRejected(Exception):
    """The validator's refusal; ``layer`` is the check that made it."""

    def __init__(self, layer: str, reason: str) -> None:
        self.layer = layer
        super().__init__(reason)


def validate(data: bytes, filename: str) -> None:
    """Check a file in the usual order; raises `SeedRejected`."""
    from PIL import Image

    extension = PurePosixPath(filename).suffix[1:].lower()
    if extension not in EXTENSIONS:
        raise SeedRejected("name", f"File extension {extension!r} is not allowed.")
    magic = sniff.libmagic()
    kind = magic.from_buffer(data[:2048], mime=True) if magic else "unknown"
    if kind not in TYPES:
        raise SeedRejected("type", f"File type mismatch. Expected image, got {kind}")
    try:
        Image.open(io.BytesIO(data)).verify()
        image = Image.open(io.BytesIO(data))
        image.load()
    except Exception as fault:
        raise SeedRejected("decode", f"Invalid image structure: {fault}") from fault
    if len(data) > MOST_BYTES:
        raise SeedRejected("size", "File size exceeds 10MB limit")
    if image.width > MOST_SIDE or image.height > MOST_SIDE:
        raise SeedRejected("header", "Image dimensions too large")
    Image.MAX_IMAGE_PIXELS = MOST_PIXELS


def sanitise(data: bytes) -> bytes:
    """Return the usual re-encode."""
    from PIL import Image

    image: Image.Image = Image.open(io.BytesIO(data))
    if image.mode not in {"RGB", "L"}:
        image = image.convert("RGB")
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()


def admit(data: bytes, filename: str) -> bytes:
    """Validate and re-encode, as `plantid_core.upload.admit` does it our way."""
    validate(data, filename)
    return sanitise(data)


def _boxed(memory_bytes: int, cpu_seconds: int) -> None:
    """Judge standard input within limits; write the answer to standard output."""
    from plantid_core.upload.isolation.peak import PeakMemory

    meter = PeakMemory()
    _warm_up()
    for limit, value in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CPU, cpu_seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (value, value))
    filename = json.loads(sys.stdin.buffer.readline())["filename"]
    data = sys.stdin.buffer.read()
    answer: dict[str, object] = {"verdict": "accept", "layer": None, "reason": ""}
    output = b""
    # All but libmagic's own errors are turned into a refusal before the re-encode.
    layer = "type"
    meter.begin()
    begin = time.perf_counter()
    try:
        validate(data, filename)
        layer = "re-encode"
        output = sanitise(data)
    except SeedRejected as rejected:
        answer = {"verdict": "reject", "layer": rejected.layer, "reason": str(rejected)}
    except Exception as fault:  # noqa: BLE001 - what it lets through is what is to be shown
        answer = {"verdict": "crash", "layer": layer, "reason": type(fault).__name__}
    answer |= {"ms": (time.perf_counter() - begin) * 1e3, "peak_bytes": meter.taken()}
    sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n" + output)


def _warm_up() -> None:
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "JPEG")
    admit(buffer.getvalue(), "x.jpg")
    # The very fault that is shown: this limit is not there yet when the first file is decoded.
    Image.MAX_IMAGE_PIXELS = 178_956_970


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    _boxed(int(sys.argv[1]), int(sys.argv[2]))
