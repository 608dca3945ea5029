"""What a run left behind, in one shape for the simulators and for real processes: tidy tables.

``requests``: one row a request (a sample of them, where there were too many; ``weight`` says how many
each row stands for): ``t_s`` when it came, ``key``, ``process``, ``wait_s`` until it had its answer,
``how`` (see `HOW`; *stale* is whatever is older than the workload's soft TTL, also where a strategy
knows none), ``age_s`` of the value it got.

``calls``: one row a call upstream: ``begin_s``, ``end_s``, ``key``, ``process``, ``early`` (made before the
value's soft expiry), ``failed``.

``expiries``: one row each time a value had to be made anew: ``t_s`` of its first call, ``key``, ``calls``,
``waiters`` (requests that came meanwhile and were not answered at once), ``longest_wait_s``, ``early``.

``upstream``: ``second``, ``calls`` begun in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    import numpy.typing as npt

    from plantid_core.lab.workload import Floats, Workload

Source = Literal["faithful", "fast", "live"]
HOW: Final = ("hit", "stale", "waited", "computed", "failed")

REQUESTS = {"t_s": "float64", "key": "int64", "process": "int64", "wait_s": "float64",
            "how": "category", "age_s": "float64", "weight": "float64"}  # fmt: skip
CALLS = {"begin_s": "float64", "end_s": "float64", "key": "int64", "process": "int64",
         "early": "bool", "failed": "bool"}  # fmt: skip
EXPIRIES = {"t_s": "float64", "key": "int64", "calls": "int64", "waiters": "int64",
            "longest_wait_s": "float64", "early": "bool"}  # fmt: skip
UPSTREAM = {"second": "int64", "calls": "int64"}


@dataclass(frozen=True, slots=True)
class Record:
    """One run of one strategy; the tables are told in the module's text."""

    strategy: str
    source: Source
    workload: Workload
    seed: int
    offered: int
    requests: pd.DataFrame
    calls: pd.DataFrame
    expiries: pd.DataFrame
    upstream: pd.DataFrame

    def summary(self) -> pd.DataFrame:
        """Return the run's figures as one row; durations in seconds."""
        return pd.DataFrame([self._figures()])

    def _figures(self) -> dict[str, object]:
        load, made = self.workload, self.expiries
        waits = quantiles(self.requests, (0.5, 0.99, 0.999))
        weight = self.requests["weight"].sum()
        share = {how: _share(self.requests, how, weight) for how in HOW}
        ages = self.requests.loc[self.requests["how"].isin(["hit", "stale"])]
        stale = self.requests.loc[self.requests["how"] == "stale"]
        calls = int(self.upstream["calls"].sum())
        return {
            "strategy": self.strategy,
            "source": self.source,
            "seed": self.seed,
            "load": load.load,
            "rate": load.rate,
            "beta": load.beta,
            "requests": self.offered,
            "expiries": len(made),
            "calls": calls,
            "calls_per_expiry": float(made["calls"].mean()) if len(made) else float("nan"),
            "stampede_largest": int(made["calls"].max()) if len(made) else 0,
            "waiters_per_expiry": float(made["waiters"].mean()) if len(made) else float("nan"),
            "wait_p50_s": waits[0],
            "wait_p99_s": waits[1],
            "wait_p999_s": waits[2],
            "wait_longest_s": float(self.requests["wait_s"].max()) if len(self.requests) else 0.0,
            "waited_share": share["waited"] + share["computed"],
            "stale_share": share["stale"],
            "failed_share": share["failed"],
            "age_mean_s": _mean(ages, "age_s"),
            "staleness_mean_s": max(0.0, _mean(stale, "age_s") - load.soft_s)
            if len(stale)
            else 0.0,
            "wasted_early": int((made["calls"] - 1).clip(lower=0)[made["early"]].sum()),
            "upstream_mean_per_s": calls / load.duration_s,
            "upstream_peak_per_s": int(self.upstream["calls"].max()) if len(self.upstream) else 0,
        }


def _share(requests: pd.DataFrame, how: str, weight: float) -> float:
    return float(requests.loc[requests["how"] == how, "weight"].sum() / weight) if weight else 0.0


def _mean(rows: pd.DataFrame, column: str) -> float:
    return float(np.average(rows[column], weights=rows["weight"])) if len(rows) else 0.0


