"""What a file is called, and what it really is.

The prefix decides; libmagic is the second opinion and the one that can name what a refused file
really is. File names are checked by rule and then thrown away.
"""

from __future__ import annotations

import importlib
import unicodedata
from typing import TYPE_CHECKING, Protocol, cast

from plantid_core.upload.policy import EXECUTABLE_EXTENSIONS, FORMAT_OF_EXTENSION
from plantid_core.upload.rejection import reject

if TYPE_CHECKING:
    from plantid_core.upload.policy import Policy

_HEAD_BYTES = 4096
_NO_OPINION = "application/octet-stream"
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_MIMES = {
    "JPEG": ("image/jpeg",),
    # Later versions of libmagic tell an animated PNG apart.
    "PNG": ("image/png", "image/apng", "image/vnd.mozilla.apng"),
    "WEBP": ("image/webp",),
    "GIF": ("image/gif",),
}


class Magic(Protocol):
    """What is used of python-magic."""

    MagicException: type[Exception]

    def from_buffer(self, buffer: bytes, mime: bool = ...) -> str:  # noqa: FBT001 - its own signature
        """Return what libmagic says of the bytes; raises MagicException."""


def format_of_name(filename: str, policy: Policy) -> str:
    """Return the format that the name's extension promises; raises `UploadRejected`."""
    length = len(filename.encode(errors="replace"))
    if not 1 <= length <= policy.max_name_bytes:
        raise reject("name_length", limit=policy.max_name_bytes, value=length)
    plain = filename.isascii() and filename.isprintable()
    if not plain and any(
        unicodedata.category(char) in {"Cc", "Cs"} or char in _BIDI for char in filename
    ):
        raise reject("name_characters", value=length)
    if "/" in filename or "\\" in filename:
        raise reject("name_path", value=length)
    if "." in filename and not filename.rpartition(".")[0].strip(" ."):
        raise reject("name_stem", value=length)
    parts = filename.lower().split(".")
    if len(parts) == 1 or parts[-1] not in FORMAT_OF_EXTENSION:
        shown = f".{parts[-1][:10]}" if len(parts) > 1 else "no extension"
        raise reject("extension", limit=", ".join(FORMAT_OF_EXTENSION), value=shown)
    inner = EXECUTABLE_EXTENSIONS.intersection(parts[1:-1])
    if inner:
        raise reject("double_extension", value=min(inner))
    return FORMAT_OF_EXTENSION[parts[-1]]


def format_of_prefix(data: bytes) -> str | None:
    """Return the format whose signature the bytes begin with, or None."""
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data[:6] in {b"GIF87a", b"GIF89a"}:
        return "GIF"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    return None


def require_type(data: bytes, promised: str) -> str:
    """Return the format, if prefix, libmagic and the name agree; raises `UploadRejected`."""
    found = format_of_prefix(data)
    mime = mime_type(data)
    if found is None:
        raise reject("type", limit="JPEG, PNG, WebP, GIF", value=mime, detected=describe(data))
    if found != promised:
        raise reject("type_mismatch", limit=promised, value=mime, detected=f"a {found} picture")
    if mime not in {*_MIMES[found], _NO_OPINION}:
        raise reject("type_mismatch", limit=promised, value=mime, detected=describe(data))
    return found


def mime_type(data: bytes) -> str:
    """Return libmagic's MIME type of the bytes; by their prefix where it gives none."""
    found = format_of_prefix(data)
    return _ask_libmagic(data, mime=True) or (_MIMES[found][0] if found else "unknown")


def describe(data: bytes) -> str:
    """Return a phrase for people that says what the bytes are ("a PDF document")."""
    mime = _ask_libmagic(data, mime=True)
    if mime.startswith("text/"):
        return "a text file"
    words = _ask_libmagic(data, mime=False).split(",")[0].strip()[:60]
    if mime in {"", _NO_OPINION} or not words or not words.isprintable():
        return "data of an unknown kind"
    article = "an" if words[:1].lower() in "aeiou" else "a"
    return f"{article} {words}"


def _ask_libmagic(data: bytes, *, mime: bool) -> str:
    """Return libmagic's MIME type or description of the head, empty where it gives up."""
    magic = libmagic()
    if magic is None:
        return ""
    try:
        return magic.from_buffer(data[:_HEAD_BYTES], mime=mime)
    except magic.MagicException:
        # It gives up on floods of segments; the header walk that follows counts them.
        return ""


def libmagic() -> Magic | None:
    """Return python-magic with a library to call: the system's, else the one in the wheel."""
    try:
        return cast("Magic", importlib.import_module("magic"))
    except ImportError:
        pass
    try:
        # In this order: importing it puts the library that it brings where magic looks.
        importlib.import_module("pylibmagic")
        return cast("Magic", importlib.import_module("magic"))
    except ImportError:
        return None
