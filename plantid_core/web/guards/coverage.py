"""Default deny: a path that is in no table is not there, whatever would have answered it.

The table names Streamlit's own routes by the templates they are made with; ours are `Guarded` and name
what they need themselves. `findings` tells of a route that neither names.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from starlette.routing import Mount, Route, WebSocketRoute, compile_path

from plantid_core.access.permissions import AllowAny, DenyAll
from plantid_core.errors import PermissionDenied, SignInRequired
from plantid_core.web import caller
from plantid_core.web.guards.asgi import turn_away
from plantid_core.web.problems import answer_to, problem
from plantid_core.web.route import Guarded, check
from plantid_core.web.seen import seen

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from starlette.responses import Response
    from starlette.routing import BaseRoute
    from starlette.types import ASGIApp, Receive, Scope, Send

    from plantid_core.access.permissions import Permission
    from plantid_core.access.rules import Action
    from plantid_core.settings import Settings

WEBSOCKET = "WEBSOCKET"
_GET, _READ = ("GET",), ("GET", "HEAD")


class Special(Enum):
    """What takes more than a permission, and is checked by a guard of its own."""

    ITS_SESSION = "the session it was made for"  # guards.media
    SCRAPER = "the metrics token, or loopback"  # guards.metrics


@dataclass(frozen=True, slots=True)
class Entry:
    """What a path template needs, for these methods; ``about`` says what is there.

    ``checks_itself`` tells that the route behind asks for it, and this guard need not.
    """

    path: str
    methods: tuple[str, ...]
    needs: Action | Permission | Special
    about: str
    checks_itself: bool = False


# What is no `Guarded` route. Streamlit's are those of streamlit/web/server/starlette/ (1.67); nothing of it
# answers other sites, so that there are no preflights.
OTHERS: tuple[Entry, ...] = (
    Entry("/", _READ, AllowAny, "the app's shell, the same for everybody"),
    Entry("/static/{path:path}", _READ, AllowAny, "Streamlit's scripts and styles"),
    Entry("/{page}", _READ, AllowAny, "the shell at a page's address, and its icons"),
    Entry("/{page}/", _READ, AllowAny, "sent on to the address without the slash"),
    Entry("/_stcore/health", _READ, AllowAny, "whether the server is up"),
    Entry("/_stcore/host-config", _GET, AllowAny, "what the browser's part is set to"),
    Entry("/_stcore/stream", (WEBSOCKET,), AllowAny, "a page; what is on it, the core checks"),
    Entry(
        "/_stcore/upload_file/{session_id}/{file_id}",
        ("PUT", "DELETE"),
        "identify.ask",
        "files that a page is given",
    ),
    Entry("/media/{file_id:path}", _READ, Special.ITS_SESSION, "what a page shows or hands out"),
    Entry("/component/{path:path}", _GET, AllowAny, "parts of pages, from installed packages"),
    Entry("/_stcore/bidi-components/{path:path}", _GET, AllowAny, "the same, of the newer kind"),
    Entry("/_stcore/metrics", _GET, Special.SCRAPER, "Streamlit's own figures"),
    Entry("/metrics", _READ, Special.SCRAPER, "the app's own figures"),
    Entry("/auth/login", _GET, AllowAny, "to the sign-in"),
    Entry("/auth/logout", _GET, AllowAny, "out again"),
    Entry("/oauth2callback", _GET, AllowAny, "back from the sign-in"),
    Entry("/_stcore/agent/{path:path}", (), DenyAll, "the agents' interface, which is off"),
    Entry("/_stcore/script-health-check", (), DenyAll, "runs the app for whoever asks"),
)

# Templates that a wider entry answers for, and mounts whose paths are listed one by one.
_UNDER = {
    "/_stcore/agent/interact": "/_stcore/agent/{path:path}",
    "/_stcore/agent/openapi.json": "/_stcore/agent/{path:path}",
    "/_stcore/agent/mcp": "/_stcore/agent/{path:path}",
}
_LISTED_MOUNTS = frozenset({""})


def own(routes: Iterable[BaseRoute]) -> tuple[Entry, ...]:
    """Return the entries of those of our routes that name what they need."""
    return tuple(
        Entry(
            route.path,
            tuple(sorted(route.methods or ())),
            route.needs,
            route.about,
            checks_itself=True,
        )
        for route in routes
        if isinstance(route, Guarded)
    )


def findings(routes: Iterable[BaseRoute]) -> list[str]:
    """Return what no entry names, a sentence a route and method; nothing of it is served."""
    return [
        f"{method} {path} names no permission: it is refused. Make it `Guarded`, or list it."
        for route in routes
        if not isinstance(route, Guarded)
        for method, path in _served(route)
        if not _listed(method, path)
    ]


def _served(route: BaseRoute) -> Iterator[tuple[str, str]]:
    if isinstance(route, WebSocketRoute):
        yield WEBSOCKET, route.path
    elif isinstance(route, Route):
        # Preflights are refused everywhere, and Starlette answers HEAD wherever it answers GET.
        for method in sorted((route.methods or set()) - {"HEAD", "OPTIONS"}):
            yield method, route.path
    elif not (isinstance(route, Mount) and route.path in _LISTED_MOUNTS):
        yield "ANY", str(getattr(route, "path", type(route).__name__))


def _listed(method: str, path: str) -> bool:
    path = _UNDER.get(path, path)
    return any(
        entry.path == path and (method in entry.methods or entry.needs is DenyAll)
        for entry in OTHERS
    )


def templates(routes: Iterable[BaseRoute]) -> Callable[[str], str]:
    """Return what tells the template of a path, whatever is done there; "" for one nobody named."""
    known = _ordered(routes)

    def template_of(path: str) -> str:
        return next((entry.path for pattern, entry in known if pattern.match(path)), "")

    return template_of


def _ordered(routes: Iterable[BaseRoute]) -> list[tuple[re.Pattern[str], Entry]]:
    # What a template with a free end names is looked for last.
    known = sorted((*own(routes), *OTHERS), key=lambda entry: "{" in entry.path)
    return [(compile_path(entry.path)[0], entry) for entry in known]


class Coverage:
    """Answers 404 for a path that nobody named, 405 for a method, 401 and 403 for who may not.

    What one of our own routes needs, the route checks itself, so that it is asked once.
    """

    def __init__(self, app: ASGIApp, *, settings: Settings, routes: Sequence[BaseRoute]) -> None:
        self._app = app
        self._environment = settings.environment
        self._patterns = _ordered(routes)
        self._exact = {
            (method, entry.path): entry
            for _, entry in reversed(self._patterns)
            if "{" not in entry.path
            for method in entry.methods
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request on that an entry names, and whose sender may."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is None:
            await self._app(scope, receive, send)
        else:
            await turn_away(scope, receive, send, refusal)

    def _refusal(self, scope: Scope) -> Response | None:
        method = WEBSOCKET if scope["type"] == "websocket" else str(scope["method"])
        path = str(scope["path"])
        entry = self._exact.get((method, path))
        if entry is None:
            entry, allow = self._look(method, path)
            if allow:
                return _not_so(method, path, allow)
        if entry is not None:
            seen(scope).route = entry.path
        if entry is None or entry.needs is DenyAll:
            return problem(404, f"There is no {path} here.")
        if entry.checks_itself or isinstance(entry.needs, Special):
            return None
        try:
            check(entry.needs, caller.principal_of(scope), self._environment, method)
        except (SignInRequired, PermissionDenied) as error:
            return answer_to(error)
        return None

    def _look(self, method: str, path: str) -> tuple[Entry | None, list[str]]:
        """Return the entry; where the path has some, but none for the method, the methods that are.

        Of our own routes the path is enough: they answer the methods they name, and 405 to others.
        """
        allow: list[str] = []
        for pattern, entry in self._patterns:
            if pattern.match(path):
                checks = entry.checks_itself and method != WEBSOCKET
                if checks or method in entry.methods or entry.needs is DenyAll:
                    return entry, []
                allow += entry.methods
        return None, [one for one in allow if one != WEBSOCKET]


def _not_so(method: str, path: str, allow: Sequence[str]) -> Response:
    response = problem(405, f"{path} does not take {method}.")
    response.headers["Allow"] = ", ".join(sorted(set(allow)))
    return response
