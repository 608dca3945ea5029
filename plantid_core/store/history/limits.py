"""What is kept, and within which bounds: ids, places, lengths of text."""

from __future__ import annotations

import datetime as dt
import math
import re
from typing import TYPE_CHECKING

from plantid_core.errors import ObservationRefused
from plantid_core.store.history.schema import LINE_LENGTH, OWNER_LENGTH, WORD_LENGTH

if TYPE_CHECKING:
    from collections.abc import Iterable

    from plantid_core.store.history.values import Circumstances, Determination, Observed

NOTE_LENGTH = 10_000
SEARCH_LENGTH = 200
# Half the way around the Earth: a radius beyond it says nothing.
_UNCERTAINTY_M = 20_040_000.0
_MOST_PHOTOS = 100
_MOST_PIXELS = 1_000_000
_SHOWN = 40
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def is_id(text: str) -> bool:
    """Tell whether this can be an id: 1–64 letters, digits, hyphens and underscores of ASCII."""
    return _ID.fullmatch(text) is not None


def require_owner(owner: str) -> str:
    """Return the owner; raises `ObservationRefused` for what no database can tell apart."""
    if not owner or len(owner) > OWNER_LENGTH or clean(owner) != owner:
        limit = f"1–{OWNER_LENGTH} characters of proper text"
        raise ObservationRefused("owner", limit, _shown(owner))
    return owner


def require_id(field: str, text: str) -> str:
    """Return the id; raises `ObservationRefused`."""
    if not is_id(text):
        limit = "1–64 letters, digits, hyphens or underscores"
        raise ObservationRefused(field, limit, _shown(text))
    return text


def require_observed(observed: Observed) -> None:
    """Raise `ObservationRefused` unless all of it can be kept."""
    require_owner(observed.owner)
    require_id("id", observed.id)
    require_time("made_at", observed.made_at)
    _require_length("language", observed.language, WORD_LENGTH)
    if len(observed.photos) > _MOST_PHOTOS:
        limit, value = f"at most {_MOST_PHOTOS}", str(len(observed.photos))
        raise ObservationRefused("photos", limit, value)
    for photo in observed.photos:
        require_id("photo_id", photo.photo_id)
        _require_length("source_format", photo.source_format, WORD_LENGTH)
        _require_between("width", photo.width, 1, _MOST_PIXELS)
        _require_between("height", photo.height, 1, _MOST_PIXELS)
    for answer in observed.answers:
        _require_length("provider", answer.provider, WORD_LENGTH)
    require_circumstances(observed.circumstances)
    for determination in observed.determinations:
        require_determination(determination)


def require_circumstances(circumstances: Circumstances) -> None:
    """Raise `ObservationRefused` unless all of it can be kept."""
    if (place := circumstances.place) is not None:
        _require_between("place.latitude", place.latitude, -90, 90)
        _require_between("place.longitude", place.longitude, -180, 180)
    if (radius := circumstances.uncertainty_m) is not None:
        _require_between("uncertainty_m", radius, 0, _UNCERTAINTY_M)
    _require_length("recorded_by", circumstances.recorded_by, LINE_LENGTH)
    _require_length("licence", circumstances.licence, LINE_LENGTH)


def require_determination(determination: Determination) -> None:
    """Raise `ObservationRefused` unless all of it can be kept."""
    require_id("determination.id", determination.id)
    require_time("determination.made_at", determination.made_at)
    require_owner(determination.made_by)
    _require_length("note", determination.note, NOTE_LENGTH)
    if (taxon := determination.taxon) is not None:
        _require_length("scientific_name", taxon.scientific_name, LINE_LENGTH)
        _require_length("authorship", taxon.authorship or "", LINE_LENGTH)
    if determination.score is not None:
        _require_between("score", determination.score, 0, 1)
    _require_length("provider", determination.provider or "", WORD_LENGTH)


def require_cache_keys(keys: Iterable[str]) -> None:
    """Raise `ObservationRefused` unless each can be kept."""
    for key in keys:
        _require_length("cache_key", key, LINE_LENGTH)
        if clean(key) != key:
            raise ObservationRefused("cache_key", "proper text", _shown(key))


def require_search(text: str) -> None:
    """Raise `ObservationRefused` for a text that is too long to look for."""
    _require_length("text", text, SEARCH_LENGTH)


def require_time(field: str, time: dt.datetime) -> dt.datetime:
    """Return the time; raises `ObservationRefused` for one without its zone, or that UTC cannot tell."""
    if time.tzinfo is None:
        raise ObservationRefused(field, "a time with its zone", time.isoformat())
    try:
        time.astimezone(dt.UTC)
    except OverflowError:
        raise ObservationRefused(field, "in the years 1…9999 of UTC", time.isoformat()) from None
    return time


def clean(text: str) -> str:
    """Return the text without what a database cannot hold.

    NUL, which Postgres refuses, goes; half of a surrogate pair, which is no UTF-8, becomes U+FFFD.
    """
    return text.replace("\0", "").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _require_length(field: str, text: str, most: int) -> None:
    if len(text) > most:
        limit = f"at most {most:,} characters long"
        raise ObservationRefused(field, limit, f"{len(text):,} long")


def _require_between(field: str, value: float, least: float, most: float) -> None:
    if not (math.isfinite(value) and least <= value <= most):
        raise ObservationRefused(field, f"a number in {least:,}…{most:,}", f"{value:g}")


def _shown(text: str) -> str:
    return ascii(text[:_SHOWN]) + ("…" if len(text) > _SHOWN else "")
