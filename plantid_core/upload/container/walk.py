"""The walk for a format by its name."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from plantid_core.upload.container import gif, jpeg, png, webp
from plantid_core.upload.container.header import Gathering, Header, incomplete

if TYPE_CHECKING:
    from plantid_core.upload.policy import Policy

_WALKS = {"JPEG": jpeg.walk, "PNG": png.walk, "GIF": gif.walk, "WEBP": webp.walk}


def walk(data: bytes, format_name: str, policy: Policy) -> Header:
    """Return the file's header facts; raises `UploadRejected` at the first limit passed.

    Linear in the file's size, in at most ``policy.max_segments`` steps; no pixel is decoded.
    """
    gathering = Gathering(policy, format_name)
    try:
        end = _WALKS[format_name](data, gathering)
    except (IndexError, struct.error):
        incomplete("it ends inside its own headers")
    return gathering.finish(len(data) - end)
