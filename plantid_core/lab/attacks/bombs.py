"""Small files that cost much: area, frames, scans, segments, metadata."""

from __future__ import annotations

import struct

from PIL import Image

from plantid_core.lab.attacks.attack import MARK, Attack
from plantid_core.lab.attacks.black import black_png, deflated_zeros
from plantid_core.lab.attacks.comment import gif_commented
from plantid_core.lab.pictures import (
    chunk,
    encode,
    flat_jpeg,
    gif_frame,
    gif_head,
    many_scans,
    quadrants,
    riff,
    segment,
    with_chunk,
)
from plantid_core.upload.policy import MIB


def _webp_canvas() -> bytes:
    flags = struct.pack("<I", 0x02) + (16383).to_bytes(3, "little") * 2
    still = encode(Image.new("RGB", (1, 1)), "WEBP", lossless=True)
    frame = bytes(6) + bytes(6) + bytes(3) + b"\0" + still[12:]
    return riff((b"VP8X", flags), (b"ANIM", bytes(6)), (b"ANMF", frame))


def _progressive(side: int) -> bytes:
    return encode(Image.new("RGB", (side, side), "white"), "JPEG", progressive=True)


BOMBS = (
    Attack(
        "too-large",
        "Decompression bomb",
        "20 MB",
        "Simply more than is allowed.",
        "reject",
        "big.jpg",
        lambda: quadrants() + bytes(20 * MIB),
    ),
    Attack(
        "jpeg-132-mpx",
        "Decompression bomb",
        "A 1.5 MB JPEG of 132 megapixels",
        "Decoded, it takes a hundred times its size; it is complete, and no decoder objects.",
        "reject",
        "field.jpg",
        lambda: flat_jpeg(11_489, 11_489),
    ),
    Attack(
        "png-99-mpx",
        "Decompression bomb",
        "A 290 kB PNG of 99.8 megapixels",
        "Each side is allowed, their product is not; the image library only warns.",
        "reject",
        "field.png",
        lambda: black_png(9_990, 9_990),
    ),
    Attack(
        "png-30k",
        "Decompression bomb",
        "A PNG of 30,000 x 30,000 px in one bit",
        "900 megapixels in a hundred kilobytes.",
        "reject",
        "field.png",
        lambda: black_png(30_000, 30_000, colour=0, depth=1),
    ),
    Attack(
        "png-deep",
        "Decompression bomb",
        "89 megapixels, four channels, 16 bits, interlaced",
        "Inside every limit of area; its depth makes it eight times as heavy.",
        "reject",
        "deep.png",
        lambda: black_png(10_000, 8_900, colour=6, depth=16, interlaced=True),
    ),
    Attack(
        "webp-canvas",
        "Decompression bomb",
        "A WebP of one pixel on a canvas of 268 megapixels",
        "The canvas is what a decoder allocates.",
        "reject",
        "dot.webp",
        _webp_canvas,
    ),
    Attack(
        "gif-extent",
        "Frame bomb",
        "A GIF whose frame is larger than its screen",
        "A small screen, and a frame of 65,535 px beside it.",
        "reject",
        "dot.gif",
        lambda: gif_head(16, 16) + gif_frame(width=65_535, height=65_535) + b";",
    ),
    Attack(
        "gif-30000",
        "Frame bomb",
        "A GIF of 30,000 frames",
        "Each is a single pixel; an application that visits all of them is busy for long.",
        "reject",
        "dance.gif",
        lambda: gif_head(1, 1) + gif_frame() * 30_000 + b";",
    ),
    Attack(
        "apng-count",
        "Frame bomb",
        "A PNG that announces two thousand million frames",
        "The number alone makes some decoders allocate.",
        "reject",
        "dance.png",
        lambda: with_chunk(quadrants("PNG"), b"acTL", struct.pack(">II", 2**31 - 1, 0)),
    ),
    Attack(
        "scans-2000",
        "Scan bomb",
        "A 40 kB progressive JPEG of 2,000 scans",
        "Each scan visits every block of the picture once more.",
        "reject",
        "slow.jpg",
        lambda: many_scans(_progressive(1500), 2000),
    ),
    Attack(
        "scans-89-mpx",
        "Scan bomb",
        "A progressive JPEG of 81 megapixels",
        "Its coefficients must all be held in memory: half a gigabyte.",
        "reject",
        "slow.jpg",
        lambda: many_scans(_progressive(1000), 90).replace(
            struct.pack(">HH", 1000, 1000), struct.pack(">HH", 9000, 9000), 1
        ),
    ),
    Attack(
        "segments-700000",
        "Segment flood",
        "700,000 empty segments",
        "Four bytes each; a parser in Python takes seconds over them.",
        "reject",
        "flood.jpg",
        lambda: quadrants()[:2] + segment(0xFE, b"") * 700_000 + quadrants()[2:],
    ),
    Attack(
        "chunks-120000",
        "Segment flood",
        "120,000 empty PNG chunks",
        "The same for PNG.",
        "reject",
        "flood.png",
        lambda: quadrants("PNG")[:33] + chunk(b"quCK", b"") * 120_000 + quadrants("PNG")[33:],
    ),
    Attack(
        "sub-blocks-600000",
        "Segment flood",
        "600,000 sub-blocks of one byte",
        "A GIF comment, cut as fine as it can be.",
        "reject",
        "flood.gif",
        lambda: gif_head(1, 1) + b"\x21\xfe" + b"\x01x" * 600_000 + b"\0" + gif_frame() + b";",
    ),
    Attack(
        "ff-fill",
        "Segment flood",
        "10 MB of fill bytes",
        "Any number of FF bytes may stand before a marker; one search for each takes seconds.",
        "reject",
        "fill.jpg",
        lambda: quadrants()[:-2] + b"\xff" * 10_000_000,
    ),
    Attack(
        "ff-stuffing",
        "Segment flood",
        "10 MB of stuffed FF bytes",
        "Every second byte may begin a marker, and none does.",
        "reject",
        "stuffed.jpg",
        lambda: quadrants()[:-2] + b"\xff\x00" * 5_000_000,
    ),
    Attack(
        "text-bomb",
        "Metadata bomb",
        "A PNG whose text inflates to 200 MB",
        "Nobody needs the text: it is never inflated, and the picture is fine.",
        "accept",
        "note.png",
        lambda: with_chunk(quadrants("PNG"), b"zTXt", b"note\0\0" + deflated_zeros(200_000_000)),
    ),
    Attack(
        "gif-comment",
        "Metadata bomb",
        "A GIF with a comment of 600 kB",
        "Copied into a JPEG's comment, which holds 64 kB at most, it breaks the writer.",
        "accept",
        "note.gif",
        lambda: gif_commented(quadrants("GIF"), (MARK + b" ") * 75_000),
    ),
)
