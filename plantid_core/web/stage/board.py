"""The drawing of *Failure demo*: map, ticker, switches, script and drills."""

from __future__ import annotations

import datetime as dt
from functools import partial
from html import escape
from typing import TYPE_CHECKING
from uuid import uuid4

import orjson
import streamlit as st

from plantid_core.drill import NAMES
from plantid_core.palette import duration
from plantid_core.web.stage import system_map
from plantid_core.web.stage.script import LENGTH_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from plantid_core.drill import Entry
    from plantid_core.drill.report import Figure
    from plantid_core.web.stage.rehearsal import Rehearsal
    from plantid_core.web.stage.seat import Seat
    from plantid_core.web.stage.switches import Switch
    from plantid_core.web.stage.theatre import Stage
    from plantid_core.web.stage.ticker import Figures

_STYLE = """<style>
.stMainBlockContainer{padding:3.5rem clamp(1rem,3vw,3rem) 2rem}
[data-stale=true]{opacity:1!important;transition:none!important} /* it is drawn anew each second */
.pid-map{display:flex;align-items:stretch;gap:.2rem;margin:.2rem 0 .4rem}
.pid-room{flex:1 1 0;min-width:0;display:flex;flex-direction:column;gap:.45rem}
.pid-room>i{font-style:normal;font-size:.85rem;opacity:.75;text-align:center}
.pid-way{align-self:center;font-size:1.3rem;opacity:.75}
.pid-part{flex:1;border:2px solid;border-top-width:8px;border-radius:8px;padding:.5rem .6rem;
min-height:8rem;display:flex;flex-direction:column;justify-content:center}
.pid-part b{font-size:1.1rem;font-weight:600}
.pid-part strong{text-wrap:balance;font-size:1.4rem;line-height:1.2;margin:.15rem 0 .3rem}
.pid-part small{font-size:.92rem;line-height:1.3;font-variant-numeric:tabular-nums}
.pid-well{border-color:#009E73;background:rgba(0,158,115,.12)}
.pid-degraded{border-color:#E69F00;background:rgba(230,159,0,.18)}
.pid-broken{border-color:#D55E00;border-style:dashed;border-top-style:solid;background:rgba(213,94,0,.2)}
.pid-ticker{display:grid;grid-template-columns:repeat(3,1fr);margin:.4rem 0;text-align:center}
.pid-ticker b{font-size:3.4rem;line-height:1.1;font-variant-numeric:tabular-nums;display:block}
.pid-ticker span{font-size:1.15rem}
.pid-ticker span+span{border-left:1px solid rgba(128,128,128,.45)}
.pid-ticker .pid-alarm{border-radius:8px;background:#D55E00;color:#fff}
.pid-rungs{text-align:center;font-size:.95rem}
.pid-caption{font-size:1.5rem;line-height:1.35;border-left:6px solid #E69F00;padding-left:.8rem;
min-height:4rem}
.stHtml .pid-log{margin:0;padding:0;list-style:none;font-size:.95rem;font-variant-numeric:tabular-nums}
.st-key-switches button,.st-key-direction button{min-height:3.6rem}
.st-key-switches button p,.st-key-direction button p{font-size:1.1rem;font-weight:600}
@media(max-width:820px){.pid-map{flex-direction:column}.pid-way{transform:rotate(90deg);line-height:1}
.pid-room{flex-direction:row;flex-wrap:wrap}.pid-room>i{flex:1 0 100%;text-align:left}
.pid-part{min-height:0}.pid-ticker b{font-size:2rem}.pid-ticker span{font-size:.95rem}
.pid-caption{font-size:1.25rem}}
</style>"""
_SHOWN = 5
_PEOPLE: Switch = "people"
_RUNGS = {
    "fresh": "by all",
    "stale": "by an earlier answer",
    "other": "by the others",
    "offline": "by the offline model alone",
}


def style() -> None:
    """Give the page what its parts are dressed in."""
    st.html(_STYLE)


def session() -> str:
    """Return what this visitor's page is known by on the stage."""
    return str(st.session_state.setdefault("on_stage_as", uuid4().hex))


def ticker(figures: Figures) -> str:
    """Return the ticker as HTML."""
    alarm = ' class="pid-alarm"' if figures.failed else ""
    rungs = " · ".join(
        f"{count:,} {_RUNGS[rung]}" for rung, count in figures.rungs.items() if count
    )
    pace = f"slowest of late {duration(figures.slowest_ms)}" if figures.lately else ""
    small = " · ".join(filter(None, (rungs, pace))) or "Nobody has asked yet."
    return (
        f'<div class="pid-ticker" role="status"><span><b>{figures.answered:,}</b>answered</span>'
        f"<span{alarm}><b>{figures.failed:,}</b>failed</span>"
        f"<span><b>{figures.saved:,}</b>credits saved</span></div>"
        f'<div class="pid-rungs">{escape(small)}</div>'
    )


@st.fragment(run_every=1.0)
def live(seat: Seat) -> None:
    """Draw all that moves, once a second: map, ticker, script, switches and events."""
    seat.seen()
    stage = seat.stage
    _refusals(seat)
    _caption(stage)
    st.html(system_map.drawn(system_map.rooms(stage)))
    st.html(ticker(stage.ticker.figures()))
    with st.container(horizontal=True, key="direction"):
        _direction(seat)
    with st.container(key="switches"):
        _switches(seat)
    _events(stage)


def _refusals(seat: Seat) -> None:
    if refusal := seat.refusal():
        st.warning(f"{refusal} You can look at the picture.", icon=":material/lock:")
    elif not seat.free:
        st.info(
            "Somebody else is on stage. You can watch; the switches are yours when they have pressed"
            " *Reset everything*, or left.",
            icon=":material/theater_comedy:",
        )


