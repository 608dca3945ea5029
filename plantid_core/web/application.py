"""One workbench a process, and the server around the app."""

from __future__ import annotations

import importlib.util
import threading
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st
import structlog
import uvicorn
from starlette.concurrency import run_in_threadpool
from streamlit.runtime.pages_manager import PagesManager

from plantid_core.errors import ConfigurationError, PlantIDError
from plantid_core.settings import Settings, load_settings
from plantid_core.telemetry import configure_logging
from plantid_core.web import api
from plantid_core.workbench import Workbench, open_workbench

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator
    from types import FrameType

    from starlette.routing import BaseRoute
    from starlette.types import ASGIApp
    from streamlit.starlette import App

_OPENING = threading.Lock()
_open: list[Workbench] = []


def workbench() -> Workbench:
    """Return this process's workbench, opened when it is first asked for."""
    with _OPENING:
        if not _open:
            _open.append(open_workbench())
        return _open[0]


def close_workbench() -> None:
    """Close this process's workbench, if there is one."""
    with _OPENING:
        while _open:
            _open.pop().close()


def routes() -> list[BaseRoute]:
    """Return our routes beside the pages."""
    return api.routes(workbench)


@asynccontextmanager
async def lifespan(_: App) -> AsyncIterator[dict[str, object]]:
    """Open the workbench before the first visitor, and close it after the last."""
    settings = load_settings()
    configure_logging(settings.log_format, settings.log_level)
    # Until the first run of app.py, Streamlit would serve pages/ by itself: a first visitor who
    # follows a link to a page would get it without the app around it.
    PagesManager.uses_pages_directory = False
    await run_in_threadpool(workbench)
    try:
        yield {}
    finally:
        await run_in_threadpool(close_workbench)


def script_error(error: Exception) -> bool:
    """Log what a page did not expect, and show a sentence instead of a traceback."""
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
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_level="warning",
        access_log=False,
        ws="websockets-sansio",
        timeout_graceful_shutdown=2,
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
    # The app's own reading of the settings happens in this process: what the caller chose counts.
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
