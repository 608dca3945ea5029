"""The examples of docs/api.md, sent as they stand there."""

from __future__ import annotations

import io
import re
import shlex
import string
from pathlib import Path
from typing import TYPE_CHECKING

import requests
from PIL import Image

from plantid_core.web import api
from plantid_core.web.api.answering import Service

if TYPE_CHECKING:
    from rest import Rest

    from plantid_core import Workbench

PAGE = (Path(__file__).parents[3] / "docs" / "api.md").read_text(encoding="utf-8")
EXAMPLES = [
    (command, int(status))
    for command, status in re.findall(r"^\$ (curl .*?) *# (\d{3})$", PAGE, re.MULTILINE)
]


def sent(command: str, known: dict[str, str], files: dict[str, bytes]) -> requests.Response:
    """Send what curl would; an option that is not known here fails."""
    _, *words = shlex.split(string.Template(command).substitute(known))
    method, url, headers, body = "GET", "", {}, None
    parts: list[tuple[str, object]] = []
    rest = iter(words)
    for word in rest:
        if word == "-H":
            name, value = next(rest).split(": ", 1)
            headers[name] = value
        elif word == "-X":
            method = next(rest)
        elif word == "-d":
            method, body = "POST", next(rest)
        elif word == "-F":
            name, value = next(rest).split("=", 1)
            file = value.removeprefix("@")
            parts.append((name, (file, files[file]) if value.startswith("@") else (None, value)))
            method = "POST"
        elif word == "-o":
            next(rest)
        else:
            assert word.startswith("http"), word
            url = word
    return requests.request(
        method, url, headers=headers, data=body, files=parts or None, timeout=60
    )


def test_every_example_is_answered_as_it_says(production: Rest, flower: bytes) -> None:
    """One after the other, with a token that may do all of it."""
    leaf = io.BytesIO()
    Image.new("RGB", (64, 64), "green").save(leaf, "JPEG")
    files = {"flower.jpg": flower, "leaf.jpg": leaf.getvalue()}
    token = production.person("reader of the page", admin=True).headers["Authorization"]
    known = {"PLANTID": production.url, "AUTH": f"Authorization: {token}"}

    for command, status in EXAMPLES:
        response = sent(command, known, files)

        assert response.status_code == status, f"{command}: {response.text}"
        known |= learned(response)
    assert len(EXAMPLES) > len(api.entries(Service(nothing)))


def learned(response: requests.Response) -> dict[str, str]:
    """Return what a reader would take from an answer into the next request."""
    if response.headers.get("content-type") != "application/json":
        return {}
    told = response.json()
    if not isinstance(told, dict):
        return {}
    found = {"AFTER": told.get("after"), "ID": told.get("id") if "photos" in told else None}
    for photo in told.get("photos", ()):
        found |= {"PHOTO": photo["sha256"], "LINK": photo.get("link")}
    return {name: value for name, value in found.items() if value is not None}


def test_every_route_has_its_example() -> None:
    """A new one is shown, or fails here."""
    examples = [
        ("DELETE" if "-X DELETE" in line else "POST" if re.search("-[dF] ", line) else "GET", line)
        for line, _ in EXAMPLES
    ]
    missing = [
        entry
        for entry in api.entries(Service(nothing))
        if not any(
            method == entry.method and re.search(shape(entry.path), line)
            for method, line in examples
        )
    ]

    assert missing == []


def shape(path: str) -> str:
    return r"\$PLANTID" + re.sub(r"\{\w+\}", r"[\\w$]+", path) + r'["?]'


def nothing() -> Workbench:
    raise AssertionError("no route is answered here")
