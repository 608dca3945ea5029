"""An examination as a message, there and back."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict
from typing import TYPE_CHECKING, cast

from plantid_core.errors import UploadRejected
from plantid_core.plants import Place
from plantid_core.upload.chain import as_photo
from plantid_core.upload.container import Embedded, Header
from plantid_core.upload.decode.plan import Picture
from plantid_core.upload.examination import Examination, Gate
from plantid_core.upload.isolation.wire import BrokenLink
from plantid_core.upload.photo import Prefill

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from plantid_core.upload.isolation.wire import Head
    from plantid_core.upload.policy import Policy
    from plantid_core.upload.rejection import Layer

# What a message that is none makes its reader raise.
_NONSENSE = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)
_HEADER_NUMBERS = (
    "width",
    "height",
    "frames",
    "scans",
    "segments",
    "orientation",
    "trailing",
)


def of_rejection(rejected: UploadRejected) -> Head:
    """Return a refusal's fields."""
    return {
        "code": rejected.code,
        "message": str(rejected),
        "layer": rejected.layer,
        "limit": rejected.limit,
        "value": rejected.value,
        "detected": rejected.detected,
        "transient": rejected.transient,
    }


def as_rejection(head: Mapping[str, object]) -> UploadRejected:
    """Return the refusal again; raises `BrokenLink` where it is none."""
    try:
        return UploadRejected(
            str(head["code"]),
            str(head["message"]),
            layer=str(head["layer"]),
            limit=cast("float | str | None", head["limit"]),
            value=cast("float | str | None", head["value"]),
            detected=cast("str | None", head["detected"]),
            transient=bool(head["transient"]),
        )
    except _NONSENSE:
        raise BrokenLink("a refusal lacks a field") from None


def of_examination(found: Examination) -> tuple[Head, list[bytes]]:
    """Return the head and the blobs of an examination."""
    head: Head = {"gates": [asdict(gate) for gate in found.gates], "mime": found.mime}
    if found.header is not None:
        head["header"] = {
            "format": found.header.format,
            "gamut": found.header.gamut,
            "embedded": [[entry.kind, entry.size] for entry in found.header.embedded],
            **{name: getattr(found.header, name) for name in _HEADER_NUMBERS},
        }
    if found.rejected is not None:
        head["rejected"] = of_rejection(found.rejected)
    photo = found.photo
    if photo is None:
        return head, []
    return head, [photo.jpeg] if photo.full is None else [photo.jpeg, photo.full]


def as_examination(
    head: Mapping[str, object], blobs: Sequence[bytes], policy: Policy
) -> Examination:
    """Return the examination again; its pictures are checked here once more.

    Raises `BrokenLink` where the message is none, `UploadRejected` where a picture is not plain.
    """
    try:
        header = _header(cast("Mapping[str, object] | None", head.get("header")))
        gates = tuple(_gate(entry) for entry in cast("list[dict[str, object]]", head["gates"]))
        mime = str(head["mime"])
    except _NONSENSE:
        raise BrokenLink("an examination lacks a field") from None
    if "rejected" in head:
        rejected = as_rejection(cast("Mapping[str, object]", head["rejected"]))
        return Examination(gates, mime, header, None, rejected)
    if header is None or not blobs:
        raise BrokenLink("an examination has no picture")
    picture = Picture(blobs[0], blobs[1] if len(blobs) > 1 else None)
    return Examination(gates, mime, header, as_photo(picture, header, policy), None)


def as_prefill(head: Mapping[str, object]) -> Prefill:
    """Return what a photo tells of itself; raises `BrokenLink` where the message is none."""
    place, date = head.get("place"), head.get("date")
    try:
        return Prefill(
            None if place is None else _place(cast("list[float]", place)),
            None if date is None else dt.date.fromisoformat(str(date)),
        )
    except _NONSENSE:
        raise BrokenLink("a place or date is none") from None


def _place(found: list[float]) -> Place:
    latitude, longitude = (float(part) for part in found)
    if not (abs(latitude) <= 90 and abs(longitude) <= 180):  # noqa: PLR2004 - the globe
        raise ValueError("not on the globe")
    return Place(latitude, longitude)


def _gate(entry: Mapping[str, object]) -> Gate:
    return Gate(
        cast("Layer", str(entry["layer"])),
        bool(entry["passed"]),
        float(cast("float", entry["ms"])),
        int(cast("int", entry["peak_bytes"])),
    )


def _header(found: Mapping[str, object] | None) -> Header | None:
    if found is None:
        return None
    numbers = {name: int(cast("int", found[name])) for name in _HEADER_NUMBERS}
    embedded = cast("list[list[object]]", found["embedded"])
    return Header(
        format=str(found["format"]),
        gamut=None,
        embedded=tuple(Embedded(str(kind), int(cast("int", size))) for kind, size in embedded),
        offset=(0, 0),
        parts=(),
        **numbers,
    )
