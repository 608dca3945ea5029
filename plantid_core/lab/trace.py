"""An engineer's own trace: read, described, and replayed through any strategy.

Two forms are read, each also compressed by gzip. A *table* (CSV) with the columns ``time`` and ``key``;
where the first line names no such columns, the first two are taken. ``time`` is in seconds (of any
beginning, also since 1970) or ISO 8601; the rows may come in any order. A *log* of JSON lines as this
app writes with ``PLANTID_LOG_FORMAT=json``: its lines of the event `EVENT` count, all others are passed
over. No key is kept: each becomes a number, the most popular 0.
"""

from __future__ import annotations

import gzip
import io
import math
import zlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import numpy as np
import orjson
import pandas as pd

from plantid_core.errors import PlantIDError
from plantid_core.lab.workload import MOST_KEYS, Requests

if TYPE_CHECKING:
    from plantid_core.lab.record import Record
    from plantid_core.lab.simulate import Engine
    from plantid_core.lab.workload import Workload

MOST_ROWS = 5_000_000
MOST_BYTES = 200_000_000
EVENT = "identify.asked"

_TIME, _KEY, _LOGGED = "time", "key", "timestamp"
_GZIP = b"\x1f\x8b"
# Beyond the year 5138: such a number counts milliseconds.
_LATEST_S = 1e11
_STEEPEST = 10.0
_SHOWN = 60


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


def read(source: str | Path | bytes) -> Requests:
    """Return the requests of a trace, from its file or its bytes; raises `TraceRefused`."""
    data = _plain(source if isinstance(source, bytes) else _bytes_of(Path(source)))
    if data.lstrip()[:1] == b"{":
        times, keys, lines = _log(data)
    else:
        times, keys, lines = _table(data)
    if keys.empty:
        raise TraceRefused("it holds no request. Each needs a line with a time and a key.", value=0)
    return _requests(_seconds(times, lines), keys, lines)


def describe(requests: Requests) -> pd.DataFrame:
    """Return one row: requests, keys, seconds, rates per second, the top key's share, Zipf's s.

    ``zipf_s`` is the exponent of greatest likelihood for the keys' counts by rank (Clauset, Shalizi,
    Newman 2009, "Power-law distributions in empirical data", SIAM Review 51, equation 3.5, for a
    bounded number of keys); NaN for a single key.
    """
    counts = np.bincount(requests.keys)
    span = requests.duration_s
    _, by_second = np.unique(np.floor(requests.times_s), return_counts=True)
    row = {
        "requests": len(requests.times_s),
        "keys": len(counts),
        "duration_s": span,
        "rate_mean_per_s": len(requests.times_s) / span if span > 0 else math.nan,
        "rate_peak_per_s": int(by_second.max()),
        "top_key_share": float(counts.max() / counts.sum()),
        "zipf_s": _zipf(counts),
    }
    return pd.DataFrame([row])


def replay(
    requests: Requests,
    strategy: str,
    workload: Workload,
    seed: int = 1,
    *,
    engine: Engine = "fast",
) -> Record:
    """Return what a strategy makes of these very requests.

    Of ``workload`` the cache's side counts (TTLs, jitter, β, lease, recompute, processes); its rate,
    duration and keys become the trace's. Raises `TraceRefused` for a trace without a duration.
    """
    from plantid_core.lab import simulate

    return simulate.run(
        strategy, settings(requests, workload), seed, engine=engine, requests=requests
    )


def settings(requests: Requests, workload: Workload) -> Workload:
    """Return the workload with the trace's own rate, duration, number of keys and Zipf exponent."""
    found = describe(requests).iloc[0]
    if not found["duration_s"] > 0:
        raise TraceRefused("all its requests are of one moment; a replay needs time to pass.")
    steepness = found["zipf_s"]
    return replace(
        workload,
        arrivals="poisson",
        rate=float(found["rate_mean_per_s"]),
        duration_s=float(found["duration_s"]),
        keys=int(found["keys"]),
        zipf_s=workload.zipf_s if math.isnan(steepness) else float(steepness),
    )


def _bytes_of(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MOST_BYTES + 1)
    except OSError as error:
        raise TraceRefused(f"{path.name}: {error.strerror}.") from error


