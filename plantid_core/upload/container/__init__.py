"""A header walk of each format: sizes, frames, scans and completeness, without decoding a pixel."""

from __future__ import annotations

from plantid_core.upload.container.header import Embedded, Gamut, Header
from plantid_core.upload.container.walk import walk

__all__ = ["Embedded", "Gamut", "Header", "walk"]
