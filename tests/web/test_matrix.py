"""The permission matrix of `docs/security.md`: as it is generated, and as requests find it."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import signing_in
from guarded import Client
from starlette.applications import Starlette
from streamlit.runtime import Runtime
from streamlit.starlette import App
from streamlit.web.server.starlette.starlette_app import (
    create_streamlit_middleware,
    create_streamlit_routes,
)

from plantid_core.access import matrix as callers
from plantid_core.access.matrix import CALLERS
from plantid_core.access.principal import owner_of
from plantid_core.web import api, application, guards, matrix, metrics
from plantid_core.web.guards.coverage import WEBSOCKET, Special
from plantid_core.web.guards.throttles import Throttles
from plantid_core.workbench import open_workbench, sample_photo

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from plantid_core import Workbench
    from plantid_core.access.matrix import Caller
    from plantid_core.plants import Outcome
    from plantid_core.settings import Settings
    from plantid_core.store.history.values import Observed
    from plantid_core.web.guards.coverage import Entry
    from tests.conftest import SandboxServer

SUBJECTS = {callers.OWNER: "ada", callers.OTHER: "ben", callers.ADMIN: "cleo"}
OFF = {"throttle_anonymous": "", "throttle_user": "", "throttle_token": ""}


def test_the_document_has_the_matrix_of_today() -> None:
    """Written anew by ``python -m plantid_core.web.matrix``."""
    text = matrix.DOCUMENT.read_text(encoding="utf-8")

    assert matrix.table() in text
    assert matrix.rewritten(text) == text


@dataclass(frozen=True)
class Server:
    """The app in one environment; ``headers`` show who a caller is."""

    settings: Settings
    bench: Workbench
    client: Client
    outcome: Outcome

    def headers(self, caller: Caller) -> dict[str, str]:
        if caller.principal.kind == "token" or caller.refused:
            return {"Authorization": f"Bearer {self._word(caller)}"}
        owner = caller.principal.owner
        if caller.principal.kind == "anonymous" or owner not in SUBJECTS:
            return {}
        shown = signing_in.header(signing_in.cookies(self.settings, sub=SUBJECTS[owner]))
        return {**shown, "Origin": self.settings.address}

    def _word(self, caller: Caller) -> str:
        tokens, people = self.bench.access.tokens, self.bench.access.people
        subject = SUBJECTS[caller.principal.owner or callers.OWNER]
        if caller.name.startswith("deactivated"):
            subject = "gone"
        person = people.register(signing_in.ISSUER, subject)
        days = 1e-9 if caller.name.startswith("expired") else 1.0
        scopes = caller.principal.scopes or {"identify", "history:read", "history:write"}
        token, word = tokens.create(person.id, scopes, days)
        if caller.name.startswith("revoked"):
            tokens.revoke(token.id)
        if subject == "gone":
            people.deactivate(person.id)
        return word

    def owner(self, caller: Caller) -> str:
        whose = caller.whose
        if whose in SUBJECTS:
            return owner_of(signing_in.ISSUER, SUBJECTS[whose])
        return whose or owner_of(signing_in.ISSUER, SUBJECTS[callers.OWNER])

    def kept(self, owner: str) -> Observed:
        """Keep an observation for somebody, once more where it was deleted."""
        return self.bench.keep(self.outcome, [sample_photo()], owner=owner)


def served(settings: Settings, bench: Workbench, runtime: Runtime) -> Server:
    ours = [*metrics.routes(lambda: bench), *api.routes(lambda: bench)]
    around = guards.middleware(
        settings, Throttles(settings), registry=lambda: bench.access, routes=ours
    )
    app = Starlette(
        routes=[*ours, *create_streamlit_routes(runtime)],
        middleware=[*around, *create_streamlit_middleware()],
    )
    outcome = bench.identify([sample_photo()], providers=["offline"])
    return Server(settings, bench, Client(app, settings.address), outcome)


@pytest.fixture(scope="module")
def servers(
    tmp_path_factory: pytest.TempPathFactory, running_sandbox: SandboxServer
) -> Iterator[dict[str, Server]]:
    """Return the app as one machine's person has it, and with a sign-in in both environments."""
    app = App(str(application.app_script()))
    runtime = app._create_runtime()  # noqa: SLF001 - the routes need one, which is never started
    common: dict[str, Any] = {"sandbox_url": running_sandbox.url, "admins": "cleo", **OFF}
    public = {
        "environment": "production",
        "secret_key": "k" * 64,
        "allowed_hosts": "plants.example",
        "allow_sandbox": True,
        "public_url": "http://plants.example",
        "https_redirect": False,
    }
    with ExitStack() as stack:
        made = {}
        for name, more in (("development", {}), ("production", public)):
            settings = signing_in.signing_in(tmp_path_factory.mktemp(name), **common, **more)
            bench = stack.enter_context(open_workbench(settings))
            made[name] = served(settings, bench, runtime)
        alone = made["development"].settings.model_copy(update={"oidc_issuer": None})
        made["alone"] = served(alone, made["development"].bench, runtime)
        yield made
    Runtime._instance = None  # noqa: SLF001


