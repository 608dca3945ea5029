"""Both services on one port of loopback."""

from __future__ import annotations

import os
import socket
import sys
import tempfile
import threading
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import uvicorn
from pydantic import TypeAdapter, ValidationError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from plantid_core.errors import ConfigurationError
from plantid_core.sandbox.faults import FaultBoard, Faults
from plantid_core.sandbox.ledger import DEFAULT_QUOTA, Ledger
from plantid_core.sandbox.oracle import Oracle
from plantid_core.sandbox.plant_id import MOST_PIXELS as PLANT_ID_PIXELS
from plantid_core.sandbox.plant_id import PlantIdService
from plantid_core.sandbox.plantnet import PlantNetService
from plantid_core.sandbox.weather import Weather

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request
    from starlette.types import ASGIApp

HOST = "127.0.0.1"

_FAULTS: TypeAdapter[Faults | list[Faults]] = TypeAdapter(Faults | list[Faults])
_MEDIA_PARTS = 200


@dataclass(slots=True)
class Sandbox:
    """The parts of one sandbox; ``port`` is known once it listens."""

    board: FaultBoard
    ledger: Ledger
    cache_dir: Path
    port: int = 0
    quotas: dict[str, int | None] = field(init=False)

    def __post_init__(self) -> None:
        self.quotas = dict(self.ledger.quotas)

    def url(self) -> str:
        """Return the base address of both services."""
        return f"http://{HOST}:{self.port}"

    def app(self) -> ASGIApp:
        """Return the ASGI application, with its weather outermost."""
        plant_id_eye = Oracle("lite1", self.cache_dir, most_pixels=PLANT_ID_PIXELS)
        plantnet_eye = Oracle("lite0", self.cache_dir)
        plant_id = PlantIdService(plant_id_eye, self.ledger, self.url)
        plantnet = PlantNetService(plantnet_eye, self.ledger, self.url)

        @asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncIterator[None]:
            # The models load beside the first requests, so that the port answers at once.
            for eye in (plant_id_eye, plantnet_eye):
                threading.Thread(target=eye.load, daemon=True).start()
            yield

        routes = [
            Route("/_faults", self._set_faults, methods=["POST"]),
            Route("/_faults", self._show_faults, methods=["GET"]),
            Route("/_stats", self._stats, methods=["GET"]),
            Route("/_stats", self._forget, methods=["DELETE"]),
            Route("/_media/{name:path}", _media),
            Mount("/api/v3", routes=plant_id.routes()),
            Mount("/v3", routes=plant_id.routes()),
            Mount("/v2", routes=plantnet.routes()),
        ]
        cors = Middleware(
            CORSMiddleware, allow_origins=["*"], allow_methods=["*"], allow_headers=["*"]
        )
        inner = Starlette(routes=routes, middleware=[cors], lifespan=lifespan)
        return Weather(inner, self.board, self.ledger)

    def put(self, faults: Faults) -> None:
        """Replace a service's faults; without a quota among them, its own quota holds again."""
        self.board.put(faults)
        own = self.quotas[faults.service]
        self.ledger.quotas[faults.service] = own if faults.quota is None else faults.quota

    async def _set_faults(self, request: Request) -> Response:
        try:
            given = parse_faults(await request.body())
        except ConfigurationError as error:
            return JSONResponse({"faults": error.faults}, 422)
        for faults in given:
            self.put(faults)
        return JSONResponse([faults.model_dump() for faults in given])

    async def _show_faults(self, request: Request) -> Response:
        del request
        return JSONResponse(
            [self.board.faults("plant_id").model_dump(), self.board.faults("plantnet").model_dump()]
        )

    async def _stats(self, request: Request) -> Response:
        del request
        busy = {"in_flight": self.ledger.in_flight(), "abandoned": self.ledger.abandoned()}
        return JSONResponse({**self.ledger.calls(), **busy})

    async def _forget(self, request: Request) -> Response:
        del request
        self.ledger.reset()
        return JSONResponse({})


def parse_faults(body: bytes) -> list[Faults]:
    """Return the faults in a JSON object or list; raises `ConfigurationError` naming each field."""
    try:
        parsed = _FAULTS.validate_json(body)
    except ValidationError as error:
        raise ConfigurationError(
            [
                f"{'.'.join(map(str, fault['loc'])) or 'body'}: {fault['msg']}"
                for fault in error.errors()
            ]
        ) from None
    return parsed if isinstance(parsed, list) else [parsed]


def run(
    *,
    port: int = 0,
    faults: Path | None = None,
    quota: int | None = None,
    cache_dir: Path,
    ready_file: Path | None = None,
    seed: int | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM; prints one JSON line with the address when it listens.

    ``quota``: requests a day for each service (500, the free plan, where not given); ``seed`` makes
    the faults' dice repeatable. Raises `ConfigurationError` for a faults file that cannot be used, and for
    a port that is taken.
    """
    daily = DEFAULT_QUOTA if quota is None else quota
    ledger = Ledger({"plant_id": None if quota is None else quota, "plantnet": daily})
    sandbox = Sandbox(FaultBoard(seed), ledger, cache_dir)
    for given in parse_faults(faults.read_bytes()) if faults else []:
        sandbox.put(given)
    with _listen(port, _former_port(ready_file)) as listener:
        sandbox.port = listener.getsockname()[1]
        _announce(sandbox.url(), ready_file)
        config = uvicorn.Config(
            sandbox.app(), log_level="critical", access_log=False, timeout_graceful_shutdown=1
        )
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listener])


def _listen(asked: int, former: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        _bind(listener, asked, former)
        listener.listen(512)
    except BaseException:
        listener.close()
        raise
    return listener


def _bind(listener: socket.socket, asked: int, former: int) -> None:
    try:
        listener.bind((HOST, asked or former))
    except OSError as error:
        # A port asked for by name is the one its clients know; a former one is only a courtesy.
        if asked:
            raise ConfigurationError([f"Port {asked} of {HOST} is taken."]) from error
        listener.bind((HOST, 0))


def _former_port(ready_file: Path | None) -> int:
    """Return the port a former sandbox of this directory had: who knows it still asks there."""
    try:
        return int(orjson.loads(ready_file.read_bytes())["port"]) if ready_file else 0
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def _announce(url: str, ready_file: Path | None) -> None:
    address = {"url": url, "port": int(url.rpartition(":")[2]), "plant_id": url, "plantnet": url}
    line = orjson.dumps(address)
    if ready_file is not None:
        handle, name = tempfile.mkstemp(dir=ready_file.absolute().parent)
        with os.fdopen(handle, "wb") as file:
            file.write(line)
        Path(name).replace(ready_file)
    sys.stdout.write(line.decode() + "\n")
    sys.stdout.flush()


async def _media(request: Request) -> Response:
    name = escape(Path(request.path_params["name"]).stem.replace("-", " ")[:_MEDIA_PARTS])
    drawing = (
        '<svg xmlns="http://www.w3.org/2000/svg" width="320" height="240" viewBox="0 0 320 240">'
        '<rect width="320" height="240" fill="#eef3ea"/>'
        '<path d="M160 190C90 150 100 70 160 40c60 30 70 110 0 150zm0 0V80" fill="#b9d3ae"'
        ' stroke="#6b8f5e" stroke-width="3"/>'
        f'<text x="160" y="222" text-anchor="middle" font-family="sans-serif" font-size="16"'
        f' font-style="italic" fill="#333">{name}</text>'
        '<text x="160" y="24" text-anchor="middle" font-family="sans-serif" font-size="14"'
        ' fill="#a33">SANDBOX</text></svg>'
    )
    return Response(drawing, media_type="image/svg+xml")
