"""The API with all its guards, served by a thread of this process, and people with tokens."""

from __future__ import annotations

import functools
import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import requests
import uvicorn
from starlette.applications import Starlette

from plantid_core.access.principal import SCOPES
from plantid_core.web import api, guards
from plantid_core.web.guards.throttles import Throttles

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from plantid_core import Workbench

ISSUER = "https://issuer.example"
PRODUCTION = {
    "environment": "production",
    "secret_key": "planted-for-tests-and-nothing-else-0123456789",
    "secret_key_fallbacks": "planted-for-tests-and-used-before-0123456789",
    "allowed_hosts": "127.0.0.1",
    "allow_sandbox": True,
    "https_redirect": False,
    "throttle_anonymous": "off",
    "throttle_user": "off",
    "throttle_token": "off",
}


@dataclass(frozen=True)
class Rest:
    """A served API; ``headers`` are sent with every request."""

    url: str
    workbench: Workbench
    headers: dict[str, str]

    def __getattr__(self, method: str) -> functools.partial[requests.Response]:
        if method not in {"get", "head", "post", "put", "delete", "options"}:
            raise AttributeError(method)
        return functools.partial(self.ask, method)

    def ask(self, method: str, path: str, **more: object) -> requests.Response:
        headers = {**self.headers, **more.pop("headers", {})}  # type: ignore[dict-item]
        return requests.request(method, self.url + path, headers=headers, timeout=60, **more)  # type: ignore[arg-type]

    def identify(self, photo: bytes, name: str = "flower.jpg", **more: object) -> requests.Response:
        return self.ask("post", "/api/v1/identify", files=[("images", (name, photo))], **more)

    def anonymous(self) -> Rest:
        return Rest(self.url, self.workbench, {})

    def person(self, subject: str, scopes: Sequence[str] = SCOPES, *, admin: bool = False) -> Rest:
        """Return the API as somebody uses it by a token with these scopes."""
        access = self.workbench.access
        role = "admin" if admin else "user"
        person = access.people.seen(ISSUER, subject, role=role)
        word = access.tokens.create(person.id, scopes, 1)[1]
        return Rest(self.url, self.workbench, {"Authorization": f"Bearer {word}"})


@contextmanager
def served(workbench: Workbench) -> Iterator[Rest]:
    """Serve the API of a workbench."""
    routes = api.routes(lambda: workbench)
    settings = workbench.settings
    stack = guards.middleware(
        settings, Throttles(settings), registry=lambda: workbench.access, routes=routes
    )
    app = Starlette(routes=routes, middleware=stack)
    server = uvicorn.Server(
        uvicorn.Config(app, log_level="error", lifespan="off", proxy_headers=False)
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield Rest(f"http://127.0.0.1:{listener.getsockname()[1]}", workbench, {})
        finally:
            server.should_exit = True
            thread.join(20)
