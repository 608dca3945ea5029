"""The usual upload validator in a process of its own, which may take only so much."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from plantid_core.supervise.python import module_command, python_path

if TYPE_CHECKING:
    from plantid_core.upload.chain import Upload

MEMORY_BYTES = 2 * 1024**3
WALL_S = 20.0


@dataclass(frozen=True, slots=True)
class SeedVerdict:
    """What came of it: ``ms`` and ``peak_bytes`` are of the check and the re-encode alone.

    ``crash`` is an error that the validator itself does not catch, or the end of its process.
    """

    verdict: Literal["accept", "reject", "crash", "timeout"]
    layer: str | None
    reason: str
    ms: float
    peak_bytes: int
    output: bytes | None = field(default=None, repr=False)


def run_seed(
    upload: Upload, *, wall_s: float = WALL_S, memory_bytes: int = MEMORY_BYTES
) -> SeedVerdict:
    """Judge a file by the usual validator, within ``wall_s`` seconds and ``memory_bytes``."""
    command = module_command(
        "plantid_core.lab.seed_upload", str(memory_bytes), str(int(wall_s) + 1)
    )
    # As JSON and not as an argument: a hostile name may hold a NUL, or be longer than those may be.
    head = json.dumps({"filename": upload.filename}).encode() + b"\n"
    try:
        done = subprocess.run(  # noqa: S603 - our own module
            command,
            input=head + upload.data,
            capture_output=True,
            timeout=wall_s,
            check=False,
            env={"PATH": os.environ.get("PATH", ""), "PYTHONPATH": python_path()},
        )
    except subprocess.TimeoutExpired:
        return SeedVerdict("timeout", None, f"given up after {wall_s:.0f} s", wall_s * 1e3, 0)
    if done.returncode:
        word = signal.Signals(-done.returncode).name if done.returncode < 0 else "an error"
        return SeedVerdict("crash", None, f"its process ended with {word}", 0.0, 0)
    answer, _, output = done.stdout.partition(b"\n")
    found = json.loads(answer)
    return SeedVerdict(**found, output=output or None)
