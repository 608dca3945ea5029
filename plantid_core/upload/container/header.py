"""What a walk gathers, and the limits it is held to while it gathers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

from plantid_core.errors import UploadRejected

if TYPE_CHECKING:
    from plantid_core.upload.policy import Policy


@dataclass(frozen=True, slots=True)
class Header:
    """The facts of one file. ``orientation`` is EXIF's 1…8, ``trailing`` bytes after the end marker."""

    format: str
    width: int
    height: int
    frames: int
    scans: int
    segments: int
    orientation: int
    metadata: tuple[str, ...]
    trailing: int
    dropped: tuple[tuple[int, int], ...] = ()

    def stripped(self, data: bytes) -> bytes:
        """Return the file without what the decoder has no need to parse, nor what trails it."""
        view = memoryview(data)[: len(data) - self.trailing]
        kept, at = [], 0
        for begin, end in self.dropped:
            kept.append(view[at:begin])
            at = end
        kept.append(view[at:])
        return b"".join(kept)


@dataclass(slots=True)
class Gathering:
    """A header in the making; every number is checked the moment it is read."""

    policy: Policy
    format: str
    width: int = 0
    height: int = 0
    frames: int = 0
    scans: int = 0
    segments: int = 0
    orientation: int = 1
    progressive: bool = False
    metadata: list[str] = field(default_factory=list)
    dropped: list[tuple[int, int]] = field(default_factory=list)

    def extent(self, width: int, height: int) -> None:
        """Take a canvas or a frame; the largest extent is the picture's."""
        self._bound("side", min(width, height), 1, below=True)
        self._bound("side", max(width, height), self.policy.max_side)
        self._bound("pixels", width * height, self.policy.max_pixels)
        self.width, self.height = max(self.width, width), max(self.height, height)

    def segment(self) -> None:
        """Count one segment, chunk or sub-block."""
        self.segments += 1
        self._bound("segments", self.segments, self.policy.max_segments)

    def frame(self, count: int = 1) -> None:
        """Count frames."""
        self.frames += count
        self._bound("frames", self.frames, self.policy.max_frames)

    def promise_frames(self, count: int) -> None:
        """Take the number of frames that a file announces before it brings any."""
        self._bound("frames", count, self.policy.max_frames)

    def scan(self) -> None:
        """Count one JPEG scan, and what all of them together would cost to decode."""
        self.scans += 1
        self._bound("scans", self.scans, self.policy.max_scans)
        if self.progressive:
            pixels = self.width * self.height
            self._bound("progressive_pixels", pixels, self.policy.max_progressive_pixels)
            self._bound("scanned_pixels", pixels * self.scans, self.policy.max_scanned_pixels)

    def carries(self, kind: str) -> None:
        """Note a kind of metadata that will be stripped."""
        if kind not in self.metadata:
            self.metadata.append(kind)

    def drop(self, begin: int, end: int) -> None:
        """Leave these bytes out of what the decoder is given."""
        self.dropped.append((begin, end))

    def _bound(self, code: str, value: int, limit: int, *, below: bool = False) -> None:
        if value < limit if below else value > limit:
            word = "at least" if below else "at most"
            raise UploadRejected(
                code,
                f"This picture's {code.replace('_', ' ')}: {value:,}; {word} {limit:,} can be"
                " handled. Send a smaller copy.",
                layer="header",
                limit=limit,
                value=value,
            )

    def finish(self, trailing: int) -> Header:
        """Return the finished header; ``trailing`` bytes follow the end marker."""
        if not self.width or not self.frames:
            incomplete("it holds no picture")
        if trailing:
            self.carries("trailing data")
        return Header(
            self.format,
            self.width,
            self.height,
            self.frames,
            self.scans,
            self.segments,
            self.orientation,
            tuple(self.metadata),
            trailing,
            tuple(self.dropped),
        )


def incomplete(why: str) -> NoReturn:
    """Raise the verdict on a file that stops early or contradicts itself."""
    message = f"This photo is damaged or cut off: {why}. Copy it again from the camera."
    raise UploadRejected("incomplete", message, layer="header", value=why)
