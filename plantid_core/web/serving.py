"""How Streamlit is set, and which routes are served that name no permission: facts for the checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamlit import config
from streamlit.runtime import Runtime
from streamlit.starlette import App
from streamlit.web.server.starlette.starlette_app import create_streamlit_routes

from plantid_core.deploy import facts_of
from plantid_core.web import application
from plantid_core.web.guards import coverage

if TYPE_CHECKING:
    from plantid_core.deploy import Facts
    from plantid_core.settings import Settings

_OPTIONS = (
    "browser.gatherUsageStats",
    "client.showErrorDetails",
    "client.toolbarMode",
    "global.developmentMode",
    "logger.level",
    "server.enableAgentApi",
    "server.enableCORS",
    "server.enableStaticServing",
    "server.enableXsrfProtection",
    "server.fileWatcherType",
    "server.maxUploadSize",
    "server.scriptHealthCheckEnabled",
)


def facts(settings: Settings) -> Facts:
    """Return the facts of the app that this installation serves, or is serving."""
    # Made in any case: it is what has Streamlit find the options beside the app.
    app = App(str(application.app_script()), routes=application.routes())
    # There is one a process; where none runs, one is made, and never started.
    running = Runtime.exists()
    runtime = Runtime.instance() if running else app._create_runtime()  # noqa: SLF001
    routes = [*application.routes(), *create_streamlit_routes(runtime)]
    options = {name: config.get_option(name) for name in _OPTIONS}
    return facts_of(settings, options, tuple(coverage.findings(routes)), running=running)
