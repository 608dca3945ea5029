"""The one path from bytes to a `Photo`."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from plantid_core.upload import container, sniff
from plantid_core.upload.decode.plan import Plan
from plantid_core.upload.photo import Photo
from plantid_core.upload.policy import MIB, OUTPUT_SLACK, Policy
from plantid_core.upload.rejection import reject
from plantid_core.upload.verdict import recorded

if TYPE_CHECKING:
    from plantid_core.upload.container import Header
    from plantid_core.upload.decode.plan import Picture


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as it came from a person; nothing in it is trusted, its content type is ignored."""

    data: bytes = field(repr=False)
    filename: str
    content_type: str | None = None


def require_size(size: int, policy: Policy) -> None:
    """Raise `UploadRejected` for a file of ``size`` bytes that is empty or too large."""
    if not size:
        raise reject("empty", limit=1, value=0)
    if size > policy.max_bytes:
        raise reject(
            "too_large",
            limit=policy.max_bytes,
            value=size,
            megabytes=size / MIB,
            most_megabytes=policy.max_bytes / MIB,
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
    counts). ``isolate`` decodes in a worker process; without it the decode happens in this one,
    without a bound on its memory and time beyond those of the header walk.
    """
    del content_type
    with recorded():
        return judge(data, filename, policy, isolate=isolate)


def judge(data: bytes, filename: str, policy: Policy, *, isolate: bool = True) -> Photo:
    """Do what `admit` does, for a caller that records the verdict itself."""
    header = inspect(data, filename, policy)
    return as_photo(_decoded(data, header, policy, isolate=isolate), header, policy)


def _decoded(data: bytes, header: Header, policy: Policy, *, isolate: bool) -> Picture:
    plan, stripped = Plan.of(header, policy), header.stripped(data)
    # Imported here because a refused file never needs them.
    if isolate:
        from plantid_core.upload.isolation.pool import shared_pool

        return shared_pool().decode(stripped, plan, policy)
    from plantid_core.upload.decode.picture import sanitise

    return sanitise(stripped, plan)


def as_photo(picture: Picture, header: Header, policy: Policy) -> Photo:
    """Return the safe value, once the picture has shown to be nothing but a plain JPEG.

    Raises `UploadRejected` where it is not: what comes back from a decoder that an attacker's file
    has been through is checked like any other file.
    """
    width, height = _require_plain(picture.jpeg, int(policy.output_side * OUTPUT_SLACK), policy)
    if picture.full is not None:
        _require_plain(picture.full, policy.max_side, policy)
    digest = hashlib.sha256(picture.jpeg).hexdigest()
    return Photo(
        picture.jpeg,
        digest,
        width,
        height,
        header.format,
        header.metadata,
        picture.full,
    )


def _require_plain(jpeg: bytes, side: int, policy: Policy) -> tuple[int, int]:
    if sniff.format_of_prefix(jpeg) != "JPEG":
        raise reject("unsafe_output", value="no JPEG")
    found = container.walk(jpeg, "JPEG", policy)
    if found.embedded or found.orientation != 1:
        raise reject("unsafe_output", value=", ".join(found.metadata))
    if max(found.width, found.height) > side:
        raise reject("unsafe_output", value="its size")
    return found.width, found.height
