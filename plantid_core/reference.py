"""The tables of facts in ``data/``, wherever the package lies."""

from __future__ import annotations

from pathlib import Path

_INSTALLED = Path(__file__).parent / "data"
_CHECKOUT = Path(__file__).parents[1] / "data"


def table(name: str) -> Path:
    """Return the path of a table; raises ``FileNotFoundError`` naming it."""
    for folder in (_INSTALLED, _CHECKOUT):
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(name)
