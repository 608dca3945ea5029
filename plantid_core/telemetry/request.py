"""The id of the request that is being answered: it stands in every log line, answer and span of it."""

from __future__ import annotations

import re
import uuid
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_FIT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}", re.ASCII)
_CURRENT: ContextVar[str] = ContextVar("plantid_request", default="")


def current() -> str:
    """Return the id of the request this thread or task works for, "" for none."""
    return _CURRENT.get()


def new() -> str:
    """Return an id nobody has had: 32 hexadecimal digits."""
    return uuid.uuid4().hex


def is_fit(text: str) -> bool:
    """Tell whether a text from outside may stand in logs as an id: 8 to 64 plain characters."""
    return _FIT.fullmatch(text) is not None


def begin() -> str:
    """Have all that this thread or task does from now on done for a new request."""
    known_as = new()
    _CURRENT.set(known_as)
    return known_as


@contextmanager
def bound(request_id: str | None = None) -> Iterator[str]:
    """Have the enclosed work of this thread or task done for a request; None begins a new one."""
    known_as = request_id or new()
    token = _CURRENT.set(known_as)
    try:
        yield known_as
    finally:
        _CURRENT.reset(token)
