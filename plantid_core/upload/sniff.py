"""What a file is called, and what it really is.

The prefix decides; libmagic is the second opinion and the one that can name what a refused file
really is. File names are checked by rule and then thrown away.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Protocol, cast

from plantid_core.errors import UploadRejected
from plantid_core.upload.policy import EXECUTABLE_EXTENSIONS, FORMAT_OF_EXTENSION

if TYPE_CHECKING:
    from plantid_core.upload.policy import Policy

_HEAD_BYTES = 4096
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_USE = "Use JPEG, PNG, WebP or GIF up to 10 MB."


class _Magic(Protocol):
    MagicException: type[Exception]

    def from_buffer(self, buffer: bytes, mime: bool = ...) -> str: ...  # noqa: FBT001 - python-magic's own


def format_of_name(filename: str, policy: Policy) -> str:
    """Return the format that the name's extension promises; raises `UploadRejected`."""
    if fault := _name_fault(filename, policy):
        raise UploadRejected(*fault, layer="name", value=len(filename.encode(errors="replace")))
    parts = filename.lower().split(".")
    if parts[-1] not in FORMAT_OF_EXTENSION:
        shown = f".{parts[-1][:10]}" if len(parts) > 1 else "no extension"
        message = f"This file's name ends in {shown}, not in that of a photo. {_USE}"
        raise UploadRejected("extension", message, layer="name", value=shown)
    inner = EXECUTABLE_EXTENSIONS.intersection(parts[1:-1])
    if inner:
        message = f"The file's name hides a second extension (.{min(inner)}). Rename the photo."
        raise UploadRejected("double_extension", message, layer="name", value=min(inner))
    return FORMAT_OF_EXTENSION[parts[-1]]


def _name_fault(filename: str, policy: Policy) -> tuple[str, str] | None:
    length = len(filename.encode(errors="replace"))
    if not 1 <= length <= policy.max_name_bytes:
        return "name_length", (
            f"The file's name has {length} bytes; 1 to {policy.max_name_bytes} are allowed."
            " Rename the photo."
        )
    if any(unicodedata.category(char) in {"Cc", "Cs"} or char in _BIDI for char in filename):
        return (
            "name_characters",
            "The file's name holds hidden control characters. Rename the photo.",
        )
    if "/" in filename or "\\" in filename:
        return "name_path", "The file's name holds a path. Send the photo under a plain name."
    if not filename.rpartition(".")[0].strip(" .") and "." in filename:
        return "name_stem", "The file's name has nothing before its extension. Rename the photo."
    return None


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
    mime = _ask_libmagic(data, mime=True) or (f"image/{found.lower()}" if found else "unknown")
    if found is None:
        description = describe(data)
        raise UploadRejected(
            "type",
            f"This file is {description}, not a photo. {_USE}",
            layer="type",
            limit="JPEG, PNG, WebP, GIF",
            value=mime,
            detected=description,
        )
    if found != promised or mime != f"image/{found.lower()}":
        really = found if found != promised else describe(data)
        raise UploadRejected(
            "type_mismatch",
            f"The name says {promised}, but the file is {really}. Rename it and try again.",
            layer="type",
            limit=promised,
            value=mime,
            detected=really,
        )
    return found


def describe(data: bytes) -> str:
    """Return a phrase for people that says what the bytes are ("a PDF document")."""
    mime = _ask_libmagic(data, mime=True)
    if mime.startswith("text/"):
        return "a text file"
    words = _ask_libmagic(data, mime=False).split(",")[0].strip()[:60]
    if mime in {"", "application/octet-stream"} or not words or not words.isprintable():
        return "data of an unknown kind"
    article = "an" if words[:1].lower() in "aeiou" else "a"
    return f"{article} {words}"


def _ask_libmagic(data: bytes, *, mime: bool) -> str:
    """Return libmagic's MIME type or description of the head, empty where it gives up."""
    magic = _libmagic()
    try:
        return magic.from_buffer(data[:_HEAD_BYTES], mime=mime)
    except magic.MagicException:
        # It gives up on floods of segments; the header walk that follows counts them.
        return ""


def _libmagic() -> _Magic:
    try:
        import magic
    except ImportError:
        # A bare machine has no libmagic; this package brings one and puts it where magic looks.
        import magic
        import pylibmagic  # noqa: F401
    return cast("_Magic", magic)
