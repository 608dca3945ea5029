"""Pictures with hard-to-get properties, written by hand: tiny files, huge pictures."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image

_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
# Four 8 x 8 blocks of middle grey in the standard Huffman tables (ITU-T T.81, K.3): for each, a
# difference of 0 and an end of block, 00 1010.
_FOUR_GREY_BLOCKS = b"\x28\xa2\x8a"


def quadrants(
    format_name: str = "JPEG", size: tuple[int, int] = (320, 240), **options: object
) -> bytes:
    """Return an honest picture: red, green above blue, white."""
    width, height = size
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: height // 2, : width // 2], pixels[: height // 2, width // 2 :] = RED, GREEN
    pixels[height // 2 :, : width // 2], pixels[height // 2 :, width // 2 :] = BLUE, WHITE
    return encode(Image.fromarray(pixels), format_name, **options)


def encode(image: Image.Image, format_name: str, **options: object) -> bytes:
    """Return the image as Pillow writes it."""
    buffer = io.BytesIO()
    image.save(buffer, format_name, **options)
    return buffer.getvalue()


def photo_like(width: int, height: int, seed: int = 7, grain: float = 9.0) -> Image.Image:
    """Return a picture that compresses like a photo: soft shapes, and a camera's grain."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (height // 64 + 2, width // 64 + 2, 3), dtype=np.uint8)
    soft = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    noise = rng.normal(0.0, grain, (height, width, 1)).astype(np.float32)
    return Image.fromarray((np.asarray(soft, np.float32) + noise).clip(0, 255).astype(np.uint8))


def flat_jpeg(width: int, height: int) -> bytes:
    """Return a whole baseline JPEG of one grey, of any size, without drawing it: 6 bits a block."""
    small = encode(Image.new("L", (8, 8), 128), "JPEG")
    at = small.index(b"\xff\xc0") + 5
    head = small[:at] + struct.pack(">HH", height, width) + small[at + 4 :]
    begin = head.index(b"\xff\xda")
    begin += 2 + struct.unpack_from(">H", head, begin + 2)[0]
    blocks = -(-width // 8) * -(-height // 8)
    return head[:begin] + _FOUR_GREY_BLOCKS * -(-blocks // 4) + b"\xff\xd9"


def many_scans(data: bytes, count: int) -> bytes:
    """Return a progressive JPEG whose last scan comes ``count`` times more."""
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + last * count + data[-2:]


def segment(code: int, body: bytes) -> bytes:
    """Return one JPEG segment."""
    return struct.pack(">BBH", 0xFF, code, len(body) + 2) + body


def chunk(kind: bytes, body: bytes) -> bytes:
    """Return one PNG chunk."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def with_chunk(data: bytes, kind: bytes, body: bytes) -> bytes:
    """Return the PNG with one more chunk after its first."""
    return data[:33] + chunk(kind, body) + data[33:]


def png(
    width: int,
    height: int,
    *,
    colour: int = 2,
    depth: int = 8,
    row_filter: int = 0,
    noise_period: int = 0,
    interlaced: bool = False,
) -> bytes:
    """Return a PNG of one repeated row; noise with the Paeth filter (4) is the slowest to decode."""
    rng = np.random.default_rng(1)
    packer, parts = zlib.compressobj(1 if noise_period else 6), []
    for columns, rows in _passes(width, height) if interlaced else [(width, height)]:
        size = (columns * _CHANNELS[colour] * depth + 7) // 8
        row = bytes(size)
        if noise_period:
            noise = rng.integers(0, 256, noise_period, dtype=np.uint8).tobytes()
            row = (noise * (size // noise_period + 1))[:size]
        line = bytes([row_filter]) + row
        parts += [packer.compress(line) for _ in range(rows if columns else 0)]
    parts.append(packer.flush())
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    palette = chunk(b"PLTE", bytes(768)) if colour == 3 else b""  # noqa: PLR2004 - PNG's number
    body = chunk(b"IHDR", header) + palette + chunk(b"IDAT", b"".join(parts)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def _passes(width: int, height: int) -> list[tuple[int, int]]:
    """Return columns and rows of Adam7's seven passes."""
    starts = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2))
    return [
        (-(-(width - x) // across), -(-(height - y) // down))
        for x, y, across, down in (*starts, (0, 1, 1, 2))
    ]


def gif_frame(left: int = 0, top: int = 0, width: int = 1, height: int = 1) -> bytes:
    """Return one GIF frame; its data hold a single pixel, whatever its size."""
    return b"\x2c" + struct.pack("<HHHHB", left, top, width, height, 0) + b"\x02\x02\x44\x01\x00"


def gif_head(width: int, height: int) -> bytes:
    """Return a GIF's logical screen with a palette of black and white."""
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    """Return a WebP of these chunks."""
    body = b"".join(
        kind + struct.pack("<I", len(data)) + data + bytes(len(data) & 1) for kind, data in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body
