"""What a request to the emulated Pl@ntNet asks, read as the service reads it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import requests
from anyio.to_thread import run_sync
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request
    from starlette.responses import Response

_ORGANS = {"leaf", "flower", "fruit", "bark", "auto", "habit", "other"}
_MOST_IMAGES = 5
_MOST_BYTES = 50 * 1024 * 1024
_MOST_URL = 8000
_PART = 64 * 1024
_COUNT = re.compile(r"[1-9][0-9]{0,5}")
# Only this machine: an emulator must not be a way to reach anything else. The slash ends the
# authority, so that nothing after it can name another host.
_LOOPBACK = re.compile(r"http://(?:127\.0\.0\.1|localhost):[0-9]{1,5}/")


def fault(
    status: int, error: str, message: str, headers: dict[str, str] | None = None
) -> JSONResponse:
    """Return an error in the service's form."""
    return JSONResponse(
        {"statusCode": status, "error": error, "message": message}, status, headers=headers
    )


def unfit(request: Request, organs: list[str], count: int) -> Response | None:
    """Return the answer that refuses these organs or options, if they do not fit."""
    most = request.query_params.get("nb-results", "10")
    if not _COUNT.fullmatch(most):
        return fault(400, "Bad Request", "nb-results must be a number of at least 1")
    if organs and len(organs) != count:
        return fault(400, "Bad Request", "Number of organs differs from number of images")
    if any(organ not in _ORGANS for organ in organs):
        return fault(400, "Bad Request", "Unknown organ")
    return None


async def posted(request: Request) -> tuple[list[bytes], list[str], Response | None]:
    """Return the pictures and organs of a POST, or the answer that refuses it."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        return [], [], fault(415, "Unsupported Media Type", "multipart/form-data expected")
    if int(request.headers.get("content-length", 0)) > _MOST_BYTES:
        return [], [], fault(413, "Payload Too Large", "More than 50 MB")
    try:
        async with request.form() as form:
            images = [
                await part.read() for part in form.getlist("images") if isinstance(part, UploadFile)
            ]
            organs = [part for part in form.getlist("organs") if isinstance(part, str)]
    except HTTPException as error:  # a body that is no multipart form
        return [], [], fault(400, "Bad Request", error.detail)
    organs = organs or request.query_params.getlist("organs")
    if not 1 <= len(images) <= _MOST_IMAGES:
        return [], [], fault(400, "Bad Request", f"1 to {_MOST_IMAGES} images expected")
    if not all(image.startswith((b"\xff\xd8\xff", b"\x89PNG")) for image in images):
        return [], [], fault(415, "Unsupported Media Type", "JPEG or PNG expected")
    return images, organs, None


async def linked(request: Request) -> tuple[list[bytes], list[str], Response | None]:
    """Return the pictures and organs of a GET, or the answer that refuses it."""
    if len(str(request.url)) > _MOST_URL:
        return [], [], fault(414, "URI Too Long", "The address is too long")
    addresses = request.query_params.getlist("images")
    if not 1 <= len(addresses) <= _MOST_IMAGES:
        return [], [], fault(400, "Bad Request", f"1 to {_MOST_IMAGES} images expected")
    try:
        images = [await run_sync(_download, address) for address in addresses]
    except (requests.RequestException, ValueError):
        return [], [], fault(400, "Bad Request", "An image could not be downloaded")
    return images, request.query_params.getlist("organs"), None


def _download(address: str) -> bytes:
    if not _LOOPBACK.match(address):
        raise ValueError("the sandbox downloads from loopback alone")
    with requests.Session() as session:
        session.trust_env = False
        with session.get(address, timeout=5, stream=True, allow_redirects=False) as response:
            response.raise_for_status()
            return b"".join(_bounded(response))


def _bounded(response: requests.Response) -> Iterator[bytes]:
    left = _MOST_BYTES
    for part in response.iter_content(_PART):
        left -= len(part)
        if left < 0:
            raise ValueError("more than 50 MB")
        yield part


def flag(request: Request, name: str) -> bool:
    """Return an option of the query, false where it is not given."""
    return request.query_params.get(name, "false").lower() == "true"