def answered(
    server: Server, entry: Entry, method: str, caller: Caller, headers: dict[str, str]
) -> str:
    """Return what a caller is answered by the guards and the desk, in the matrix's words."""
    owner, path, body = server.owner(caller), entry.path, b""
    if "{id}" in path:
        one = server.kept(owner)
        path = path.replace("{id}", one.photos[0].photo_id if "photos" in path else one.id)
        if caller.stranger and method == "GET":
            path = f"{path}?owner={owner}"
    for part in ("{name}", "{page}", "{session_id}", "{file_id}", "{path:path}", "{file_id:path}"):
        path = path.replace(part, "plant_id" if part == "{name}" else "some")
    headers = {**headers}
    if method == WEBSOCKET:
        return _opened(server.client, path, headers)
    if method == "POST" and "breakers" in path:
        headers["Content-Type"], body = "application/json", b'{"action": "reset"}'
    return _in_words(server.client.ask(method, path, headers, body), entry)


def _in_words(answer: httpx.Response, entry: Entry) -> str:
    if answer.status_code in {401, 403}:
        return str(answer.status_code)
    problem = answer.headers["content-type"] == "application/problem+json" if answer.content else 0
    unnamed = bool(problem) and answer.json()["detail"].startswith("There is no /")
    hidden = "{id}" in entry.path or entry.needs is Special.ITS_SESSION
    gone = answer.status_code == 404 and (hidden or unnamed)
    return "404" if gone else "yes"


def _opened(client: Client, path: str, headers: dict[str, str]) -> str:
    try:
        said = client.websocket(path, headers)
    except Exception:  # noqa: BLE001 - Streamlit's own, which is not started here: it was reached
        return "yes"
    first = said[0] if said else {"type": "nothing"}
    return str(first["status"]) if first["type"] == "websocket.http.response.start" else "yes"


@pytest.mark.parametrize("caller", CALLERS, ids=lambda caller: caller.name)
def test_every_route_answers_as_the_matrix_says(caller: Caller, servers: dict[str, Server]) -> None:
    """Real requests, with real tokens and signed cookies, at every route by every caller."""
    name = "alone" if caller.name.startswith("this machine") else caller.environment
    server = servers[name]
    headers = server.headers(caller)

    wrong = [
        (method, entry.path, found, expected)
        for entry in matrix.entries()
        if "?link=" not in entry.about
        for method in entry.methods or ("GET", "POST")
        if method != "HEAD"
        and (found := answered(server, entry, method, caller, headers))
        != (expected := _expected(entry, caller))
    ]

    assert wrong == []


def _expected(entry: Entry, caller: Caller) -> str:
    found = matrix.route_cell(entry, caller)
    if found is Special.SCRAPER:
        return "401"  # nobody here has the metrics token, or asks on the machine itself
    if found is Special.ITS_SESSION:
        return "401" if caller.refused else "404"
    return str(found)