def quantiles(requests: pd.DataFrame, at: tuple[float, ...]) -> list[float]:
    """Return quantiles of ``wait_s`` over all requests, each row counted by its weight."""
    if requests.empty:
        return [float("nan")] * len(at)
    rows = requests[["wait_s", "weight"]].sort_values("wait_s")
    below = rows["weight"].to_numpy().cumsum()
    places = np.searchsorted(below, np.array(at) * below[-1], side="left")
    waits = rows["wait_s"].to_numpy()
    return [float(waits[min(place, len(waits) - 1)]) for place in places]


def table(columns: dict[str, str], **values: object) -> pd.DataFrame:
    """Return a table of the given shape; a category column takes its words or their codes."""
    return pd.DataFrame({name: _column(kind, values[name]) for name, kind in columns.items()})


def _column(kind: str, values: object) -> npt.NDArray[np.generic] | pd.Categorical[str]:
    if kind != "category":
        return np.asarray(values, dtype=kind)
    words = np.asarray(values)
    if np.issubdtype(words.dtype, np.integer):
        return pd.Categorical.from_codes(words.astype(np.int64), categories=pd.Index(HOW))
    return pd.Categorical(words, categories=list(HOW))


def expiries_of(calls: pd.DataFrame, requests: pd.DataFrame, grace_s: float = 0.0) -> pd.DataFrame:
    """Return the ``expiries`` of calls and of all requests that were not answered at once.

    An expiry is over with the end of its first call that succeeds. What begins before that, or
    within ``grace_s`` after (the time a value needs to be known everywhere), did its work again.
    """
    slow = requests.loc[requests["how"].isin(["waited", "computed", "failed"])]
    made = calls.sort_values(["key", "begin_s"])
    keys, firsts = made["key"].to_numpy(), _firsts(made, grace_s)
    if not len(firsts):
        return table(EXPIRIES, **{name: [] for name in EXPIRIES})
    starts, owner = made["begin_s"].to_numpy()[firsts], keys[firsts]
    group = _placed(owner, starts, slow)
    longest = np.zeros(len(firsts))
    np.maximum.at(longest, group, slow["wait_s"].to_numpy())
    found = table(
        EXPIRIES,
        t_s=starts,
        key=owner,
        calls=np.diff(np.append(firsts, len(made))),
        waiters=np.bincount(group, minlength=len(firsts)),
        longest_wait_s=longest,
        early=made["early"].to_numpy()[firsts],
    )
    return found.sort_values("t_s", ignore_index=True)


def _firsts(calls: pd.DataFrame, grace_s: float) -> npt.NDArray[np.int64]:
    """Return the places of the calls that open an expiry; calls in the order of keys, then times."""
    rows = zip(
        calls["key"].to_numpy().tolist(),
        calls["begin_s"].to_numpy().tolist(),
        calls["end_s"].to_numpy().tolist(),
        calls["failed"].to_numpy().tolist(),
        strict=True,
    )
    firsts, before, over = list[int](), None, -np.inf
    for place, (key, begin, end, failed) in enumerate(rows):
        if key != before or begin >= over:
            firsts.append(place)
            before, over = key, np.inf
        if not failed:
            over = min(over, end + grace_s)
    return np.array(firsts, dtype=np.int64)


def _placed(
    owner: npt.NDArray[np.int64], starts: Floats, slow: pd.DataFrame
) -> npt.NDArray[np.int64]:
    """Return the expiry of each request that waited: the last one of its key begun by its answer."""
    answered = slow["t_s"].to_numpy() + slow["wait_s"].to_numpy()
    keys = slow["key"].to_numpy()
    order = np.argsort(keys, kind="stable")
    known, lows = np.unique(owner, return_index=True)
    highs = np.append(lows[1:], len(owner))
    own_lows = np.searchsorted(keys[order], known, side="left")
    own_highs = np.searchsorted(keys[order], known, side="right")
    begun = np.zeros(len(slow), dtype=np.int64)
    for low, high, first, last in zip(lows, highs, own_lows, own_highs, strict=True):
        own = order[first:last]
        place = np.searchsorted(starts[low:high], answered[own], side="right") - 1
        begun[own] = low + np.maximum(place, 0)
    return begun


def upstream_of(begins: Floats, duration_s: float) -> pd.DataFrame:
    """Return the calls begun in each second of a run."""
    seconds = int(np.ceil(max(duration_s, 1e-9)))
    placed = np.clip(begins.astype(np.int64), 0, seconds - 1)
    return table(UPSTREAM, second=np.arange(seconds), calls=np.bincount(placed, minlength=seconds))
