"""What stands around every route and page: one guard a module, each a plain ASGI application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.middleware import Middleware

from plantid_core.web.guards.body import BodyLimit
from plantid_core.web.guards.cookies import Cookies
from plantid_core.web.guards.coverage import Coverage, templates
from plantid_core.web.guards.departed import Departed
from plantid_core.web.guards.failure import Failure
from plantid_core.web.guards.headers import Headers
from plantid_core.web.guards.hosts import Hosts
from plantid_core.web.guards.https import Https
from plantid_core.web.guards.identity import Identity
from plantid_core.web.guards.media import Media
from plantid_core.web.guards.metrics import Metrics
from plantid_core.web.guards.origin import Origin
from plantid_core.web.guards.own import Own
from plantid_core.web.guards.proxy import Proxy
from plantid_core.web.guards.request_id import RequestId
from plantid_core.web.guards.sockets import Sockets
from plantid_core.web.guards.target import Target
from plantid_core.web.guards.throttle import Attempts, Throttle

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.routing import BaseRoute

    from plantid_core.access.registry import Registry
    from plantid_core.settings import Settings
    from plantid_core.web.guards.throttles import Throttles


def middleware(
    settings: Settings,
    throttles: Throttles,
    *,
    registry: Callable[[], Registry],
    routes: Sequence[BaseRoute],
) -> list[Middleware]:
    """Return the guards, the outermost first; ``routes`` are our own, beside Streamlit's.

    Where a request comes from is settled before anybody asks for it. The headers are on every answer,
    also on a failure's. What can be refused without a look at who asks, is; who asks is found out before
    their requests are counted, and they are counted before they are told that they may not.
    """
    return [
        Middleware(RequestId, settings=settings, template_of=templates(routes)),
        Middleware(Proxy, settings=settings),
        Middleware(Headers, settings=settings),
        Middleware(Failure),
        Middleware(Target),
        Middleware(Hosts, settings=settings),
        Middleware(Https, settings=settings),
        Middleware(BodyLimit, settings=settings),
        Middleware(Origin, settings=settings),
        Middleware(Attempts, throttles=throttles),
        Middleware(Cookies, settings=settings),
        Middleware(Identity, settings=settings, registry=registry),
        Middleware(Departed, registry=registry),
        Middleware(Throttle, throttles=throttles),
        Middleware(Sockets, settings=settings),
        Middleware(Coverage, settings=settings, routes=routes),
        Middleware(Media, settings=settings),
        Middleware(Metrics, settings=settings),
        Middleware(Own, routes=routes),
    ]
