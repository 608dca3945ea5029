"""How to start one of our own modules as a process of its own."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def module_command(module: str, *arguments: str) -> list[str]:
    """Return the command that runs ``python -m module``; nothing in the working folder shadows it."""
    return [sys.executable, "-P", "-m", module, *arguments]


def python_path() -> str:
    """Return a PYTHONPATH under which this package is found also where it is not installed."""
    root = Path(__file__).parents[2]
    known = [
        str(Path(part).absolute())
        for part in os.environ.get("PYTHONPATH", "").split(os.pathsep)
        if part
    ]
    if root.name not in {"site-packages", "dist-packages"}:
        known.append(str(root))
    return os.pathsep.join(known)