def _plain(data: bytes) -> bytes:
    if data[:2] == _GZIP:
        try:
            with gzip.open(io.BytesIO(data)) as packed:
                data = packed.read(MOST_BYTES + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise TraceRefused("it begins as gzip does, but cannot be unpacked.") from error
    if len(data) > MOST_BYTES:
        raise TraceRefused(
            f"it holds more than {MOST_BYTES / 1e6:,.0f} MB. Give a part of it.",
            value=len(data),
            limit=MOST_BYTES,
        )
    return data


Columns = tuple["pd.Series[str]", "pd.Series[str]", "np.ndarray[tuple[int], np.dtype[np.int64]]"]


def _table(data: bytes) -> Columns:
    columns, header = _columns(data)
    try:
        rows = pd.read_csv(
            io.BytesIO(data),
            header=None,
            skiprows=int(header),
            usecols=columns,
            dtype=str,
            nrows=MOST_ROWS + 1,
            skip_blank_lines=False,
            keep_default_na=False,
            encoding="utf-8-sig",
        )
    except pd.errors.EmptyDataError:
        _no_request()
    except UnicodeDecodeError as error:
        raise TraceRefused("it is not UTF-8 text. Save it as CSV in UTF-8.") from error
    except (pd.errors.ParserError, ValueError) as error:
        raise TraceRefused(f"it is no table of two columns ({_short(error)}).") from error
    times, keys = rows[columns[0]].fillna("").str.strip(), rows[columns[1]].fillna("")
    lines = np.arange(1, len(rows) + 1) + int(header)
    some = ((times != "") | (keys != "")).to_numpy()
    return _bounded(times[some], keys[some], lines[some])


def _columns(data: bytes) -> tuple[list[int], bool]:
    """Return which columns hold time and key, and whether the first line names them."""
    first = data.split(b"\n", 1)[0].decode("utf-8-sig", "replace")
    fields = [field.strip().strip('"').lower() for field in first.split(",")]
    if _TIME in fields and _KEY in fields:
        return [fields.index(_TIME), fields.index(_KEY)], True
    if len(fields) < 2:  # noqa: PLR2004 - a time and a key
        raise TraceRefused(
            "it needs two columns, time and key, with a comma between.",
            line=1,
            value=first[:_SHOWN],
        )
    return [0, 1], bool(_as_seconds(pd.Series([fields[0]])).isna().iloc[0])


def _log(data: bytes) -> Columns:
    times, keys, lines = list[str](), list[str](), list[int]()
    mark = f'"{EVENT}"'.encode()
    for number, line in enumerate(data.splitlines(), start=1):
        if mark not in line:
            continue
        try:
            entry = orjson.loads(line)
            time, key = str(entry[_LOGGED]), str(entry[_KEY])
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise TraceRefused(
                f"an entry of {EVENT} needs {_LOGGED} and {_KEY}, as JSON.",
                line=number,
                value=line[:_SHOWN].decode("utf-8", "replace"),
            ) from error
        times.append(time)
        keys.append(key)
        lines.append(number)
        if len(times) > MOST_ROWS:
            break
    return _bounded(
        pd.Series(times, dtype=str), pd.Series(keys, dtype=str), np.array(lines, dtype=np.int64)
    )


def _bounded(times: pd.Series[str], keys: pd.Series[str], lines: np.ndarray) -> Columns:
    if len(times) > MOST_ROWS:
        raise TraceRefused(
            f"it has more than {MOST_ROWS:,} requests. Give a part of it.",
            value=len(times),
            limit=MOST_ROWS,
        )
    return times, keys, lines


def _as_seconds(times: pd.Series[str]) -> pd.Series[float]:
    """Return seconds, NaN for what is no time; the first tells whether they are numbers or dates."""
    numbers = pd.to_numeric(times, errors="coerce")
    if len(times) and np.isnan(numbers.iloc[0]):
        dates = pd.to_datetime(times, errors="coerce", utc=True, format="ISO8601")
        since = (dates - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(seconds=1)
        return since.astype("float64")
    return numbers.astype("float64")


def _seconds(times: pd.Series[str], lines: np.ndarray) -> np.ndarray:
    seconds = _as_seconds(times).to_numpy()
    if len(bad := np.flatnonzero(~np.isfinite(seconds))):
        said = times.iloc[bad[0]][:_SHOWN]
        raise TraceRefused(
            f"{said!r} is no time. Use seconds throughout, or ISO 8601 throughout.",
            line=int(lines[bad[0]]),
            value=said,
        )
    if len(bad := np.flatnonzero(np.abs(seconds) > _LATEST_S)):
        raise TraceRefused(
            "its time is too large for seconds. Divide milliseconds by 1,000.",
            line=int(lines[bad[0]]),
            value=float(seconds[bad[0]]),
            limit=_LATEST_S,
        )
    return seconds


def _requests(seconds: np.ndarray, keys: pd.Series[str], lines: np.ndarray) -> Requests:
    if len(bad := np.flatnonzero((keys == "").to_numpy())):
        raise TraceRefused("it has no key.", line=int(lines[bad[0]]), value="")
    codes, known = pd.factorize(keys)
    if len(known) > MOST_KEYS:
        raise TraceRefused(
            f"it has more than {MOST_KEYS:,} keys.", value=len(known), limit=MOST_KEYS
        )
    counts = np.bincount(codes)
    rank = np.empty(len(known), dtype=np.int64)
    # Stable, so that of equally popular keys the one seen first comes first.
    rank[np.argsort(-counts, kind="stable")] = np.arange(len(known))
    order = np.argsort(seconds, kind="stable")
    return Requests(seconds[order] - seconds[order[0]], rank[codes[order]])


def _zipf(counts: np.ndarray) -> float:
    if len(counts) == 1:
        return math.nan
    from scipy.optimize import minimize_scalar

    sizes = np.sort(counts)[::-1]
    ranks = np.log(np.arange(1, len(sizes) + 1))
    seen, total = float((sizes * ranks).sum()), float(sizes.sum())

    def unlikely(steepness: float) -> float:
        return steepness * seen + total * float(np.log(np.exp(-steepness * ranks).sum()))

    return float(minimize_scalar(unlikely, bounds=(0.0, _STEEPEST), method="bounded").x)


def _no_request() -> NoReturn:
    raise TraceRefused("it holds no request. Each needs a line with a time and a key.", value=0)


def _short(error: Exception) -> str:
    return str(error).splitlines()[0][:120]
