"""Side-by-side measurements on this machine; nothing else should run meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plantid_core.bench.report import Ratio, Report, Row

if TYPE_CHECKING:
    from collections.abc import Callable

    Tell = Callable[[str], None]

__all__ = ["NAMES", "Ratio", "Report", "Row", "run"]

NAMES = ("upload", "attack")


def run(name: str, tell: Tell) -> Report:
    """Return the report of one benchmark; ``tell`` hears of its progress. Raises KeyError."""
    from plantid_core.bench import attack, upload

    return {"upload": upload.run, "attack": attack.run}[name](tell)
