"""WebP straight from libwebp (its advanced decoding interface, ``webp/decode.h``).

Pillow decodes every WebP as an animation: four copies of the canvas, 1.4 GB at 89 megapixels. The
library itself scales while it decodes. It is the very one that Pillow brings; where it cannot be
found, `available` tells so.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
from pathlib import Path

import PIL
from PIL import Image

from plantid_core.upload.decode.raster import flatten
from plantid_core.upload.policy import OUTPUT_SLACK

_ABI_VERSION = 0x0209
_OK = 0
_MODE_RGBA = 1


class _Features(ctypes.Structure):
    _fields_ = (
        ("width", ctypes.c_int),
        ("height", ctypes.c_int),
        ("has_alpha", ctypes.c_int),
        ("has_animation", ctypes.c_int),
        ("format", ctypes.c_int),
        ("pad", ctypes.c_uint32 * 5),
    )


class _RGBABuffer(ctypes.Structure):
    _fields_ = (("rgba", ctypes.c_void_p), ("stride", ctypes.c_int), ("size", ctypes.c_size_t))


class _YUVABuffer(ctypes.Structure):
    _fields_ = (
        ("planes", ctypes.c_void_p * 4),
        ("strides", ctypes.c_int * 4),
        ("sizes", ctypes.c_size_t * 4),
    )


class _Pixels(ctypes.Union):
    _fields_ = (("rgba", _RGBABuffer), ("yuva", _YUVABuffer))


class _Output(ctypes.Structure):
    _fields_ = (
        ("colorspace", ctypes.c_int),
        ("width", ctypes.c_int),
        ("height", ctypes.c_int),
        ("is_external_memory", ctypes.c_int),
        ("u", _Pixels),
        ("pad", ctypes.c_uint32 * 4),
        ("private_memory", ctypes.c_void_p),
    )


class _Options(ctypes.Structure):
    _fields_ = (
        ("bypass_filtering", ctypes.c_int),
        ("no_fancy_upsampling", ctypes.c_int),
        ("use_cropping", ctypes.c_int),
        ("crop", ctypes.c_int * 4),
        ("use_scaling", ctypes.c_int),
        ("scaled_width", ctypes.c_int),
        ("scaled_height", ctypes.c_int),
        ("use_threads", ctypes.c_int),
        ("dithering_strength", ctypes.c_int),
        ("flip", ctypes.c_int),
        ("alpha_dithering_strength", ctypes.c_int),
        ("pad", ctypes.c_uint32 * 5),
    )


class _Config(ctypes.Structure):
    _fields_ = (("input", _Features), ("output", _Output), ("options", _Options))


def available() -> bool:
    """Tell whether libwebp was found, with an interface that we know."""
    return _library() is not None


def decode(
    stripped: bytes, canvas: tuple[int, int], offset: tuple[int, int], side: float
) -> Image.Image:
    """Return the picture as opaque RGB on a white canvas, its longer side at ``side`` or little above.

    ``canvas`` and ``offset`` are in pixels of the file. Raises ValueError where it is damaged.
    """
    library, config = _library(), _Config()
    if library is None or not library.WebPInitDecoderConfigInternal(
        ctypes.byref(config), _ABI_VERSION
    ):
        raise ValueError("libwebp is not to be had")
    if library.WebPGetFeaturesInternal(
        stripped, len(stripped), ctypes.byref(config.input), _ABI_VERSION
    ):
        raise ValueError("no WebP header")
    scale = side / max(canvas)
    if scale * OUTPUT_SLACK >= 1.0:
        scale = 1.0
    size = _scaled((config.input.width, config.input.height), scale)
    pixels = bytearray(4 * size[0] * size[1])
    _aim(config, pixels, size, scaled=scale < 1.0)
    if library.WebPDecode(stripped, len(stripped), ctypes.byref(config)) != _OK:
        raise ValueError("damaged WebP data")
    mode = "RGBA" if config.input.has_alpha else "RGBX"
    picture = flatten(Image.frombuffer(mode, size, pixels, "raw", mode, 0, 1))
    whole = _scaled(canvas, scale)
    if whole == picture.size:
        return picture
    paper = Image.new("RGB", whole, "white")
    paper.paste(picture, (round(offset[0] * scale), round(offset[1] * scale)))
    return paper


def _scaled(size: tuple[int, int], scale: float) -> tuple[int, int]:
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _aim(config: _Config, pixels: bytearray, size: tuple[int, int], *, scaled: bool) -> None:
    config.output.colorspace = _MODE_RGBA
    config.output.is_external_memory = 1
    config.output.u.rgba.rgba = ctypes.addressof(ctypes.c_char.from_buffer(pixels))
    config.output.u.rgba.stride = 4 * size[0]
    config.output.u.rgba.size = len(pixels)
    if scaled:
        config.options.use_scaling = 1
        config.options.scaled_width, config.options.scaled_height = size


@functools.cache
def _library() -> ctypes.CDLL | None:
    path = _path()
    if path is None:
        return None
    try:
        library = ctypes.CDLL(path)
        known = library.WebPInitDecoderConfigInternal(ctypes.byref(_Config()), _ABI_VERSION)
    except (OSError, AttributeError):
        return None
    return library if known else None


def _path() -> str | None:
    package = Path(PIL.__file__).parent
    for folder, pattern in (
        (package.parent / "pillow.libs", "libwebp-*.so*"),
        (package / ".dylibs", "libwebp.*.dylib"),
    ):
        if found := sorted(folder.glob(pattern)):
            return str(found[0])
    return ctypes.util.find_library("webp")
