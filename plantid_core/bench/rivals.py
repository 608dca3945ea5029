"""The ways to judge and clean one photo, by name; and the memory each takes in a fresh process.

``python -m plantid_core.bench.rivals NAME FILENAME`` reads a file from standard input and prints the
bytes that the rival took at most. A process that has decoded before keeps memory to use again, and
would hide what the next one takes.
"""

from __future__ import annotations

import io
import subprocess
import sys
from typing import TYPE_CHECKING

from PIL import Image

from plantid_core.lab import seed_upload
from plantid_core.lab.pictures import encode, quadrants
from plantid_core.supervise.python import module_command
from plantid_core.upload import Policy, admit
from plantid_core.upload.isolation.peak import PeakMemory

if TYPE_CHECKING:
    from collections.abc import Callable

    Rival = Callable[[bytes, str], object]

POOLED = "ours through the pool"


def _decode(data: bytes, _: str) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


RIVALS: dict[str, Rival] = {
    "decode": _decode,
    "decode and encode": lambda data, name: encode(
        _decode(data, name).convert("RGB"), "JPEG", quality=seed_upload.QUALITY
    ),
    "seed": seed_upload.admit,
    "ours in process": lambda data, name: admit(data, name, isolate=False),
    "ours, full size kept": lambda data, name: admit(
        data, name, policy=Policy(keep_full=True), isolate=False
    ),
    POOLED: admit,
}


def peak_in_fresh_process(rival: str, data: bytes, filename: str) -> int:
    """Return the bytes above its beginning that a rival took at most, in a process of its own."""
    done = subprocess.run(  # noqa: S603 - our own module
        module_command("plantid_core.bench.rivals", rival, filename),
        input=data,
        capture_output=True,
        check=True,
    )
    return int(done.stdout)


def _measure(rival: str, filename: str) -> int:
    data, work = sys.stdin.buffer.read(), RIVALS[rival]
    work(quadrants(size=(16, 16)), "leaf.jpg")
    with PeakMemory() as meter:
        meter.begin()
        work(data, filename)
        return meter.taken()


if __name__ == "__main__":
    print(_measure(sys.argv[1], sys.argv[2]))  # noqa: T201 - a command's output
