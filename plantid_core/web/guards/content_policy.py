"""What a page may load and run: the Content-Security-Policy (W3C, CSP Level 3)."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from plantid_core.settings import Settings

_INLINE = re.compile(r"<script(?![^>]*\bsrc=)[^>]*>(.*?)</script>", re.DOTALL | re.IGNORECASE)

# For what is no page: read by programs, or shown as it is.
NOTHING = "default-src 'none'; frame-ancestors 'none'"


def page_policy(index: Path, pictures: Sequence[str] = ()) -> str:
    """Return the policy of the pages that this HTML file begins; ``pictures`` are further sources of them.

    Scripts are those of this app, and the inline ones of the file by their hashes. Styles are inline
    all over: the pages' own framework writes them so. Raises OSError where there is no such file.
    """
    # WebAssembly may be compiled (the framework does its 64-bit numbers so), JavaScript from text may not.
    allowed = ["'self'", "'wasm-unsafe-eval'", *_hashes(index.read_text(encoding="utf-8"))]
    scripts = " ".join(allowed)
    return "; ".join(
        [
            "default-src 'self'",
            f"script-src {scripts}",
            "style-src 'self' 'unsafe-inline'",
            " ".join(["img-src 'self' data: blob:", *pictures]),
            "media-src 'self' blob:",
            "font-src 'self' data:",
            "connect-src 'self' data:",  # a photo just taken is read from such an address
            "worker-src 'self' blob:",
            "frame-src 'self'",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        ]
    )


def pictures_of(settings: Settings) -> list[str]:
    """Return where the services' pictures of similar plants may lie.

    By HTTPS anywhere: each service names them at addresses of its own choice, and changes these. By HTTP
    only on a server that the settings name, or the sandbox of this process, whose port is a free one.
    """
    keys = (settings.plant_id_api_key, settings.plantnet_api_key)
    named = [settings.plant_id_url, settings.plantnet_url]
    if None in keys:
        named.append(settings.sandbox_url or "http://127.0.0.1:*")
    plain = {url for url in named if url.startswith("http://")}
    return ["https:", *sorted("/".join(url.split("/")[:3]) for url in plain)]


def _hashes(html: str) -> list[str]:
    digests = (hashlib.sha256(script.encode()).digest() for script in _INLINE.findall(html))
    return [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]
