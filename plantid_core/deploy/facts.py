"""What the checks look at: the settings, and what this machine and Streamlit make of them."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from plantid_core.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

_STREAMLITS = Path(".streamlit") / "secrets.toml"


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything a check may know; nothing is looked up later.

    ``data_mode`` are the data directory's permission bits (None: it is not made yet), ``secret_files``
    those of each file that holds a secret, by its path. ``options`` are Streamlit's in force, by their
    full name; ``uncovered`` has a sentence for each route that names no permission. ``umask`` and ``root``
    are the app's own (None, False: it is not the app that looks).
    """

    settings: Settings
    data_mode: int | None = None
    secret_files: Mapping[str, int] = field(default_factory=dict)
    umask: int | None = None
    root: bool = False
    options: Mapping[str, object] = field(default_factory=dict)
    uncovered: tuple[str, ...] = ()


def facts_of(
    settings: Settings,
    options: Mapping[str, object],
    uncovered: tuple[str, ...],
    *,
    running: bool = False,
) -> Facts:
    """Return the facts of this machine; ``running`` tells that this process is the app itself."""
    files = [Path(named) for named in _named_files()]
    modes = {str(path): mode for path in files if (mode := _mode(path)) is not None}
    return Facts(
        settings,
        _mode(settings.data_dir),
        modes,
        _umask() if running else None,
        running and os.name == "posix" and os.geteuid() == 0,
        options,
        uncovered,
    )


def _named_files() -> list[str]:
    named = (os.environ.get(f"PLANTID_{name.upper()}_FILE") for name in Settings.model_fields)
    return [*(one for one in named if one), str(_STREAMLITS)]


def _mode(path: Path) -> int | None:
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return None


def _umask() -> int | None:
    """Return the process's umask; the kernel tells it without changing it (proc(5), since 4.7)."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        return int(status.partition("\nUmask:")[2].split()[0], 8)
    except (OSError, IndexError, ValueError):
        # Where it can be told only by changing it for a moment, other threads would make files by it.
        return None
