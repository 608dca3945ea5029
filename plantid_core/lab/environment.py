"""Settings tried in the lab, as lines for the app's environment."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from plantid_core.palette import percent

if TYPE_CHECKING:
    from plantid_core.lab.record import Record
    from plantid_core.lab.workload import Workload

_EARLY: Final = frozenset({"xfetch", "xfetch+lock", "lease"})
_NOT_SET = "arrivals, recompute time, processes and failure rate are the world's, not settings."


def lines(workload: Workload, strategy: str, record: Record | None = None) -> str:
    """Return ``PLANTID_…=value`` lines, durations in seconds, as `plantid_core.settings` reads them.

    With a ``record`` of such a run, comments say what it foretold. A strategy that never recomputes
    early gets β = 0. The app itself keeps every key by ``lease``; for another strategy a comment says so.
    """
    return "\n".join([*_comments(strategy, record), *_settings(workload, strategy), ""])


def _settings(workload: Workload, strategy: str) -> list[str]:
    values = {
        "SOFT_TTL_S": workload.soft_s,
        "HARD_TTL_S": workload.ttl_s,
        "TTL_JITTER": workload.jitter,
        "EARLY_BETA": workload.beta if strategy in _EARLY else 0.0,
        "LEASE_S": workload.lease_s,
    }
    return [f"PLANTID_{name}={_number(value)}" for name, value in values.items()]


def _number(value: float) -> str:
    return repr(int(value)) if float(value).is_integer() else repr(float(value))


def _comments(strategy: str, record: Record | None) -> list[str]:
    said = [f"# Found in the Stampede lab with {strategy}; {_NOT_SET}"]
    if strategy != "lease":
        said.append(
            f"# The app keeps its keys by lease: of {strategy}, it takes these values alone."
        )
    if record is not None:
        said += [f"# {sentence}" for sentence in _foretold(record)]
    return said


def _foretold(record: Record) -> list[str]:
    found, load = record.summary().iloc[0], record.workload
    keys = "1 key" if load.keys == 1 else f"{load.keys:,} keys"
    asked = (
        f"Foretold for {load.rate:g} requests/s on {keys}, each value made in"
        f" {load.recompute.mean_s:g} s ({record.source}, seed {record.seed}):"
    )
    per_expiry = found["calls_per_expiry"]
    calls = "no expiry" if math.isnan(per_expiry) else f"{per_expiry:.2f} calls an expiry"
    return [
        asked,
        (
            f"{calls}, {found['upstream_mean_per_s']:.3g} calls/s upstream,"
            f" longest wait {found['wait_longest_s']:.3g} s, {_stale(found['stale_share'])}."
        ),
    ]


def _stale(share: float) -> str:
    return f"{percent(share)} of answers stale" if share else "no answer stale"
