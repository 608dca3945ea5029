"""Honest pictures that carry something, or that naive cleaning would spoil."""

from __future__ import annotations

import io
import zipfile

import numpy as np
from PIL import ExifTags, Image

from plantid_core.lab.attacks.attack import MARK, Attack
from plantid_core.lab.attacks.comment import gif_commented
from plantid_core.lab.pictures import encode, quadrants, with_chunk

_SCRIPT = b"<?php // " + MARK + b" ?><script>/*" + MARK + b"*/</script>"


def _exif(**tags: object) -> Image.Exif:
    exif = Image.Exif()
    for name, value in tags.items():
        exif[ExifTags.Base[name]] = value
    return exif


def _located() -> bytes:
    exif = _exif(ImageDescription="PAYLOAD", Make="PAYLOAD camera")
    exif[ExifTags.IFD.GPSInfo] = {
        ExifTags.GPS.GPSLatitudeRef: "N",
        ExifTags.GPS.GPSLatitude: (48.0, 12.0, 30.0),
        ExifTags.GPS.GPSLongitudeRef: "E",
        ExifTags.GPS.GPSLongitude: (16.0, 22.0, 0.0),
    }
    return quadrants(exif=exif)


def _turned() -> bytes:
    picture = Image.open(io.BytesIO(quadrants("PNG"))).transpose(Image.Transpose.ROTATE_90)
    return encode(picture, "JPEG", exif=_exif(Orientation=6), quality=95)


def _hidden() -> bytes:
    pixels = np.zeros((240, 320, 4), np.uint8)
    pixels[..., 0] = pixels[..., 3] = 255
    pixels[60:180, 80:240, 3] = 0
    return encode(Image.fromarray(pixels), "PNG")


def _grey16() -> bytes:
    ramp = np.linspace(20_000, 32_000, 320, dtype=np.uint16)
    return encode(Image.fromarray(np.tile(ramp, (240, 1))), "PNG")


def _archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("index.php", _SCRIPT)
    return buffer.getvalue()


# The head of a photo, up to the first length of a table that never comes.
_CUT_TABLE = b"\xff\xd8\xff\xe0\x00\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0\xff\xdb\0\x43"

STOWAWAYS = (
    Attack(
        "comment",
        "Embedded scripts",
        "A JPEG with PHP and JavaScript in its comment",
        "Many converters copy the comment into the clean file.",
        "accept",
        "leaf.jpg",
        lambda: quadrants(comment=_SCRIPT),
    ),
    Attack(
        "gif-script-comment",
        "Embedded scripts",
        "A GIF with PHP and JavaScript in its comment",
        "The same by another door: converted to a JPEG, the comment comes along.",
        "accept",
        "leaf.gif",
        lambda: gif_commented(quadrants("GIF"), _SCRIPT),
    ),
    Attack(
        "exif-script",
        "Embedded scripts",
        "PHP in EXIF",
        "A script in the description of the photo.",
        "accept",
        "leaf.jpg",
        lambda: quadrants(exif=_exif(ImageDescription=_SCRIPT.decode())),
    ),
    Attack(
        "place",
        "Embedded scripts",
        "A photo that tells where it was taken",
        "No attack: the sender's garden, to the metre.",
        "accept",
        "garden.jpg",
        _located,
    ),
    Attack(
        "png-text",
        "Embedded scripts",
        "A script in a PNG's text",
        "A chunk that no picture needs.",
        "accept",
        "leaf.png",
        lambda: with_chunk(quadrants("PNG"), b"tEXt", b"Comment\0" + _SCRIPT),
    ),
    Attack(
        "tail-zip",
        "Embedded scripts",
        "A photo with an archive behind it",
        "Behind the end marker a decoder looks at nothing, and a web server may look at everything.",
        "accept",
        "leaf.jpg",
        lambda: quadrants() + _archive(),
    ),
    Attack(
        "tail-html",
        "Embedded scripts",
        "A GIF with a page behind it",
        "The same with HTML.",
        "accept",
        "leaf.gif",
        lambda: quadrants("GIF") + b"<html>" + _SCRIPT,
    ),
    Attack(
        "half-jpeg",
        "Truncation",
        "Half a JPEG",
        "Its header is whole, and so the library's own check passes.",
        "reject",
        "leaf.jpg",
        lambda: quadrants()[: len(quadrants()) // 2],
    ),
    Attack(
        "cut-table",
        "Truncation",
        "The first 24 bytes of a JPEG",
        "Often given as the smallest valid JPEG; it ends inside a table, and holds no picture.",
        "reject",
        "valid.jpg",
        lambda: _CUT_TABLE,
    ),
    Attack(
        "turned",
        "Orientation",
        "A photo on its side, with a note to turn it",
        "Cleaning that drops the note leaves the plant lying down.",
        "accept",
        "leaf.jpg",
        _turned,
    ),
    Attack(
        "hidden-red",
        "Hidden pixels",
        "Red under full transparency",
        "Cleaning that drops the transparency shows what nobody was meant to see.",
        "accept",
        "leaf.png",
        _hidden,
    ),
    Attack(
        "grey-16",
        "16-bit grey",
        "A scan in 16 bits",
        "Converted carelessly, all of it turns white.",
        "accept",
        "scan.png",
        _grey16,
    ),
)
