"""Identify plants from photos through services that fail, stall and charge per call.

The face is lazy: importing the package loads nothing heavy, connects to nothing, reads no key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plantid_core.workbench import Workbench, open_workbench

__version__ = "0.1.0"
__all__ = ["Workbench", "__version__", "open_workbench"]


def __getattr__(name: str) -> object:
    if name in {"Workbench", "open_workbench"}:
        from plantid_core import workbench

        return getattr(workbench, name)
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)
