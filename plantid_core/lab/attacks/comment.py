"""A comment in a GIF, where the library finds it before the first picture."""

from __future__ import annotations

_SCREEN = 13
_HAS_PALETTE = 0x80
_BLOCK = 255


def gif_commented(gif: bytes, text: bytes) -> bytes:
    """Return the GIF with a comment before its first picture, in sub-blocks of 255 bytes."""
    # Behind the picture Pillow would give the comment to the next frame, and no re-encode sees it.
    at = _SCREEN + (3 * 2 ** ((gif[10] & 7) + 1) if gif[10] & _HAS_PALETTE else 0)
    pieces = (text[begin : begin + _BLOCK] for begin in range(0, len(text), _BLOCK))
    blocks = b"".join(bytes([len(piece)]) + piece for piece in pieces)
    return b"GIF89a" + gif[6:at] + b"\x21\xfe" + blocks + b"\0" + gif[at:]
