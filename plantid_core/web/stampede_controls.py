"""The settings of *Stampede lab*: widgets whose values are in the page's address."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

import streamlit as st

from plantid_core.lab.workload import ARRIVALS, SPREADS, Arrivals, Recompute, Spread, Workload
from plantid_core.resilience import NAMES
from plantid_core.web import links

SHOWN_AT_FIRST: Final = ("none", "redis-lock", "xfetch", "lease")
# More lanes than these are no picture, and take longer than a second.
MOST_LANES: Final = 6
# Around an expiry so many requests are simulated at most: they must be there in a second.
_MOST_REQUESTS: Final = 10_000
_ARRIVAL_WORDS: Final = {
    "poisson": "steady",
    "bursty": "in bursts",
    "diurnal": "a day's rise and fall",
    "flash": "a flash crowd",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person has set: strategies by name, what is asked of them, and the seed of all chance."""

    strategies: tuple[str, ...]
    workload: Workload
    seed: int

    @property
    def window(self) -> tuple[float, float]:
        """Return how many seconds before and after the expiry are worth seeing.

        Early recomputation begins about βΔ ln(λβΔ) before it (Vattani et al., PVLDB 8(8), 2015); a
        later beginning would pile up what had to happen before.
        """
        work, delta = self.workload, self.workload.recompute.mean_s
        rate = work.load / delta
        early = work.beta * delta * (math.log(max(1.0, work.load * work.beta)) + 2.5)
        lead = max(1.5 * delta, 2 / rate, early)
        after = max(3.5 * delta, 4 / rate)
        shrunk = min(1.0, _MOST_REQUESTS / rate / (lead + after))
        return min(lead * shrunk, 0.8 * work.soft_s), min(after * shrunk, 0.8 * work.ttl_s)

    def of(self, strategy: str) -> Workload:
        """Return the workload as one expiry of a strategy is looked at.

        Only the lease knows a soft TTL: the others' values expire at the end of the whole TTL.
        """
        return self.workload if strategy == "lease" else replace(self.workload, soft_ttl_s=None)

    def caveats(self) -> list[str]:
        """Return what one has to know of the lanes under these settings, in sentences."""
        work, said = self.workload, []
        if work.soft_ttl_s is not None and "lease" in self.strategies:
            said.append(
                f"Only lease knows a soft TTL: its lane is around the soft expiry, {work.soft_s:g} s"
                f" after the value was made; the others' are around the end of the TTL,"
                f" {work.ttl_s:g} s after."
            )
        if work.keys > 1 or work.arrivals != "poisson":
            said.append(self._one_key())
        return said

    def _one_key(self) -> str:
        work = self.workload
        return (
            "The lanes show one expiry of the most asked key, under steady traffic at its own rate:"
            f" {work.load / work.recompute.mean_s:.3g} requests a second. Other keys and the shape of"
            " the traffic count in the charts below."
        )


def choose() -> Choice:
    """Draw the widgets, and return what they say."""
    links.by_name(arrivals=_ARRIVAL_WORDS)
    strategies = st.multiselect(
        "Strategies",
        NAMES,
        default=SHOWN_AT_FIRST,
        max_selections=MOST_LANES,
        placeholder="Choose up to six",
        key="strategy",
        wrap=True,
        bind="query-params",
        help="*none*: no protection at all. Those that begin with *seed-* are a well-known write-up's"
        " snippets as written, with only what raises at once mended.",
    )
    rate = _slider("rate", "Requests a second", 1, 200, 40, help="Over all keys and processes: λ.")
    delta = _slider(
        "delta", "Seconds to make a value", 0.05, 1.0, 0.2, step=0.05,
        help="Δ: what one call upstream takes.",
    )  # fmt: skip
    ttl = _slider("ttl", "Seconds a value lives (TTL)", 5, 300, 60)
    beta = _slider(
        "beta", "β of early recomputation", 0.0, 5.0, 1.0, step=0.25,
        help="0: never early. The greater, the earlier; used by xfetch, xfetch+lock and lease.",
    )  # fmt: skip
    with st.expander("More settings", icon=":material/tune:"):
        more = _more()
    work = Workload(
        rate=float(rate),
        duration_s=float(ttl * 50),
        arrivals=more.arrivals,
        burst_s=ttl / 2.0,
        period_s=float(ttl * 25),
        keys=more.keys,
        ttl_s=float(ttl),
        soft_ttl_s=None if more.soft == 100 else ttl * more.soft / 100,  # noqa: PLR2004 - per cent
        jitter=more.jitter / 100,
        beta=float(beta),
        recompute=Recompute(float(delta), more.spread),
        fail_rate=more.fail / 100,
        processes=more.processes,
    )
    return Choice(tuple(name for name in NAMES if name in strategies), work, more.seed)


@dataclass(frozen=True, slots=True)
class _More:
    arrivals: Arrivals
    spread: Spread
    soft: int
    jitter: int
    fail: int
    processes: int
    keys: int
    seed: int


def _more() -> _More:
    arrivals = st.selectbox(
        "How requests come", ARRIVALS, format_func=_ARRIVAL_WORDS.__getitem__,
        key="arrivals", bind="query-params",
    )  # fmt: skip
    spread = st.selectbox(
        "Spread of the making time", SPREADS, key="spread", bind="query-params",
        help="Its mean stays as set.",
    )  # fmt: skip
    soft = _slider(
        "soft", "Fresh for, % of the TTL", 10, 100, 100, step=5,
        help="From then on a value is stale (soft TTL): lease still answers with it while it is made"
        " anew.",
    )  # fmt: skip
    jitter = _slider("jitter", "Jitter of the TTL, %", 0, 50, 0, step=5)
    fail = _slider("fail", "Calls upstream that fail, %", 0, 50, 0, step=5)
    processes = _slider("processes", "Processes", 1, 16, 4)
    keys = _slider(
        "keys", "Keys", 1, 1000, 1, help="With Zipf popularity, exponent 1, in the charts below."
    )
    seed = _slider("seed", "Seed of all chance", 1, 1000, 6)
    return _More(
        arrivals, spread, int(soft), int(jitter), int(fail), int(processes), int(keys), int(seed)
    )


def _slider(
    key: str,
    label: str,
    low: float,
    high: float,
    value: float,
    *,
    step: float = 1,
    help: str | None = None,  # noqa: A002 - Streamlit's name for it
) -> float:
    shown: float = st.slider(
        label, low, high, value, step=step, key=key, bind="query-params", help=help
    )
    return shown
