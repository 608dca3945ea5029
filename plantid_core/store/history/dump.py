"""A record: an observation's rows as one JSON object, the same whichever database they come from."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import orjson

from plantid_core.errors import ObservationRefused
from plantid_core.store.history.limits import require_observed
from plantid_core.store.history.records import Rows, cache_keys_of, observed_of
from plantid_core.store.history.schema import answer, determination, observation, photo

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Column, Table

    from plantid_core.store.history.records import Row
    from plantid_core.store.history.values import Observed

_VERSION = 1
_JSON = ("consensus", "body", "taxon")
# The database's own, which mean nothing elsewhere.
_NUMBERS = {"number", "observation"}
_PARTS = {"photos": photo, "answers": answer, "determinations": determination}


def record_of(rows: Rows) -> dict[str, object]:
    """Return the rows as JSON can hold them, without the database's own numbers."""
    return {
        "version": _VERSION,
        "observation": opened(rows.observation),
        "photos": [opened(row) for row in rows.photos],
        "answers": [opened(row) for row in rows.answers],
        "determinations": [opened(row) for row in rows.determinations],
    }


def read_record(record: Mapping[str, Any]) -> tuple[Observed, dict[str, str]]:
    """Return a record's observation, and by provider where its answers may be cached.

    Raises `ObservationRefused` for a record that is malformed, or of a newer version of the app.
    """
    try:
        version = record["version"]
        rows = Rows(
            closed(observation, record["observation"]),
            *(tuple(closed(table, row) for row in record[part]) for part, table in _PARTS.items()),
        )
        if version == _VERSION:
            observed = observed_of(rows)
            require_observed(observed)
            return observed, cache_keys_of(rows)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        value = f"not ({type(error).__name__})"
    else:
        value = f"of version {str(version)[:20]}"
    raise ObservationRefused("a record", f"one that version {_VERSION} of `dump` made", value)


def opened(row: Row) -> dict[str, object]:
    """Return a table's row as JSON can hold it, without the database's own numbers."""
    plain: dict[str, object] = {}
    for name, value in row.items():
        if name in _NUMBERS:
            continue
        if name in _JSON and value is not None:
            plain[name] = orjson.loads(value)
        else:
            plain[name] = value.isoformat() if isinstance(value, dt.date) else value
    return plain


def closed(table: Table, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row that was `opened`; raises TypeError, ValueError or LookupError where it is none."""
    closed = {
        column.name: _value(column, row[column.name])
        for column in table.columns
        if column.name not in _NUMBERS
    }
    for name, value in closed.items():
        column = table.c[name]
        kind = column.type.python_type
        fits = isinstance(value, int if kind is float and isinstance(value, int) else kind)
        if not (column.nullable if value is None else fits):
            raise TypeError(name)
    return closed


def _value(column: Column[Any], value: Any) -> Any:  # noqa: ANN401 - whatever JSON held
    if value is None:
        return None
    if column.name in _JSON:
        return orjson.dumps(value).decode()
    if column.type.python_type in {dt.date, dt.datetime}:
        return column.type.python_type.fromisoformat(value)
    return value
