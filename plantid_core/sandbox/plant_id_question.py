"""What a request to the emulated Plant.id asks, read as the service reads it."""

from __future__ import annotations

import base64
import datetime as dt
import re
from typing import TYPE_CHECKING

import orjson
from starlette.datastructures import UploadFile
from starlette.responses import PlainTextResponse

from plantid_core.sandbox.plant_id_records import now_iso

if TYPE_CHECKING:
    from starlette.requests import Request

_MOST_IMAGES = 5
_BAD_IMAGE = "Invalid base64 image data"
_COUNT = re.compile(r"[1-9][0-9]{0,5}")


class Refused(Exception):
    """A request that the service does not take; ``response`` is its answer, in plain text."""

    def __init__(self, status: int, text: str) -> None:
        self.response = PlainTextResponse(text, status)


def unreadable() -> Refused:
    """Return the refusal of bytes that are no picture."""
    return Refused(400, _BAD_IMAGE)


async def question(request: Request) -> tuple[dict[str, object], list[bytes]]:
    """Return the fields and the pictures of a JSON or multipart body; raises `Refused`."""
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        asked, images = await _form(request)
    else:
        asked = await json(request)
        images = [_decoded(image) for image in _listed(asked.get("images"))]
    if not images:
        raise Refused(400, "Missing image data")
    if len(images) > _MOST_IMAGES:
        raise Refused(400, f"Too many images: at most {_MOST_IMAGES}.")
    return asked, images


async def json(request: Request) -> dict[str, object]:
    """Return the body's JSON object; raises `Refused`."""
    try:
        body = orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        raise Refused(400, "Invalid json data") from None
    if not isinstance(body, dict):
        raise Refused(400, "Invalid json data")
    return body


def moment(value: object) -> str:
    """Return the time as it was sent, or now; raises `Refused`."""
    if value is None:
        return now_iso()
    try:
        dt.datetime.fromisoformat(str(value))
    except ValueError:
        raise Refused(400, "Invalid datetime.") from None
    if str(value).endswith("Z"):  # the service takes naive times alone
        raise Refused(400, "Invalid datetime.")
    return str(value)


def details(request: Request) -> list[str]:
    """Return the names of the details asked for."""
    return [name for name in request.query_params.get("details", "").split(",") if name]


def language(request: Request) -> str:
    """Return the first language asked for."""
    return request.query_params.get("language", "en").split(",")[0]


def limit(request: Request) -> int:
    """Return how many entries are asked for; raises `Refused`."""
    text = request.query_params.get("limit", "10")
    if not _COUNT.fullmatch(text):
        raise Refused(400, "Invalid limit.")
    return int(text)


async def _form(request: Request) -> tuple[dict[str, object], list[bytes]]:
    asked: dict[str, object] = {}
    images = []
    async with request.form() as form:
        for name, part in form.multi_items():
            if isinstance(part, UploadFile):
                images.append(await part.read())
            else:
                asked[name] = _typed(name, part)
    return asked, images


def _typed(name: str, text: str) -> object:
    try:
        if name in {"latitude", "longitude"}:
            return float(text)
        if name == "custom_id":
            return int(text)
    except ValueError:
        raise Refused(400, f"Invalid value of {name}.") from None
    return text.lower() == "true" if text.lower() in {"true", "false"} else text


def _listed(images: object) -> list[object]:
    return images if isinstance(images, list) else [images] if images else []


def _decoded(image: object) -> bytes:
    if not isinstance(image, str):
        raise unreadable()
    text = image.partition(",")[2] if image.startswith("data:") else image
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:  # binascii's error, or a character beyond ASCII
        raise unreadable() from None
