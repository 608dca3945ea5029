"""What answers tell a browser to keep from."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

from guarded import client
from starlette.middleware import Middleware

from plantid_core.settings import load_settings
from plantid_core.web.guards.content_policy import page_policy
from plantid_core.web.guards.failure import Failure
from plantid_core.web.guards.headers import Headers

if TYPE_CHECKING:
    from pathlib import Path


def headers(**settings: object) -> Middleware:
    return Middleware(Headers, settings=load_settings(**settings))


def test_every_answer_has_them() -> None:
    """A page, an answer of the API and a failure alike; each once."""
    told = client(headers(), Middleware(Failure))

    for path in ("/page", "/api/v1/breakers", "/broken"):
        found = told.get(path).headers
        assert found.get_list("x-content-type-options") == ["nosniff"]
        assert found.get_list("x-frame-options") == ["DENY"]
        assert found["referrer-policy"] == "same-origin"
        assert found["cross-origin-opener-policy"] == "same-origin"
        assert "camera=(self)" in found["permissions-policy"]
        assert "frame-ancestors 'none'" in found["content-security-policy"]


def test_pages_may_load_their_own_and_the_rest_nothing() -> None:
    """The policy of what is no page lets nothing run; the API is not stored either."""
    told = client(headers())
    page, api = told.get("/page").headers, told.get("/api/v1/breakers").headers

    scripts = next(
        part
        for part in page["content-security-policy"].split("; ")
        if part.startswith("script-src")
    )
    assert "'unsafe-inline'" not in scripts
    assert "'unsafe-eval'" not in scripts
    assert api["content-security-policy"].startswith("default-src 'none'")
    assert api["cache-control"] == "no-store"
    assert "cache-control" not in page


def test_inline_scripts_run_by_their_hash(tmp_path: Path) -> None:
    """Each inline script of the served file is named, whatever it is; those with an address are not."""
    script = "\n  window.a = 1 < 2\n"
    index = tmp_path / "index.html"
    index.write_text(f'<script type="module">{script}</script><script src="b.js"></script>')

    policy = page_policy(index)

    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'self' 'wasm-unsafe-eval' 'sha256-{digest}';" in policy


def test_hsts_is_said_over_https_alone() -> None:
    """As RFC 6797 has it, with what the settings add; zero seconds say nothing."""
    chosen = headers(hsts_seconds=60, hsts_subdomains=True, hsts_preload=True)
    name = "strict-transport-security"

    assert name not in client(chosen).get("/page").headers
    secure = client(chosen, url="https://localhost").get("/page").headers
    assert secure[name] == "max-age=60; includeSubDomains; preload"
    off = client(headers(hsts_seconds=0), url="https://localhost").get("/page").headers
    assert name not in off


def test_cookies_are_mended() -> None:
    """Not for scripts, but for the one they read; secure over HTTPS, and in production anyhow."""
    plain = client(headers()).get("/page").headers.get_list("set-cookie")
    secure = client(headers(), url="https://localhost").get("/page").headers.get_list("set-cookie")
    production = headers(
        environment="production", secret_key="k" * 50, allowed_hosts="a", allow_sandbox=True
    )

    assert [("HttpOnly" in one, "Secure" in one) for one in plain] == [
        (True, False),
        (False, False),
    ]
    assert [("HttpOnly" in one, "Secure" in one) for one in secure] == [(True, True), (False, True)]
    behind = client(production).get("/page").headers.get_list("set-cookie")
    assert all("; Secure" in one and one.lower().count("samesite=lax") == 1 for one in behind)
