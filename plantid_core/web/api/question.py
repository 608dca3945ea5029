"""A multipart form, read once, as what is asked: photos, organs, place, day and language."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from typing import TYPE_CHECKING, cast

import orjson
from python_multipart.multipart import parse_options_header
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser

from plantid_core.plants import ORGANS, Place
from plantid_core.upload import Upload
from plantid_core.web.api import parameters
from plantid_core.web.api.hot import Asked
from plantid_core.web.api.parameters import Unfit

if TYPE_CHECKING:
    from starlette.datastructures import FormData
    from starlette.requests import Request

    from plantid_core.plants import Organ

FIELDS = ("images", "organs", "lat", "lon", "date", "language")
# A language and, maybe, a region or script, as browsers send it (RFC 5646, the common part).
LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}", re.ASCII)

_MOST_FILES, _MOST_FIELDS = 10, 30
_FORM = "multipart/form-data"


async def read(request: Request) -> Asked:
    """Return what is asked; raises `Unfit`, and `HTTPException` for what is no such form."""
    kind = request.headers.get("content-type", "")
    if kind.partition(";")[0].strip().lower() != _FORM:
        headers = {"Accept-Post": _FORM}
        raise HTTPException(415, "Send the photos as multipart/form-data.", headers)
    form = await _form(request)
    try:
        return await _asked(form)
    finally:
        await form.close()


class _Whole(MultiPartParser):
    """Reads a form to its end: one that breaks off would else lack its last photo unnoticed."""

    ended = False

    def on_end(self) -> None:
        """Note the last boundary."""
        self.ended = True

    async def parse(self) -> FormData:
        """Return the form; no file of it stays open where there is none."""
        try:
            form = await super().parse()
            if not self.ended:
                message = "The form breaks off: its last boundary is missing."
                raise MultiPartException(message)  # noqa: TRY301 - closes as any other does
        except BaseException:
            for file in self._files_to_close_on_error:
                file.close()
            raise
        return form


async def _form(request: Request) -> FormData:
    # Python knows text encodings that take a second for some kilobytes; a form's is this one.
    if _charset(request.headers["content-type"]).replace("_", "-") not in {
        "utf-8",
        "utf8",
        "us-ascii",
        "",
    }:
        raise HTTPException(400, "Send the form's texts as UTF-8.")
    parser = _Whole(
        request.headers, request.stream(), max_files=_MOST_FILES, max_fields=_MOST_FIELDS
    )
    try:
        return await parser.parse()
    except MultiPartException as error:
        raise HTTPException(400, error.message) from None


@lru_cache(maxsize=64)
def _charset(content_type: str) -> str:
    _, options = parse_options_header(content_type)
    return options.get(b"charset", b"").decode("latin-1").strip().lower()


def fingerprint(asked: Asked) -> str:
    """Return a digest of all that shapes the answer: the same for the same request, sent again."""
    place = asked.place
    parts = [
        [[hashlib.sha256(one.data).hexdigest(), one.filename] for one in asked.uploads],
        asked.organs,
        None if place is None else [place.latitude, place.longitude],
        asked.date,
        asked.language,
    ]
    return hashlib.sha256(orjson.dumps(parts)).hexdigest()


async def _asked(form: FormData) -> Asked:
    parameters.only(form, FIELDS, many=("images", "organs"))
    uploads = [await _upload(part) for part in form.getlist("images")]
    organs = [parameters.choice("organs", str(organ), ORGANS) for organ in form.getlist("organs")]
    day = parameters.one(form, "date")
    return Asked(
        uploads,
        cast("list[Organ]", organs),
        _place(form),
        None if day is None else parameters.day("date", day),
        _language(parameters.one(form, "language") or "en"),
    )


async def _upload(part: UploadFile | str) -> Upload:
    if not isinstance(part, UploadFile):
        raise Unfit("images", "files, each with its name", "text")
    return Upload(await part.read(), part.filename or "", part.content_type)


def _place(form: FormData) -> Place | None:
    given = [parameters.one(form, name) for name in ("lat", "lon")]
    if given == [None, None]:
        return None
    latitude, longitude = (one or "" for one in given)
    if not (latitude and longitude):
        raise Unfit(
            "lat and lon",
            "given both, or neither",
            f"{latitude or 'no lat'}, {longitude or 'no lon'}",
        )
    return Place(
        parameters.number("lat", latitude, -90, 90),
        parameters.number("lon", longitude, -180, 180),
    )


def _language(text: str) -> str:
    return parameters.matching("language", text, LANGUAGE, "a language's code like en or pt-BR")
