"""One workbench a process, and the server around the app."""

from __future__ import annotations

import functools
import gc
import importlib.util
import os
import threading
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, cast

import streamlit as st
import structlog
import uvicorn
from starlette.concurrency import run_in_threadpool
from streamlit.runtime.pages_manager import PagesManager

from plantid_core.errors import (
    ConfigurationError,
    PermissionDenied,
    PlantIDError,
    SignInRequired,
)
from plantid_core.settings import Settings, load_settings
from plantid_core.telemetry import spans
from plantid_core.web import api, guards, logs, metrics
from plantid_core.web.connection import Connection, doors
from plantid_core.web.guards.sharing import shared
from plantid_core.web.guards.throttles import Throttles
from plantid_core.workbench import Workbench, open_workbench

if TYPE_CHECKING:
    import asyncio
    import socket
    from collections.abc import AsyncIterator
    from types import FrameType

    from starlette.middleware import Middleware
    from starlette.routing import BaseRoute
    from starlette.types import ASGIApp
    from streamlit.starlette import App

# A page's forms are small (its files come by HTTP), and so are a browser's headers.
_MOST_MESSAGE_BYTES = 4 * 1024 * 1024
_MOST_HEADER_BYTES = 64 * 1024

_OPENING = threading.Lock()
_open: list[Workbench] = []


def workbench() -> Workbench:
    """Return this process's workbench, opened when it is first asked for."""
    try:
        return _open[0]  # every request asks, some of them on the loop
    except IndexError:
        pass
    with _OPENING:
        if not _open:
            _open.append(open_workbench())
        return _open[0]


def settings_or_exit() -> Settings:
    """Return the settings in force; a fault of theirs ends the process with a sentence."""
    try:
        return load_settings()
    except PlantIDError as error:
        raise SystemExit(str(error)) from None


def close_workbench() -> None:
    """Close this process's workbench, if there is one."""
    with _OPENING:
        while _open:
            _open.pop().close()


@functools.cache
def routes() -> list[BaseRoute]:
    """Return our routes beside the pages, the same ones each time."""
    return [*metrics.routes(workbench), *api.routes(workbench)]


@functools.cache
def throttles() -> Throttles:
    """Return how often one may ask this process, and who asked how often."""
    return Throttles(load_settings())


def middleware() -> list[Middleware]:
    """Return what stands around our own routes and Streamlit's."""
    return guards.middleware(
        settings_or_exit(),
        throttles(),
        registry=lambda: workbench().access,
        routes=routes(),
    )


@asynccontextmanager
async def lifespan(_: App) -> AsyncIterator[dict[str, object]]:
    """Open the workbench before the first visitor, and close it after the last."""
    settings = load_settings()
    logs.configure(settings)
    # Until the first run of app.py, Streamlit would serve pages/ by itself: a first visitor who
    # follows a link to a page would get it without the app around it.
    PagesManager.uses_pages_directory = False
    opened = await run_in_threadpool(workbench)
    # What is there now stays: to walk over it with each full collection stopped every answer for some 70 ms.
    gc.collect()
    gc.freeze()
    try:
        async with shared(throttles().windows, opened.redis_address):
            yield {}
    finally:
        await run_in_threadpool(close_workbench)
        await run_in_threadpool(spans.stop)


def script_error(error: Exception) -> bool:
    """Log what a page did not expect, and show a sentence instead of a traceback."""
    if isinstance(error, SignInRequired | PermissionDenied):
        structlog.get_logger().info("page refused", action=error.action)
        told = "Sign in to do this." if isinstance(error, SignInRequired) else str(error)
        st.info(told, icon=":material/lock:")
        return True
    structlog.get_logger().error("page failed", error=type(error).__name__, exc_info=error)
    st.error(
        "Something went wrong on this page, and it has been logged. Reload the page; if it happens"
        " again, start the app anew.",
        icon=":material/error:",
    )
    return True


class _Announcing(uvicorn.Server):
    """Says where it listens, once it does; ends in order however often it is told to."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen, and print the address."""
        await super().startup(sockets)
        if self.started:
            print(f"Plant-ID workbench: http://{self.config.host}:{self.config.port}", flush=True)  # noqa: T201

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end; a second Ctrl-C must not skip the closing of what was started."""
        if not self.should_exit:
            super().handle_exit(sig, frame)


def run(app: ASGIApp, settings: Settings) -> None:
    """Serve the app until SIGINT or SIGTERM, in one process.

    One, because a page's websocket and its uploads must meet. Raises `PlantIDError` where the port
    is taken.
    """
    # A sign-in may fill several cookies, which a websocket's handshake carries as one line. The library
    # reads this when it is imported, which is from here on.
    os.environ.setdefault("WEBSOCKETS_MAX_LINE_LENGTH", str(_MOST_HEADER_BYTES))
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_level="warning",
        access_log=False,
        log_config=None,  # by `logs.configure`, as everything else
        ws="websockets-sansio",
        timeout_graceful_shutdown=2,
        # Which proxies are believed, the guards know: the server's own default is this machine's.
        proxy_headers=False,
        server_header=False,
        # Bounds how many there are; its type wants a class, and any maker will do.
        http=cast("type[asyncio.Protocol]", functools.partial(Connection, doors=doors(settings))),
        h11_max_incomplete_event_size=_MOST_HEADER_BYTES,
        ws_max_size=_MOST_MESSAGE_BYTES,
    )
    server = _Announcing(config)
    with suppress(KeyboardInterrupt):
        try:
            server.run()
        except SystemExit:
            message = f"Port {settings.port} is taken. Set PLANTID_PORT, or end what runs there."
            raise PlantIDError(message) from None


def start(app: ASGIApp) -> None:
    """Serve the app by the settings in force; a fault of theirs ends the process with a sentence."""
    try:
        run(app, load_settings())
    except PlantIDError as error:
        raise SystemExit(str(error)) from None


def serve(settings: Settings) -> None:
    """Serve the app that lies beside the package (checkout) or in it (wheel)."""
    script = app_script()
    # The app reads the settings anew, in this process: what the caller chose counts there too.
    os.environ["PLANTID_PORT"] = str(settings.port)
    spec = importlib.util.spec_from_file_location("plantid_app", script)
    if spec is None or spec.loader is None:
        raise ConfigurationError([f"{script} cannot be loaded"])
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    run(module.app, settings)


def app_script() -> Path:
    """Return the path of ``app.py``; raises `ConfigurationError` where there is none."""
    here = Path(__file__).parent
    for script in (here / "_app" / "app.py", here.parents[1] / "app.py"):
        if script.is_file():
            return script
    raise ConfigurationError(["app.py is missing from this installation"])
