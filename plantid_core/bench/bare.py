"""The least that a route can do with a photo: read the form, hash the photo, return the same bytes.

Run as ``python -m plantid_core.bench.bare PORT ANSWER``: it serves on 127.0.0.1, and prints a line once
it listens. The server's settings are the app's own (`web.application`), which no lower room may import.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.responses import Response
from starlette.routing import Route

if TYPE_CHECKING:
    import socket

    from starlette.requests import Request

PATH = "/read"


def application(answer: bytes) -> Starlette:
    """Return the application: one route."""

    async def read(request: Request) -> Response:
        async with request.form(max_files=10, max_fields=30) as form:
            for part in form.getlist("images"):
                if isinstance(part, UploadFile):
                    hashlib.sha256(await part.read()).hexdigest()
        return Response(answer, media_type="application/json")

    return Starlette(routes=[Route(PATH, read, methods=["POST"])])


class _Announcing(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            print("listening", flush=True)  # noqa: T201 - what the one who started it waits for


def main(port: int, answer: bytes) -> None:
    """Serve until SIGTERM."""
    config = uvicorn.Config(
        application(answer),
        host="127.0.0.1",
        port=port,
        log_level="warning",
        access_log=False,
        log_config=None,
        ws="websockets-sansio",
        timeout_graceful_shutdown=2,
        proxy_headers=False,
        server_header=False,
    )
    _Announcing(config).run()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]).read_bytes())
