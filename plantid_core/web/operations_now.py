"""*Operations*, now: four tiles, health, breakers, quotas, the cache, connections; drawn anew by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import streamlit as st

from plantid_core.palette import COLOURS, NEUTRAL, TITLES, age, percent
from plantid_core.telemetry.totals import totals
from plantid_core.web import breaker_panel, operations_breakers
from plantid_core.web.operations_table import Row, bar, heading, offer, table

if TYPE_CHECKING:
    from plantid_core.desk import Desk
    from plantid_core.resilience.breaker_settings import BreakerReport
    from plantid_core.telemetry.totals import Totals
    from plantid_core.workbench import Readiness

_EVERY_S: Final = 3.0
# How an answer came by, in the order in which it is looked for.
_CACHE: Final = {
    "near_hit": "from this process's memory",
    "hit": "from Redis",
    "hit_after_wait": "from Redis, after somebody else's call",
    "stale": "stale, while the service is away",
    "negative": "known not to be known",
    "error": "a failure, remembered for a moment",
    "miss": "asked the service",
    "early": "asked again before it expired",
    "takeover": "taken over from a process that was gone",
    "degraded": "without Redis",
    "corrupt": "unreadable, thrown away",
    "late_commit": "too late, refused",
}


def show(desk: Desk) -> None:
    """Draw the tab."""
    desk.require("operations.see")
    st.fragment(_standing, run_every=_EVERY_S)(desk)
    operations_breakers.by_hand(desk)
    st.fragment(_use, run_every=_EVERY_S)(desk)
    offer("operations", lambda: _figures(desk), "Download these figures (CSV)")


def _standing(desk: Desk) -> None:
    desk.require("operations.see")
    _tiles(totals())
    _health(desk, desk.readiness())
    heading("Breakers")
    _breakers(desk.breaker_reports())


def _use(desk: Desk) -> None:
    desk.require("operations.see")
    state = desk.readiness()
    left, right = st.columns(2, gap="large")
    with left:
        heading("Credits and quotas")
        _quotas(state)
    with right:
        heading("Connections and queues")
        table("Connections and queues", _connections(desk, state))
    heading("Where answers came from")
    _cache(state)


def _tiles(counted: Totals) -> None:
    with st.container(key="operations_tiles"):
        answered, cached, saved, degraded = st.columns(4)
    answered.metric(
        "Answered",
        f"{counted.answered:,}",
        f"{counted.unanswered:,} without any answer",
        delta_color="off",
        delta_arrow="off",
        border=True,
    )
    rate = counted.cache_rate
    cached.metric(
        "From a cache",
        "–" if rate is None else percent(rate),
        f"{counted.from_cache:,} of {counted.from_cache + counted.upstream:,} answers",
        delta_color="off",
        delta_arrow="off",
        border=True,
    )
    saved.metric(
        "Credits saved",
        f"{counted.credits_saved:,}",
        f"{counted.credits_spent:,} spent",
        delta_color="off",
        delta_arrow="off",
        border=True,
    )
    seconds = sum(counted.degraded_s.values())
    away = ", ".join(TITLES.get(part, part) for part, s in counted.degraded_s.items() if s)
    degraded.metric(
        "Degraded",
        age(seconds),
        f"without {away}" if away else "all parts were there",
        delta_color="off",
        delta_arrow="off",
        border=True,
    )


def _health(desk: Desk, state: Readiness) -> None:
    degraded = [TITLES.get(name, name) for name in state["degraded"]]
    if not state["ready"]:
        st.error("No provider can be asked. Look at the breakers below.", icon=":material/error:")
    elif degraded:
        st.warning(
            f"It answers, without {', '.join(degraded)}. People see it as a badge.",
            icon=":material/warning:",
        )
    else:
        st.success("All parts are there.", icon=":material/check_circle:")
    sandbox = [
        TITLES.get(name, name) for name, how in state["providers"].items() if how == "sandbox"
    ]
    if sandbox:
        st.caption(f"{' and '.join(sandbox)}: answered by the sandbox, which knows no botany.")
    if not desk.settings.production:
        st.caption("This is a development environment: strangers may ask.")


def _breakers(reports: list[BreakerReport]) -> None:
    for column, report in zip(st.columns(max(1, len(reports))), reports, strict=False):
        with column, st.container(border=True):
            name = report["name"]
            title = TITLES.get(name, name.capitalize())
            colour = COLOURS.get(name, NEUTRAL)
            st.html(f'<div class="pid-title" style="border-color:{colour}">{title}</div>')
            breaker_panel.badge(report["state"], operations_breakers.held(report["forced"]))
            st.html(f'<div class="pid-small">{_told(report)}</div>')


def _told(report: BreakerReport) -> str:
    parts = [f"{report['failures']} failures in a row"]
    if report["failure_rate"]:
        parts.append(f"{percent(report['failure_rate'])} of calls failed")
    if report["slow_rate"]:
        parts.append(f"{percent(report['slow_rate'])} were slow")
    if report["opened_at"]:
        parts.append(f"open since {_time(report['opened_at'])}")
    if report["opens_until"]:
        parts.append(f"asked again at {_time(report['opens_until'])}")
    return " · ".join(parts)


def _time(moment: str) -> str:
    return f"{moment[11:19]} UTC"


def _quotas(state: Readiness) -> None:
    for name, quota in state["quotas"].items():
        title, spending = TITLES.get(name, name), state["credits"][name]
        limit, remaining = quota["limit"], quota["remaining"]
        if limit:
            sentence = f"{quota['used']:,} of {limit:,} credits used today"
            bars = bar(quota["used"] / limit, f"{title}: {sentence}", COLOURS.get(name, NEUTRAL))
        else:
            sentence, bars = f"{quota['used']:,} credits used today, no limit is set here", ""
        whose = "" if limit else "the service says "
        left = "" if remaining is None else f"; {whose}{remaining:,} left"
        st.html(
            f"<div><b>{title}</b>: {sentence}{left}{bars}"
            f'<div class="pid-small">{spending["spent"]:,} spent and {spending["saved"]:,} saved by this'
            " process</div></div>"
        )


def _connections(desk: Desk, state: Readiness) -> list[Row]:
    counters, kept = state["counters"], state["history"]
    rows: list[Row] = [
        {"part": "Redis", "now": "answers" if state["redis"] == "ok" else "does not answer"},
        {
            "part": "Redis connections",
            "now": f"{counters['redis_connections_in_use']} of"
            f" {counters['redis_connections_max']} in use,"
            f" {counters['redis_connections_waiting']} wait",
        },
        {
            "part": "News of other processes",
            "now": "heard"
            if desk.workbench_for("operations.see").cache.listening()
            else "not heard: each answer is looked up",
        },
        {
            "part": "History, to be written",
            "now": f"{kept['queued']} wait, {kept['failed']} failed",
        },
    ]
    for name, use in state["bulkheads"].items():
        told = f"{use['in_use']} under way, {use['waiting']} wait, {use['shed']} turned away"
        rows.append({"part": f"Calls of {TITLES.get(name, name)}", "now": told})
    return rows


def _cache(state: Readiness) -> None:
    counts = {name: state["counters"].get(f"cache_{name}", 0) for name in _CACHE}
    seen = {name: count for name, count in counts.items() if count}
    if not seen:
        st.caption("Nothing has been asked of this process yet. Identify a plant, and come back.")
        return
    whole = sum(seen.values())
    table(
        "Where answers came from",
        [
            {"how": _CACHE[name], "times": count, "share": percent(count / whole)}
            for name, count in seen.items()
        ],
    )


def _figures(desk: Desk) -> list[Row]:
    """Return every figure of the tab, a row each."""
    desk.require("operations.see")
    counted, state = totals(), desk.readiness()
    rows: list[tuple[str, str, object]] = [
        ("answered", "all", counted.answered),
        ("unanswered", "all", counted.unanswered),
        ("from_cache", "all", counted.from_cache),
        ("upstream", "all", counted.upstream),
        ("credits_saved", "all", counted.credits_saved),
        ("credits_spent", "all", counted.credits_spent),
        ("throttled", "all", counted.throttled),
        *(("answered_by_rung", rung, count) for rung, count in counted.by_rung.items()),
        *(("degraded_s", part, round(s, 3)) for part, s in counted.degraded_s.items()),
        *(("counter", name, count) for name, count in state["counters"].items()),
        *(("breaker", report["name"], report["state"]) for report in desk.breaker_reports()),
        *(
            (f"quota_{field}", name, quota[field])
            for name, quota in state["quotas"].items()
            for field in ("limit", "used", "remaining")
        ),
    ]
    return [{"figure": figure, "of": of, "value": value} for figure, of, value in rows]
