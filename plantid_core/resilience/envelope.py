"""One value as it lies in Redis: a versioned header, then the payload.

Header, little-endian: magic ``PI``, version, kind, time stored, soft expiry, hard expiry (Unix
seconds, doubles), Δ = seconds it took to compute (double). Bytes of another shape are a miss.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal

Kind = Literal["value", "negative", "error"]

_HEADER = struct.Struct("<2sBBdddd")
_MAGIC = b"PI"
_VERSION = 1
_KINDS: tuple[Kind, ...] = ("value", "negative", "error")


@dataclass(frozen=True, slots=True)
class Envelope:
    """A payload and the times that decide how it may be used."""

    kind: Kind
    stored: float
    soft_expiry: float
    hard_expiry: float
    delta: float
    payload: bytes

    def pack(self) -> bytes:
        """Return the bytes to store."""
        times = (self.stored, self.soft_expiry, self.hard_expiry, self.delta)
        return _HEADER.pack(_MAGIC, _VERSION, _KINDS.index(self.kind), *times) + self.payload

    @classmethod
    def unpack(cls, blob: bytes) -> Envelope | None:
        """Return the envelope in ``blob``, or None where it is none of ours."""
        if len(blob) < _HEADER.size:
            return None
        magic, version, kind, stored, soft, hard, delta = _HEADER.unpack_from(blob)
        if magic != _MAGIC or version != _VERSION or kind >= len(_KINDS):
            return None
        return cls(_KINDS[kind], stored, soft, hard, delta, blob[_HEADER.size :])
