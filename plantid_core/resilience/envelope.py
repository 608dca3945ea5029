"""One value as it lies in Redis: a versioned header, then the payload.

Header, little-endian: magic ``PI``, version, kind, fence (unsigned, 8 bytes at offset 4, where the
scripts look for it), time stored, soft expiry, hard expiry (Unix seconds, doubles), Δ = seconds it
took to compute (double). Bytes of another shape are no envelope, and count as a miss.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, cast

import orjson

from plantid_core.errors import ValueNotCacheable

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["value", "negative", "error", "bytes"]

_HEADER = struct.Struct("<2sBBQdddd")
_MAGIC = b"PI"
_VERSION = 2
_KINDS: tuple[Kind, ...] = ("value", "negative", "error", "bytes")
_MESSAGE_LENGTH = 500
_PLAIN = _KINDS.index("value")
FENCE_AT = slice(4, 12)


_UNREAD = object()


@dataclass(frozen=True, slots=True)
class Envelope:
    """A payload and the times that decide how it may be used; ``fence`` 0: made without a lease."""

    kind: Kind
    fence: int
    stored: float
    soft_expiry: float
    hard_expiry: float
    delta: float
    payload: bytes
    _decoded: object = field(default=_UNREAD, init=False, compare=False, repr=False)

    def pack(self) -> bytes:
        """Return the bytes to store."""
        times = (self.stored, self.soft_expiry, self.hard_expiry, self.delta)
        head = _HEADER.pack(_MAGIC, _VERSION, _KINDS.index(self.kind), self.fence, *times)
        return head + self.payload

    @classmethod
    def unpack(cls, blob: bytes) -> Envelope | None:
        """Return the envelope in ``blob``, or None where it is none of ours."""
        if len(blob) < _HEADER.size:
            return None
        magic, version, kind, fence, stored, soft, hard, delta = _HEADER.unpack_from(blob)
        if magic != _MAGIC or version != _VERSION or kind >= len(_KINDS):
            return None
        if not (stored <= soft <= hard and 0 <= delta < math.inf and hard < math.inf):
            return None
        envelope = cls(_KINDS[kind], fence, stored, soft, hard, delta, blob[_HEADER.size :])
        try:
            _ = envelope.value
        except orjson.JSONDecodeError:
            return None
        return envelope

    @property
    def value(self) -> object:
        """Return the payload, decoded; the same object each time, so it is not to be changed."""
        value = self._decoded
        if value is _UNREAD:
            value = self.payload if self.kind == "bytes" else orjson.loads(self.payload)
            object.__setattr__(self, "_decoded", value)
        return value


def calm_value(blob: bytes, now: float, calm: float) -> tuple[Kind, float, object] | None:
    """Return kind, age and value of a blob of ours whose soft expiry is over ``calm`` · Δ away.

    None for anything else: the way of every hit, without the making of an envelope.
    """
    if len(blob) < _HEADER.size:
        return None
    magic, version, kind, _, stored, soft, _, delta = _HEADER.unpack_from(blob)
    if magic != _MAGIC or version != _VERSION or not now < soft - calm * delta:
        return None
    if kind == _PLAIN:
        try:
            return "value", max(0.0, now - stored), orjson.loads(memoryview(blob)[_HEADER.size :])
        except orjson.JSONDecodeError:
            return None
    envelope = Envelope.unpack(blob)
    if envelope is None or envelope.kind == "error":
        return None
    return envelope.kind, max(0.0, now - stored), envelope.value


def encode(value: object) -> tuple[Kind, bytes]:
    """Return kind and payload of a value; None is "negative".

    Raises `ValueNotCacheable` for what JSON cannot hold.
    """
    if isinstance(value, bytes):
        return "bytes", value
    try:
        payload = orjson.dumps(value)
    except TypeError as error:
        raise ValueNotCacheable(type(value).__name__, str(error)) from error
    return ("negative" if value is None else "value"), payload


def encode_error(error: BaseException) -> bytes:
    """Return the payload that tells others of an error: type, message, and fields of ours."""
    fields = {
        name: value
        for name in ("provider", "code", "retry_after_s")
        if isinstance(value := getattr(error, name, None), str | int | float)
    }
    told = {"type": type(error).__name__, "message": str(error)[:_MESSAGE_LENGTH], "fields": fields}
    return orjson.dumps(told)


def error_fields(envelope: Envelope) -> tuple[str, str, Mapping[str, object]]:
    """Return type name, message and fields of an envelope of kind ``error``."""
    told = envelope.value
    if not isinstance(told, dict):
        return "Exception", "", {}
    fields = cast("dict[str, object]", told.get("fields") or {})
    return str(told.get("type")), str(told.get("message")), fields
