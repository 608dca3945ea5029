"""An engineer's own trace: read, described, and replayed through any strategy.

Two forms are read, each also compressed by gzip. A *table* (CSV) with the columns ``time`` and ``key``; where
the first line holds a time already, the first two columns are taken. ``time`` is in seconds (of any
beginning, also since 1970) or ISO 8601; the rows may come in any order. A *log* of JSON lines as this
app writes with ``PLANTID_LOG_FORMAT=json``: its lines of the event `EVENT` count, all others are passed
over, and so are those of providers on this machine, which cost no service a call. No key is kept: each
becomes a number, the most popular 0.
"""

from __future__ import annotations

import gzip
import io
import itertools
import math
import zlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from plantid_core.lab import trace_lines
from plantid_core.lab.simulate.fast_limits import MOST_SECONDS
from plantid_core.lab.trace_lines import EVENT, SHOWN, TraceRefused
from plantid_core.lab.workload import MOST_KEYS, Requests

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from plantid_core.lab.record import Record
    from plantid_core.lab.simulate import Engine
    from plantid_core.lab.trace_lines import Row
    from plantid_core.lab.workload import Floats, Workload

    Hashes = npt.NDArray[np.uint64]

__all__ = ["EVENT", "TraceRefused", "describe", "read", "replay", "settings"]

# A replay of so many, none of them a hit, takes some 700 MB; of ordinary traffic some 500.
MOST_ROWS = 2_000_000
MOST_BYTES = 200_000_000

_GZIP = b"\x1f\x8b"
# Beyond the year 5138: such a number counts milliseconds.
_LATEST_S = 1e11
# What nanoseconds in 64 bits can tell.
_YEARS = 1678, 2261
_STEEPEST = 10.0
# So many rows are text at a time.
_PART = 20_000


def read(source: str | Path | bytes) -> Requests:
    """Return the requests of a trace, from its file or its bytes; raises `TraceRefused`."""
    data = _plain(source if isinstance(source, bytes) else _bytes_of(Path(source)))
    return _requests(trace_lines.rows(data, _is_time))


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
    duration and keys become the trace's. Raises `TraceRefused` for a trace without a duration, or of more
    than `MOST_SECONDS`.
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
    if found["duration_s"] > MOST_SECONDS:
        raise TraceRefused(
            f"it lasts {found['duration_s']:,.0f} s, and a replay at most {MOST_SECONDS:,} s. Give a part"
            " of it.",
            value=float(found["duration_s"]),
            limit=MOST_SECONDS,
        )
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


def _requests(rows: Iterator[Row]) -> Requests:
    seconds: list[Floats] = []
    hashes: list[Hashes] = []
    dates, count = None, 0
    while part := list(itertools.islice(rows, _PART)):
        count += len(part)
        if count > MOST_ROWS:
            raise TraceRefused(
                f"it has more than {MOST_ROWS:,} requests. Give a part of it.",
                value=count,
                limit=MOST_ROWS,
            )
        if dates is None:
            dates = _is_date(part[0][1])
        seconds.append(_seconds(part, dates=dates))
        hashes.append(_hashes(part))
    if not count:
        raise TraceRefused(
            "it holds no request. Each needs a line with a time and a key; a log, entries of"
            f" {EVENT} for a service.",
            value=0,
        )
    return _ordered(np.concatenate(seconds), np.concatenate(hashes))


def _hashes(part: list[Row]) -> Hashes:
    for line, _, key in part:
        if not key:
            raise TraceRefused("it has no key.", line=line, value="")
    # 64 bits a key: of a million keys, two are taken for one with a chance of 3 in 10⁸.
    return pd.util.hash_array(np.array([key for *_, key in part], dtype=object), categorize=False)


def _ordered(seconds: Floats, hashes: Hashes) -> Requests:
    codes, known = pd.factorize(hashes)
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


def _is_date(time: str) -> bool:
    return bool(np.isnan(_as_seconds([time], dates=False)[0]))


def _is_time(said: str) -> bool:
    return bool(np.isfinite(_as_seconds([said], dates=_is_date(said))[0]))


def _as_seconds(times: list[str], *, dates: bool) -> Floats:
    """Return seconds, NaN for what is no time, or no date from 1678 to 2261."""
    said = pd.Series(times, dtype=object)
    if not dates:
        return pd.to_numeric(said, errors="coerce").to_numpy(np.float64)
    found = pd.to_datetime(said, errors="coerce", utc=True, format="ISO8601")
    found = found.where(found.dt.year.between(*_YEARS))
    micros = found.dt.as_unit("us").astype("int64").to_numpy()
    return np.where(found.isna(), np.nan, micros / 1e6)


def _seconds(part: list[Row], *, dates: bool) -> Floats:
    seconds = _as_seconds([time for _, time, _ in part], dates=dates)
    if len(bad := np.flatnonzero(~np.isfinite(seconds))):
        line, time, _ = part[bad[0]]
        said = time[:SHOWN]
        raise TraceRefused(
            f"{said!r} is no time. Use seconds throughout, or ISO 8601 throughout.",
            line=line,
            value=said,
        )
    if len(bad := np.flatnonzero(np.abs(seconds) > _LATEST_S)):
        raise TraceRefused(
            "its time is too large for seconds. Divide milliseconds by 1,000.",
            line=part[bad[0]][0],
            value=float(seconds[bad[0]]),
            limit=_LATEST_S,
        )
    return seconds


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
