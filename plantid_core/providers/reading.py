"""Reads the services' JSON: what is optional may be absent or null, but nothing is of another type.

A reader that finds another type raises one of `UNREADABLE`.
"""

from __future__ import annotations

import math
import re
from typing import TypeVar, cast

import orjson
from pydantic import TypeAdapter

from plantid_core.plants import Reply

T = TypeVar("T")

UNREADABLE = (LookupError, TypeError, ValueError, AttributeError)

_MOST = 2**53
_DIGITS = re.compile("[0-9]+")
_MOST_DIGITS = len(str(_MOST))
_REPLY: TypeAdapter[Reply] = TypeAdapter(Reply)


def checked(reply: Reply) -> Reply:
    """Return a reply just as it will be read from the cache; raises where it could not be."""
    return _REPLY.validate_json(orjson.dumps(reply), strict=True)


def mapping(value: T | None) -> T | None:
    """Return a JSON object, None for null."""
    if value is not None and not isinstance(value, dict):
        raise TypeError("not an object")
    return value


def items(value: list[T]) -> list[T]:
    """Return a JSON array."""
    if not isinstance(value, list):
        raise TypeError("not an array")
    return value


def items_if_any(value: list[T] | None) -> list[T]:
    """Return a JSON array, an empty one for null."""
    return [] if value is None else items(value)


def text(value: object) -> str | None:
    """Return a JSON string, None for null."""
    if value is not None and not isinstance(value, str):
        raise TypeError("not a string")
    return value


def name(value: object) -> str:
    """Return a JSON string."""
    if not isinstance(value, str):
        raise TypeError("not a string")
    return value


def identifier(value: object) -> int | None:
    """Return a database's key, given as a number or its digits; None where it is out of bounds."""
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        return count(int(value)) if len(value) <= _MOST_DIGITS else None
    if value is None or value == "" or (isinstance(value, int) and not isinstance(value, bool)):
        return count(value)
    raise TypeError("not a number")


def count(value: object) -> int | None:
    """Return a service's count, None where it is no number that one can count to."""
    usable = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST
    return cast("int", value) if usable else None


def verdict(value: object) -> bool:
    """Return a JSON boolean."""
    if not isinstance(value, bool):
        raise TypeError("not a boolean")
    return value


def score(value: object) -> float:
    """Return a score as a finite number in 0…1."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("not a number")
    if not math.isfinite(value):
        raise ValueError("a score must be finite")
    return min(1.0, max(0.0, float(value)))
