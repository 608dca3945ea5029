"""Every reason for which a file is refused: the closed set of codes.

The table in ``docs/upload-codes.md`` is printed from here by ``python -m
plantid_core.upload.rejection``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from plantid_core.errors import UploadRejected

Layer = Literal["size", "name", "type", "header", "decode", "re-encode"]
LAYERS: tuple[Layer, ...] = ("size", "name", "type", "header", "decode", "re-encode")

_USE = "Use JPEG, PNG, WebP or GIF up to 10 MB."
_SMALLER = "Send a smaller copy."
_AGAIN = "Copy it again from the camera."
_LATER = "Try again in a moment."


@dataclass(frozen=True, slots=True)
class Rejection:
    """One reason. ``sentence`` is for people, filled with limit, value and the words of the case.

    ``transient`` marks those that say nothing of the file: the same one may pass the next time.
    """

    code: str
    layer: Layer
    sentence: str
    meaning: str
    transient: bool = False


REJECTIONS = {
    entry.code: entry
    for entry in (
        Rejection("empty", "size", "This file is empty. Choose the photo again.", "no bytes"),
        Rejection(
            "too_large",
            "size",
            "This file has {megabytes:.1f} MB; photos may have up to {most_megabytes:.0f} MB."
            f" {_SMALLER}",
            "more bytes than `max_bytes`",
        ),
        Rejection(
            "photo_count",
            "size",
            "{value} photos were given; an identification takes 1 to {limit}.",
            "no photo, or too many for one identification",
        ),
        Rejection(
            "not_a_file",
            "name",
            "This is not a file. Name the photos themselves.",
            "a directory, a device or a pipe instead of a file",
        ),
        Rejection(
            "name_length",
            "name",
            "The file's name has {value} bytes; 1 to {limit} are allowed. Rename the photo.",
            "no name, or one longer than `max_name_bytes`",
        ),
        Rejection(
            "name_characters",
            "name",
            "The file's name holds hidden control characters. Rename the photo.",
            "NUL, control, surrogate or text-direction characters in the name",
        ),
        Rejection(
            "name_path",
            "name",
            "The file's name holds a path. Send the photo under a plain name.",
            "a slash or a backslash in the name",
        ),
        Rejection(
            "name_stem",
            "name",
            "The file's name has nothing before its extension. Rename the photo.",
            "a name such as `.jpg`",
        ),
        Rejection(
            "extension",
            "name",
            f"This file's name ends in {{value}}, not in that of a photo. {_USE}",
            "the last extension is not jpg, jpeg, png, webp or gif",
        ),
        Rejection(
            "double_extension",
            "name",
            "The file's name hides a second extension (.{value}). Rename the photo.",
            "an executable extension inside the name, such as `x.php.jpg`",
        ),
        Rejection(
            "type",
            "type",
            f"This file is {{detected}}, not a photo. {_USE}",
            "the content is none of the four formats",
        ),
        Rejection(
            "type_mismatch",
            "type",
            "The name says {limit}, but the file is {detected}. Rename it and try again.",
            "extension, signature and libmagic do not agree",
        ),
        Rejection(
            "side",
            "header",
            f"This picture has a side of {{value:,}} px; 1 to {{limit:,}} px can be handled. {_SMALLER}",
            "a side of the canvas or of a frame is 0 or above `max_side`",
        ),
        Rejection(
            "pixels",
            "header",
            f"This picture has {{value:,}} pixels; at most {{limit:,}} can be handled. {_SMALLER}",
            "a canvas or a frame's extent above `max_pixels`",
        ),
        Rejection(
            "raw_bytes",
            "header",
            f"This picture unfolds to {{value:,}} bytes; at most {{limit:,}} can be handled. {_SMALLER}",
            "area times depth of a PNG above `max_raw_bytes` (flat) or `max_varied_raw_bytes` (others)",
        ),
        Rejection(
            "frames",
            "header",
            "This animation has {value:,} frames; at most {limit:,} can be handled. Send one picture.",
            "more frames, brought or announced, than `max_frames`",
        ),
        Rejection(
            "scans",
            "header",
            "This photo is stored in {value:,} passes; at most {limit:,} can be handled. Save it anew.",
            "more JPEG scans than `max_scans`",
        ),
        Rejection(
            "progressive_pixels",
            "header",
            "This progressive JPEG has {value:,} pixels; at most {limit:,} can be handled that way."
            " Save it as a baseline JPEG.",
            "a progressive JPEG above `max_progressive_pixels`",
        ),
        Rejection(
            "scanned_pixels",
            "header",
            "This photo's pixels times its passes are {value:,}; at most {limit:,} can be handled."
            " Save it as a baseline JPEG.",
            "a JPEG's area times its scans above `max_scanned_pixels`",
        ),
        Rejection(
            "segments",
            "header",
            "This file is made of more than {limit:,} pieces; a photo is not. Save it anew.",
            "more segments, chunks or sub-blocks than `max_segments`",
        ),
        Rejection(
            "incomplete",
            "header",
            f"This photo is damaged or cut off: {{value}}. {_AGAIN}",
            "the container ends early, or contradicts itself",
        ),
        Rejection(
            "undecodable",
            "decode",
            f"This photo is damaged: it cannot be decoded to the end. {_AGAIN}",
            "a strict decode of the first picture fails",
        ),
        Rejection(
            "decode_memory",
            "decode",
            f"This picture needs more memory than {{limit:,}} bytes to decode. {_SMALLER}",
            "a decode asks for more than `worker_bytes`",
        ),
        Rejection(
            "decode_timeout",
            "decode",
            f"This photo took longer than {{limit:g}} s to decode, and was given up. {_SMALLER}",
            "a decode overran `decode_seconds` or `decode_cpu_seconds`; its worker was killed",
            transient=True,
        ),
        Rejection(
            "decode_crashed",
            "decode",
            f"The decoder broke down over this photo ({{value}}). {_LATER}",
            "the worker died; it was replaced",
            transient=True,
        ),
        Rejection(
            "busy",
            "decode",
            f"Too many photos are being decoded; this one waited {{limit:.0f}} s. {_LATER}",
            "no worker became free in time, or none could be started",
            transient=True,
        ),
        Rejection(
            "unsafe_output",
            "re-encode",
            f"The cleaned copy of this photo did not pass its own check ({{value}}). {_LATER}",
            "what came back from the worker is not the plain JPEG that was asked for",
            transient=True,
        ),
    )
}


def reject(
    code: str,
    *,
    limit: float | str | None = None,
    value: float | str | None = None,
    detected: str | None = None,
    **words: float | str,
) -> UploadRejected:
    """Return the error to raise for a code of `REJECTIONS`; ``words`` fill its sentence."""
    entry = REJECTIONS[code]
    sentence = entry.sentence.format(limit=limit, value=value, detected=detected, **words)
    return UploadRejected(
        code,
        sentence,
        layer=entry.layer,
        limit=limit,
        value=value,
        detected=detected,
        transient=entry.transient,
    )


def as_markdown() -> str:
    """Return the table of all codes for the documentation."""
    head = (
        "# Why a file is refused\n\nWritten by `python -m plantid_core.upload.rejection`; do not edit."
        " Limits in `code` are fields of `plantid_core.upload.Policy`.\nA *transient* refusal says"
        " nothing of the file: the same one may pass the next time.\n\n"
        "| gate | code | meaning | transient |\n|---|---|---|---|\n"
    )
    rows = sorted(REJECTIONS.values(), key=lambda entry: LAYERS.index(entry.layer))
    return head + "".join(
        f"| {entry.layer} | `{entry.code}` | {entry.meaning} | {'yes' if entry.transient else ''} |\n"
        for entry in rows
    )


if __name__ == "__main__":
    print(as_markdown(), end="")  # noqa: T201 - a command's output
