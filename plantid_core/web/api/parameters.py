"""What a request's fields and query may say, and what is told where they do not."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeVar

    from starlette.datastructures import ImmutableMultiDict, UploadFile

    V = TypeVar("V")

_SHOWN = 60
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,3})?", re.ASCII)
_WHOLE = re.compile(r"\d{1,9}", re.ASCII)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
# RFC 3339, section 5.6.
_TIME = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,6})?([Zz]|[-+]\d{2}:\d{2})", re.ASCII
)
_WORDS = {"true": True, "false": False}


class Unfit(ValueError):
    """A field that cannot be used: ``limit`` is what it must be, ``value`` what was sent (shortened)."""

    def __init__(self, field: str, limit: str, value: str) -> None:
        self.field, self.limit = field, limit
        self.value = value if len(value) <= _SHOWN else f"{value[:_SHOWN]}…"
        super().__init__(f"{field} must be {limit}.")


def only(given: ImmutableMultiDict[str, V], known: Sequence[str], many: Sequence[str] = ()) -> None:
    """Raise `Unfit` for a name that is none of the known, or that is given twice and not of ``many``.

    A slip would else go unnoticed, or be decided by chance.
    """
    names = [name for name, _ in given.multi_items()]
    for name in names:
        if name not in known:
            limit = f"one of {', '.join(known)}" if known else "none: nothing is taken here"
            raise Unfit("the name of a field", limit, name)
        if name not in many and names.count(name) > 1:
            raise Unfit(name, "given once", f"given {names.count(name)} times")


def one(given: ImmutableMultiDict[str, UploadFile | str], field: str) -> str | None:
    """Return a form's field, None where it is missing or empty; raises `Unfit` for a file."""
    found = given.get(field)
    if found is not None and not isinstance(found, str):
        raise Unfit(field, "text, and no file", "a file")
    return found or None


def number(field: str, text: str, least: float, most: float) -> float:
    """Return a decimal number in least…most."""
    value = float(text) if _NUMBER.fullmatch(text.strip()) else None
    if value is None or not least <= value <= most:
        raise Unfit(field, f"a number within {least:g} to {most:g}", text)
    return value


def whole(field: str, text: str, least: int, most: int) -> int:
    """Return a whole number in least…most."""
    value = int(text) if _WHOLE.fullmatch(text) else None
    if value is None or not least <= value <= most:
        raise Unfit(field, f"a whole number within {least} to {most}", text)
    return value


def choice(field: str, text: str, options: Sequence[str]) -> str:
    """Return one of the options."""
    if text not in options:
        raise Unfit(field, f"one of {', '.join(options)}", text)
    return text


def truth(field: str, text: str) -> bool:
    """Return a truth value."""
    return _WORDS[choice(field, text, tuple(_WORDS))]


def day(field: str, text: str) -> dt.date:
    """Return a day."""
    try:
        return dt.date.fromisoformat(text if _DAY.fullmatch(text) else "")
    except ValueError:
        raise Unfit(field, "a day like 2026-05-01", text) from None


def moment(field: str, text: str) -> dt.datetime:
    """Return a moment (RFC 3339), or the beginning of a day in UTC."""
    try:
        if _DAY.fullmatch(text):
            return dt.datetime.combine(dt.date.fromisoformat(text), dt.time(), dt.UTC)
        return dt.datetime.fromisoformat(text.upper() if _TIME.fullmatch(text) else "")
    except ValueError:
        limit = "a day like 2026-05-01, or a moment like 2026-05-01T12:00:00Z"
        raise Unfit(field, limit, text) from None


def matching(field: str, text: str, pattern: re.Pattern[str], limit: str) -> str:
    """Return a text of a pattern."""
    if pattern.fullmatch(text) is None:
        raise Unfit(field, limit, text)
    return text
