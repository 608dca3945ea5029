"""The lines of a trace: a table's, or a log's, each as a line's number, a time and a key, as they stand.

One line at a time is looked at, and none of any length: a small upload may unpack to much.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Final

import orjson

from plantid_core.errors import PlantIDError
from plantid_core.plants import LOCAL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Row = tuple[int, str, str]

EVENT: Final = "identify.asked"
LONGEST_LINE: Final = 65_536
# Blank ones, and a log's others, count too: they take time.
MOST_LINES: Final = 10_000_000
SHOWN: Final = 60

_TIME, _KEY, _LOGGED, _KEYS = "time", "key", "timestamp", "keys"
_MARK = f'"{EVENT}"'.encode()
# Where a log is known by: what a server prints before its entries is far less.
_FIRST = 1_000_000


class TraceRefused(PlantIDError):
    """A trace that cannot be used: ``line`` (from 1; None: all of it), ``value`` and ``limit``."""

    def __init__(
        self,
        message: str,
        *,
        line: int | None = None,
        value: object = None,
        limit: object = None,
    ) -> None:
        where = "The trace cannot be used" if line is None else f"Line {line:,} of the trace"
        super().__init__(f"{where}: {message}")
        self.line, self.value, self.limit = line, value, limit


def rows(data: bytes, is_time: Callable[[str], bool]) -> Iterator[Row]:
    """Yield each request of a table (CSV) or of the app's log; raises `TraceRefused`.

    A table's first line names its columns, unless its first field ``is_time``.
    """
    return _log(data) if _is_log(data) else _table(data, is_time)


def _is_log(data: bytes) -> bool:
    return any(
        line.lstrip().startswith(b"{") or (_MARK in line and b'"event"' in line)
        for line in io.BytesIO(data[:_FIRST])
    )


def _log(data: bytes) -> Iterator[Row]:
    for number, line in enumerate(io.BytesIO(data), start=1):
        _require_line(number)
        if _MARK not in line:
            continue
        if len(line) > LONGEST_LINE:
            raise _too_long(number)
        try:
            # Before an entry may stand who wrote it, as `docker compose logs` does.
            entry = orjson.loads(line[line.find(b"{") :])
            event, time = entry["event"], str(entry[_LOGGED])
            # One entry a request, by provider; in logs of earlier versions, one a provider.
            asked = entry.get(_KEYS) or {str(entry.get("provider")): entry[_KEY]}
            keys = [str(key) for provider, key in asked.items() if provider not in LOCAL]
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
            raise TraceRefused(
                f"an entry of {EVENT} needs {_LOGGED} and {_KEYS}, as JSON.",
                line=number,
                value=line[:SHOWN].decode("utf-8", "replace").rstrip("\r\n"),
            ) from error
        # What this machine answers by itself costs no service a call.
        for key in keys if event == EVENT else ():
            yield number, time, key


def _table(data: bytes, is_time: Callable[[str], bool]) -> Iterator[Row]:
    found = _fields(data)
    line, first = next(((line, row) for line, row in found if any(row)), (0, []))
    if not first:
        return
    named = [field.strip().lower() for field in first]
    time_at, key_at = 0, 1
    if _TIME in named and _KEY in named:
        time_at, key_at = named.index(_TIME), named.index(_KEY)
    elif len(first) < 2 or not is_time(first[0].strip()):  # noqa: PLR2004 - a time and a key
        raise _no_columns(line, first, named)
    else:
        yield line, first[0].strip(), first[1]
    for line, fields in found:
        if len(fields) > len(first):
            raise TraceRefused(
                f"it has {len(fields):,} fields, the first line {len(first):,}. Put quotes around a key"
                " that holds a comma.",
                line=line,
                value=",".join(fields)[:SHOWN],
            )
        time = fields[time_at].strip() if time_at < len(fields) else ""
        key = fields[key_at] if key_at < len(fields) else ""
        if time or key:
            yield line, time, key


def _no_columns(line: int, first: list[str], named: list[str]) -> TraceRefused:
    missing = [name for name in (_TIME, _KEY) if name not in named]
    which = (
        f"the columns {_TIME} and {_KEY} are" if len(missing) > 1 else f"the column {missing[0]} is"
    )
    return TraceRefused(
        f"{which} missing. Name them there, with a comma between; without names, each line is a time"
        " and a key.",
        line=line,
        value=",".join(first)[:SHOWN],
    )


def _fields(data: bytes) -> Iterator[tuple[int, list[str]]]:
    """Yield each row with the number of the line it begins in."""
    text = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8-sig", newline="")
    reader = csv.reader(_lines(text), strict=True)
    begin = 1
    try:
        for fields in reader:
            yield begin, fields
            begin = reader.line_num + 1
    except csv.Error as error:
        raise TraceRefused(
            "its quotes do not match. A key in quotes ends in one, and a quote within is written twice.",
            line=begin,
        ) from error
    except UnicodeDecodeError as error:
        raise TraceRefused("it is not UTF-8 text. Save it as CSV in UTF-8.") from error


def _lines(text: io.TextIOWrapper) -> Iterator[str]:
    number = 0
    while line := text.readline(LONGEST_LINE + 1):
        number += 1
        _require_line(number)
        if len(line) > LONGEST_LINE:
            raise _too_long(number)
        yield line


def _require_line(number: int) -> None:
    if number > MOST_LINES:
        raise TraceRefused(
            f"it has more than {MOST_LINES:,} lines. Give a part of it.",
            value=number,
            limit=MOST_LINES,
        )


def _too_long(line: int) -> TraceRefused:
    return TraceRefused(
        f"it is longer than {LONGEST_LINE:,} characters. A trace has one request a line.",
        line=line,
        limit=LONGEST_LINE,
    )
