"""What a walk gathers, and the limits it is held to while it gathers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NoReturn

from plantid_core.upload.rejection import reject

if TYPE_CHECKING:
    from plantid_core.upload.policy import Policy

Gamut = Literal["display-p3", "adobe-rgb", "prophoto", "rec2020"]


@dataclass(frozen=True, slots=True)
class Embedded:
    """Something a file carries beside its picture, and how many bytes of it there are."""

    kind: str
    size: int


@dataclass(frozen=True, slots=True)
class Header:
    """The facts of one file, read without decoding a pixel.

    ``width`` and ``height`` are of the canvas as stored, before ``orientation`` (EXIF's 1…8) is
    applied; ``offset`` is where on it the first frame lies. ``gamut`` names a wide colour space
    whose primaries the profile has. ``trailing`` counts the bytes after the end marker. ``parts``
    are what a decoder needs: literal bytes, and (begin, end) of the file.
    """

    format: str
    width: int
    height: int
    frames: int
    scans: int
    segments: int
    orientation: int
    gamut: Gamut | None
    embedded: tuple[Embedded, ...]
    trailing: int
    offset: tuple[int, int]
    parts: tuple[tuple[int, int] | bytes, ...] = field(repr=False)

    @property
    def metadata(self) -> tuple[str, ...]:
        """Return the kinds of what is embedded."""
        return tuple(entry.kind for entry in self.embedded)

    def stripped(self, data: bytes) -> bytes:
        """Return the file with its first picture alone: nothing but what a decoder needs."""
        view = memoryview(data)
        return b"".join(
            part if isinstance(part, bytes) else view[part[0] : part[1]] for part in self.parts
        )


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
    gamut: Gamut | None = None
    progressive: bool = False
    offset: tuple[int, int] = (0, 0)
    sizes: dict[str, int] = field(default_factory=dict)
    parts: list[tuple[int, int] | bytes] = field(default_factory=list)

    def extent(self, width: int, height: int) -> None:
        """Take a canvas or the extent of a frame on it; the largest is the picture's."""
        most = self.policy.max_side
        for side in (width, height):
            if not 1 <= side <= most:
                raise reject("side", limit=most, value=side)
        if width * height > self.policy.max_pixels:
            raise reject("pixels", limit=self.policy.max_pixels, value=width * height)
        self.width, self.height = max(self.width, width), max(self.height, height)

    def unfolds(self, raw: int, packed: int, *, interlaced: bool) -> None:
        """Take the bytes that ``packed`` bytes of deflated picture data unfold to.

        Deflate codes a match of 258 bytes with the more bits the farther back it lies (RFC 1951,
        3.2.5), so that the ratio tells how varied the data can be. Interlaced rows are laid out
        seven times over.
        """
        policy = self.policy
        flat = not interlaced and raw >= packed * policy.min_flat_ratio
        limit = policy.max_raw_bytes if flat else policy.max_varied_raw_bytes
        if raw > limit:
            raise reject("raw_bytes", limit=limit, value=raw)

    def too_many_segments(self, count: int) -> NoReturn:
        """Raise the verdict on a flood; the walks count on their own, since they are held up by it."""
        raise reject("segments", limit=self.policy.max_segments, value=count)

    def frame(self) -> None:
        """Count a frame."""
        self.frames += 1
        self.promise_frames(self.frames)

    def promise_frames(self, count: int) -> None:
        """Take the number of frames that a file announces before it brings any."""
        if count > self.policy.max_frames:
            raise reject("frames", limit=self.policy.max_frames, value=count)

    def scan(self) -> None:
        """Count one JPEG scan, and what all of them together would cost to decode."""
        self.scans += 1
        policy, pixels = self.policy, self.width * self.height
        if self.scans > policy.max_scans:
            raise reject("scans", limit=policy.max_scans, value=self.scans)
        if self.progressive and pixels > policy.max_progressive_pixels:
            raise reject("progressive_pixels", limit=policy.max_progressive_pixels, value=pixels)
        if pixels * self.scans > policy.max_scanned_pixels:
            raise reject(
                "scanned_pixels", limit=policy.max_scanned_pixels, value=pixels * self.scans
            )

    def carries(self, kind: str, size: int) -> None:
        """Note ``size`` bytes of something that will be stripped."""
        self.sizes[kind] = self.sizes.get(kind, 0) + size

    def keep(self, begin: int, end: int) -> None:
        """Hand these bytes of the file to the decoder; runs that touch become one."""
        last = self.parts[-1] if self.parts else b""
        if isinstance(last, tuple) and last[1] == begin:
            self.parts[-1] = (last[0], end)
        else:
            self.parts.append((begin, end))

    def finish(self, trailing: int) -> Header:
        """Return the finished header; ``trailing`` bytes follow the end marker."""
        if not self.width or not self.frames:
            incomplete("it holds no picture")
        if trailing:
            self.carries("trailing data", trailing)
        return Header(
            self.format,
            self.width,
            self.height,
            self.frames,
            self.scans,
            self.segments,
            self.orientation,
            self.gamut,
            tuple(Embedded(kind, size) for kind, size in self.sizes.items()),
            trailing,
            self.offset,
            tuple(self.parts),
        )


def incomplete(why: str) -> NoReturn:
    """Raise the verdict on a file that stops early or contradicts itself."""
    raise reject("incomplete", value=why)
