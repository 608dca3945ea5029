"""The workbench as one person may use it: whoever asks, the core itself checks whether they may."""

from __future__ import annotations

from plantid_core.desk.desk import Desk
from plantid_core.desk.office import Office
from plantid_core.desk.own_collection import OwnCollection

__all__ = ["Desk", "Office", "OwnCollection"]
