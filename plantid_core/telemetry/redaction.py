"""The last look at what leaves this process: nothing that is, or looks like, a secret passes.

Nobody means to log a key. This is for whom it happens to: an error of a library that quotes an address, a
header in a message. The settings' own secrets are known, and taken out in every form an echo gives them;
of others the shape is.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

HIDDEN = "[hidden]"

# Shorter ones occur in any text: to take them out would tell where they are.
_SHORTEST = 6
_NAMES = (
    r"authorization|proxy-authorization|cookie|set-cookie|api[-_]?key|password|passwd|secret"
    r"|client_secret|access_token|refresh_token|id_token|token"
)
# Taken whole where a field is called so; "key" alone is a cache's digest.
_NAMED = re.compile(rf"(?:.*[-_.])?(?:{_NAMES}|secret[-_]key)", re.IGNORECASE)
_ASSIGNED = (
    rf"((?:{_NAMES})\\?[\"']?\s*[:=]\s*\\?[\"']?(?:(?:Bearer|Basic)\s+)?)"
    r"(?!\[hidden\]|(?:Bearer|Basic)\b)[^\s&,;\"'\\)}\]]+"
)
# What stands between such a name, begun by one of these words, and its value.
_ASSIGNS = ("authorization", "apikey", "api-key", "api_key", "passw", "secret", "token")
_BETWEEN = re.compile(r"(?:d|ord)?\\?[\"']?\s*[:=]")


def _has(*words: str) -> Callable[[str], bool]:
    """Return what tells whether one of these words is in a text."""

    def told(plain: str) -> bool:
        for word in words:  # noqa: SIM110 - each line is asked, and a generator takes three times as long
            if word in plain:
                return True
        return False

    return told


def _assigns(plain: str) -> bool:
    for word in _ASSIGNS:
        at = plain.find(word)
        while at >= 0:
            if _BETWEEN.match(plain, at + len(word)):
                return True
            at = plain.find(word, at + 1)
    return False


# In the order in which they are taken out: a header with all its words, an assignment, bare shapes. Each
# has what tells from the text in small letters whether it may be there, which is much faster.
SHAPES = tuple(
    (may_be_there, re.compile(shape, re.IGNORECASE), instead)
    for may_be_there, shape, instead in (
        (
            _has("bearer", "basic", "digest"),
            r"\b((?:Bearer|Basic|Digest)\s+)[\w.~+/=-]{6,}",
            rf"\1{HIDDEN}",
        ),
        (
            _has("cookie"),
            r"\b((?:set-)?cookie\\?[\"']?\s*[:=]\s*\\?[\"']?)[^\"'\\\r\n]+",
            rf"\1{HIDDEN}",
        ),
        (
            _assigns,
            _ASSIGNED,
            rf"\1{HIDDEN}",
        ),
        # Whoever:word@host in an address.
        (_has("://"), r"(\w[\w+.-]*://[^\s:/@\"']*:)[^\s@\"']+(?=@)", rf"\1{HIDDEN}"),
        # Our own tokens, JSON Web Tokens, the signed texts of cookies and links.
        (_has("plantid_"), r"\bplantid_[A-Za-z0-9_-]{16,}", HIDDEN),
        (_has("eyj"), r"\beyJ[\w-]{8,}(?:\.[\w-]+){1,2}", HIDDEN),
        (_has("@"), r"\b[\w.%+-]+@[\w-]+(?:\.[\w-]+)+", "[address]"),
    )
)


class Redaction:
    """Takes these secrets, and all that looks like one, out of texts."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for secret in secrets if len(secret) >= _SHORTEST for form in _forms(secret)}
        longest_first = sorted(forms, key=len, reverse=True)
        self._may_be_there = _has(*{form.lower() for form in forms})
        # Percent-encoding may be in either case.
        self._known = re.compile("|".join(map(re.escape, longest_first)) or "(?!)", re.IGNORECASE)

    def text(self, text: str) -> str:
        """Return the text without them."""
        plain = text.lower()
        if self._may_be_there(plain):
            text = self._known.sub(HIDDEN, text)
        for may_be_there, shape, instead in SHAPES:
            if may_be_there(plain):
                text = shape.sub(instead, text)
        return text

    def event(self, event: dict[str, object]) -> dict[str, object]:
        """Return a log's event, the fields that are named like a secret without their value."""
        return {
            name: HIDDEN if value is not None and _is_secret(name) else value
            for name, value in event.items()
        }


@lru_cache(maxsize=1024)
def _is_secret(name: str) -> bool:
    return _NAMED.fullmatch(name) is not None


def _forms(secret: str) -> set[str]:
    written = {secret, quote(secret), quote(secret, safe=""), quote_plus(secret), escape(secret)}
    # As JSON and Python write a text that has quotation marks or backslashes.
    return written | {json.dumps(secret)[1:-1], repr(secret)[1:-1]}
