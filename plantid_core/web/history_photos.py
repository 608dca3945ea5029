"""Kept photos, made small for the page: each once, and no longer than its observation is kept."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

import streamlit as st

from plantid_core.errors import PhotoDamaged, PhotoNotFound, StorageFailed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from plantid_core.desk import Desk, OwnCollection
    from plantid_core.store.history.values import Observed

THUMBNAIL_PX: Final = 144  # shown at two thirds of it, for sharp screens
PREVIEW_PX: Final = 640
_QUALITY: Final = 75
# Some 30 MB at most; and what another process deleted is gone from here within the hour.
_MOST: Final = 2_000
_LONGEST_S: Final = 3600


def small(desk: Desk, photo_id: str, side_px: int) -> bytes | None:
    """Return a small JPEG, None where the photo cannot be read.

    ``side_px`` is its longer side's limit; a thumbnail is cut to a square of it.
    """
    # Asked each time: what is remembered is not asked for again where it is kept.
    owner = desk.owner_for("photo.read")
    try:
        return _small(desk.collection, owner, photo_id, side_px)
    except (PhotoNotFound, PhotoDamaged, StorageFailed, OSError):
        return None


def forget(observations: Iterable[Observed]) -> None:
    """Keep no small photo of these observations in memory."""
    for observed in observations:
        for photo in observed.photos:
            for side_px in (THUMBNAIL_PX, PREVIEW_PX):
                _small.clear(None, observed.owner, photo.photo_id, side_px)


def forget_all() -> None:
    """Keep no small photo in memory."""
    _small.clear()


@st.cache_data(max_entries=_MOST, ttl=_LONGEST_S, show_spinner=False)
def _small(_collection: OwnCollection | None, owner: str, photo_id: str, side_px: int) -> bytes:
    from PIL import Image, ImageOps

    if _collection is None:
        raise PhotoNotFound
    with Image.open(io.BytesIO(_collection.photo(photo_id, owner=owner))) as whole:
        whole.draft("RGB", (side_px, side_px))
        made = whole.convert("RGB")
    if side_px == THUMBNAIL_PX:
        made = ImageOps.fit(made, (side_px, side_px))
    else:
        made.thumbnail((side_px, side_px))
    buffer = io.BytesIO()
    made.save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()
