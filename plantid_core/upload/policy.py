"""Every limit of the upload chain, in one frozen value."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1024 * 1024

FORMAT_OF_EXTENSION = {"jpg": "JPEG", "jpeg": "JPEG", "png": "PNG", "webp": "WEBP", "gif": "GIF"}

EXECUTABLE_EXTENSIONS = frozenset(
    "asp aspx bat cgi cmd com cfm dll exe htaccess htm html hta jar js jsp jspx lnk mjs msi phar"  # noqa: SIM905 - a list to read, not an array to maintain
    " php php3 php4 php5 php7 php8 phps pht phtml pl ps1 py rb scr sh shtml svg svgz swf vbs war"
    " wasm xht xhtml xml".split()
)


@dataclass(frozen=True, slots=True)
class Policy:
    """Limits on a file, all read from its headers before any decode.

    Sizes in bytes, sides and areas in pixels. ``version`` goes into every cached verdict, so that
    changing a limit forgets the verdicts made under the old one.
    """

    version: int = 1
    max_bytes: int = 10 * MIB
    max_name_bytes: int = 255
    max_side: int = 10_000
    max_pixels: int = 89_000_000
    max_frames: int = 100
    max_scans: int = 100
    max_segments: int = 50_000
    max_progressive_pixels: int = 40_000_000
    max_scanned_pixels: int = 500_000_000
    output_side: int = 1500
    output_quality: int = 90
    keep_full: bool = False
