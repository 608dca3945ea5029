"""Simulations for *Stampede lab*, kept by their settings; and the fast engine's one compilation."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import streamlit as st
import structlog

from plantid_core.errors import PlantIDError
from plantid_core.lab import simulate

if TYPE_CHECKING:
    import pandas as pd

    from plantid_core.lab.record import Record
    from plantid_core.lab.workload import Workload
    from plantid_core.web.stampede_controls import Choice

Readiness = Literal["compiling", "ready", "failed"]
_KEPT: Final = 200
_EXPIRIES: Final = 300
# Beyond so many keys a point takes fewer of the most asked key's expiries: the other keys have theirs.
_KEYS_AT_ONCE: Final = 60
_FEWEST_EXPIRIES: Final = 30
_POINTS: Final = 12
# What the distribution and the trade-off are made of is no longer than this many requests.
_MOST_REQUESTS: Final = 2_000_000


class _Compilation:
    """The fast engine's kernels, compiled behind the page once a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._failed = False

    def readiness(self) -> Readiness:
        """Return how far it is; the first who asks begins it."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._compile, daemon=True, name="warm-up")
                self._thread.start()
        if self._thread.is_alive():
            return "compiling"
        return "failed" if self._failed else "ready"

    def wait(self, seconds: float) -> None:
        """Wait until it is over, at most so long: from the disk's cache it takes but a moment."""
        if self._thread is not None:
            self._thread.join(seconds)

    def _compile(self) -> None:
        try:
            from plantid_core.lab.simulate import fast

            fast.warm_up()
        except Exception as error:  # noqa: BLE001 - a compiler's troubles have no common base
            self._failed = True
            structlog.get_logger().error("fast engine not compiled", exc_info=error)


_compilation = _Compilation()


def readiness(patience_s: float = 0.0) -> Readiness:
    """Return whether the fast engine can be used, having waited for it at most so long."""
    begun = _compilation.readiness()
    if begun == "compiling" and patience_s:
        _compilation.wait(patience_s)
        return _compilation.readiness()
    return begun


def lanes(choice: Choice) -> list[Record]:
    """Return the window around one expiry, a record a strategy; raises `PlantIDError`."""
    lead_s, after_s = choice.window
    return [
        _lane(strategy, choice.of(strategy), choice.seed, lead_s, after_s)
        for strategy in choice.strategies
    ]


@st.cache_data(max_entries=_KEPT, show_spinner=False)
def _lane(strategy: str, workload: Workload, seed: int, lead_s: float, after_s: float) -> Record:
    return simulate.around_expiry(strategy, workload, seed, lead_s=lead_s, after_s=after_s)


@st.cache_data(max_entries=_KEPT, show_spinner=False)
def curve(strategies: tuple[str, ...], workload: Workload, seed: int) -> pd.DataFrame:
    """Return calls per expiry and more at loads from little to much, by the fast engine."""
    from plantid_core.lab.simulate import fast

    top = max(100.0, 2 * workload.load)
    loads = np.geomspace(min(0.1, workload.load / 2), top, _POINTS).tolist()
    share = min(1.0, _KEYS_AT_ONCE / workload.keys)
    expiries = max(_FEWEST_EXPIRIES, round(_EXPIRIES * share))
    return fast.curve(strategies, workload, loads, seed, expiries)


def run(choice: Choice, strategy: str) -> Record:
    """Return a run of many expiries by the fast engine; raises `PlantIDError`."""
    work = choice.workload
    short = replace(work, duration_s=min(work.duration_s, _MOST_REQUESTS / work.rate))
    return _run(strategy, short, choice.seed)


def many(choice: Choice) -> list[Record]:
    """Return such a run of every chosen strategy; raises `PlantIDError`."""
    return [run(choice, strategy) for strategy in choice.strategies]


@st.cache_data(max_entries=_KEPT, show_spinner=False)
def _run(strategy: str, workload: Workload, seed: int) -> Record:
    return simulate.run(strategy, workload, seed, engine="fast")


def tried(choice: Choice) -> tuple[list[Record], str]:
    """Return the lanes and nothing, or no lanes and a sentence of why."""
    try:
        return lanes(choice), ""
    except PlantIDError as error:
        return [], str(error)