def _caption(stage: Stage) -> None:
    performance = stage.performance
    moment = None if performance is None else performance.moment()
    if moment is None:
        return
    st.html(f'<div class="pid-caption" role="status">{escape(moment.caption)}</div>')
    st.progress(moment.share, text=f"{clock(moment.left_s)} left of {clock(LENGTH_S)}")


def clock(seconds: float) -> str:
    """Return a length of time as minutes and seconds: 4:07."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}"


def _direction(seat: Seat) -> None:
    if seat.stage.performance is None:
        label, switch, act = "Play the five-minute show", _PEOPLE, seat.play
    else:
        label, switch, act = "Stop the show", None, seat.stop
    _button(seat, label, switch, act, key="show", first=True)
    _button(seat, "Reset everything", None, partial(seat.press, "reset"), key="reset")


def _switches(seat: Seat) -> None:
    switches, traffic = seat.stage.switches, seat.stage.traffic
    hanging = switches.frozen
    down, slow = "plant_id" in switches.out, "plantnet" in switches.slow
    rows: tuple[tuple[tuple[str, Switch, str], ...], ...] = (
        (
            ("Kill Redis", "store", "kill_store"),
            ("Let Redis go on", "store", "thaw_store")
            if hanging
            else ("Freeze Redis", "store", "freeze_store"),
            ("Bring Plant.id back", "plant_id", "plant_id_back")
            if down
            else ("Take Plant.id down", "plant_id", "plant_id_out"),
            ("Make Pl@ntNet quick", "plantnet", "plantnet_back")
            if slow
            else ("Slow Pl@ntNet", "plantnet", "plantnet_slow"),
        ),
        (
            ("Send a bomb", "bomb", "bomb"),
            ("1,000 people at once", "people", "crowd"),
            ("Send people home", "people", "quiet")
            if traffic.running
            else ("2 people a second", "people", "traffic"),
        ),
    )
    for number, row in enumerate(rows):
        with st.container(horizontal=True, key=f"switches-{number}"):
            for place, (label, switch, action) in enumerate(row):
                key = f"switch-{number}-{place}"
                _button(seat, label, switch, partial(seat.press, action), key=key)


def _button(
    seat: Seat,
    label: str,
    switch: Switch | None,
    act: Callable[[], None],
    *,
    key: str,
    first: bool = False,
) -> None:
    # A button that changes its words stays the same button: its key is its place.
    refusal = seat.refusal(switch)
    taken = None if seat.free else "Somebody else is on stage."
    st.button(
        label,
        key=key,
        on_click=act,
        disabled=bool(refusal or taken),
        help=refusal or taken,
        type="primary" if first else "secondary",
        width="stretch",
    )


def _events(stage: Stage) -> None:
    events = stage.events()[:_SHOWN]
    if not events:
        st.caption("What happens is told here.")
        return
    items = "".join(f"<li>{_time_of_day(at)} · {escape(sentence)}</li>" for at, sentence in events)
    st.html(f'<ol class="pid-log" aria-label="What happened last, newest first">{items}</ol>')


def _time_of_day(at: float) -> str:
    return f"{dt.datetime.fromtimestamp(at).astimezone():%H:%M:%S}"


@st.fragment(run_every=1.0)
def drills(seat: Seat) -> None:
    """Draw a button a drill, and the drill that runs or ran last."""
    rehearsal = seat.stage.rehearsal
    running = rehearsal is not None and rehearsal.running
    refusal = seat.refusal("drills")
    st.caption(
        "A drill breaks a private store and sandbox with client processes of its own, and checks what"
        " people got. It resets the stage above first, since its times are better measured in quiet."
    )
    with st.container(horizontal=True):
        for name in NAMES:
            st.button(
                name,
                key=f"drill-{name}",
                on_click=partial(seat.rehearse, name),
                disabled=running or refusal is not None or not seat.free,
                help=refusal,
            )
    if rehearsal is not None:
        _rehearsal(seat, rehearsal)


def _rehearsal(seat: Seat, rehearsal: Rehearsal) -> None:
    report, name = rehearsal.report, rehearsal.name
    if rehearsal.running:
        st.info(f"*{name}* is under way.", icon=":material/timer:")
        st.button("Stop the drill", on_click=seat.stop)
    elif report is None:
        st.warning(f"*{name}*: {rehearsal.fault}", icon=":material/block:")
    elif report.passed:
        st.success(f"*{name}* passed.", icon=":material/check:")
    else:
        reasons = "; ".join(report.failures())
        st.error(f"*{name}* failed. {reasons}", icon=":material/close:")
    if report is not None:
        whole = orjson.dumps(report.to_dict(), option=orjson.OPT_INDENT_2)
        st.download_button("Download report", whole, f"{name}.json", "application/json")
        rows = [
            {"figure": label.replace("_", " "), "value": _rounded(value)}
            for label, value in report.figures.items()
        ]
        st.table(rows)
    if entries := rehearsal.entries():
        items = "".join(_line(entry) for entry in entries)
        st.html(f'<ol class="pid-log" aria-label="The drill\'s timeline">{items}</ol>')


def _rounded(value: Figure) -> str:
    return f"{value:,.1f}" if isinstance(value, float) else str(value)


def _line(entry: Entry) -> str:
    detail = f": {entry.detail}" if entry.detail else ""
    return f"<li>{entry.t_s:6.2f} s · {escape(f'{entry.who} {entry.event}{detail}')}</li>"
