"""Keeps keys, and addresses that are secrets, out of what is shown and out of the libraries' logs."""

from __future__ import annotations

import logging
import re
import threading
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterator

# The second warns, with the whole address, of an answer whose headers cannot be parsed.
_LOGGERS = ("urllib3.connectionpool", "urllib3.connection")
_IN_ADDRESS = re.compile(r"(api-key=)[^&\s\"']*", re.IGNORECASE)


class _Silence(threading.local):
    wanted: bool = False


_SILENCE = _Silence()


class Redactor:
    """Takes one key out of texts, in every form that an echo of the request gives it."""

    def __init__(self, secret: str) -> None:
        forms = {secret, quote(secret), quote(secret, safe=""), quote_plus(secret), escape(secret)}
        longest_first = sorted(filter(None, forms), key=len, reverse=True)
        # Percent-encoding may be in either case.
        self._forms = re.compile("|".join(map(re.escape, longest_first)) or "(?!)", re.IGNORECASE)

    def __call__(self, text: str) -> str:
        """Return the text without the key."""
        return _IN_ADDRESS.sub(r"\1[key]", self._forms.sub("[key]", text))


def keep_keys_out_of_logs() -> None:
    """See to it, for the whole process, that urllib3 logs no key and nothing of `unlogged` calls."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_fit_to_log)


@contextmanager
def unlogged() -> Iterator[None]:
    """Let urllib3 log nothing of what this thread does within the block."""
    keep_keys_out_of_logs()
    _SILENCE.wanted = True
    try:
        yield
    finally:
        _SILENCE.wanted = False


def _fit_to_log(record: logging.LogRecord) -> bool:
    if _SILENCE.wanted:
        return False
    text = record.getMessage()
    if _IN_ADDRESS.search(text):
        record.msg, record.args = _IN_ADDRESS.sub(r"\1[key]", text), ()
    return True
