"""Every limit of the upload chain, in one frozen value."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MIB = 1024 * 1024
# A picture this little above the output side is left as it is: to shrink it costs more time than
# its smaller size saves, and some sharpness.
OUTPUT_SLACK = 1.1

FORMAT_OF_EXTENSION = {"jpg": "JPEG", "jpeg": "JPEG", "png": "PNG", "webp": "WEBP", "gif": "GIF"}

EXECUTABLE_EXTENSIONS = frozenset(
    "asp aspx bat cgi cmd com cfm dll exe htaccess htm html hta jar js jsp jspx lnk mjs msi phar"  # noqa: SIM905 - a list to read, not an array to maintain
    " php php3 php4 php5 php7 php8 phps pht phtml pl ps1 py rb scr sh shtml svg svgz swf vbs war"
    " wasm xht xhtml xml".split()
)


def _limit(default: float, unit: str, why: str) -> int:
    # Typed as the field's own type, as dataclasses.field itself is.
    value: int = field(default=default, metadata={"unit": unit, "why": why})  # type: ignore[assignment]
    return value


@dataclass(frozen=True, slots=True)
class Policy:
    """Limits on a file, all read from its headers before any decode.

    `described` gives each with its unit and reason. ``version`` goes into every cached verdict, so
    that changing a limit forgets the verdicts made under the old one. Raises ValueError for a
    limit that is not positive.
    """

    version: int = _limit(
        2, "", "counts up when a limit changes, so that old verdicts are forgotten"
    )
    max_bytes: int = _limit(10 * MIB, "bytes", "what one upload may weigh")
    max_name_bytes: int = _limit(255, "bytes", "the longest name that file systems take, as UTF-8")
    max_side: int = _limit(10_000, "px", "the longer side of the canvas and of every frame")
    max_pixels: int = _limit(89_000_000, "px", "the area of the canvas and of every frame's extent")
    max_raw_bytes: int = _limit(
        360_000_000, "bytes", "what a PNG's data may unfold to, so that depth cannot multiply area"
    )
    max_varied_raw_bytes: int = _limit(
        150_000_000,
        "bytes",
        "the same for a PNG that is interlaced or varied, and so unfolds slowly",
    )
    min_flat_ratio: int = _limit(
        400,
        "to 1",
        "a PNG that shrank by this much repeats itself within some 40 bytes: it is flat",
    )
    max_frames: int = _limit(100, "frames", "of an animation, of which only the first is used")
    max_scans: int = _limit(100, "scans", "of a JPEG, each of which visits the whole picture")
    max_progressive_pixels: int = _limit(
        40_000_000,
        "px",
        "the area of a progressive JPEG, whose coefficients are all kept in memory",
    )
    max_scanned_pixels: int = _limit(
        500_000_000, "px", "a JPEG's area times its scans, so that neither can multiply the other"
    )
    max_segments: int = _limit(50_000, "steps", "segments, chunks and sub-blocks of the container")
    max_icc_bytes: int = _limit(
        65_536,
        "bytes",
        "the longest colour profile that is read for its primaries; all are stripped",
    )
    max_exif_entries: int = _limit(
        512, "entries", "of EXIF's first directory, read for the orientation"
    )
    output_side: int = _limit(
        1500, "px", "the longer side of the picture that is handed on, or up to a tenth more"
    )
    output_quality: int = _limit(90, "", "the JPEG quality of the picture that is handed on")
    decode_seconds: float = _limit(
        10.0,
        "s",
        "wall time of one decode, six times that where other programs have the processor; at its "
        "end the worker is killed",
    )
    decode_cpu_seconds: int = _limit(8, "s", "processor time of one decode (RLIMIT_CPU)")
    worker_bytes: int = _limit(1024 * MIB, "bytes", "address space of a worker (RLIMIT_AS)")
    keep_full: bool = field(
        default=False,
        metadata={"unit": "", "why": "whether the picture is handed on at full size as well"},
    )

    def __post_init__(self) -> None:
        for name, value, _, _ in self.described():
            if not isinstance(value, bool) and not value > 0:
                raise ValueError(f"{name} is {value}; a limit is above 0")

    def described(self) -> Iterator[tuple[str, int | float | bool, str, str]]:
        """Yield name, value, unit and reason of every limit, as the Upload lab shows them."""
        for entry in fields(self):
            meta = entry.metadata
            yield entry.name, getattr(self, entry.name), meta["unit"], meta["why"]
