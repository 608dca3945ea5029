"""*Breaker lab*, simulated: one run at once, the contestants beside it, and a sweep of two settings."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import streamlit as st

from plantid_core.lab import breaker_charts, breaker_sim, breaker_sweep_charts
from plantid_core.lab.breaker_sim import AXES, CONTESTANTS, OUTCOMES, SCENARIOS
from plantid_core.web import breaker_panel, links
from plantid_core.web.breaker_sweep_job import SweepBusy, SweepJob

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pandas as pd
    from streamlit.delta_generator import DeltaGenerator

    from plantid_core.lab.breaker_sim import Outcome, Protection, Run, Scenario

_JOB = "breaker_sweep"
_YOURS = "yours"
_BY_TITLE = {scenario.title: scenario for scenario in SCENARIOS.values()}


@st.cache_data(max_entries=64, show_spinner=False)
def _run(protection: Protection, scenario: Scenario, seed: int) -> Run:
    return breaker_sim.run(protection, scenario, seed)


@st.cache_data(max_entries=16, show_spinner=False)
def _compared(protection: Protection, scenario: Scenario, seed: int) -> pd.DataFrame:
    others = [
        other
        for other in CONTESTANTS.values()
        if replace(other, name=protection.name) != protection
    ]
    return breaker_sim.compare([protection, *others], [scenario], [seed])


def show() -> None:
    """Draw the tab."""
    axes = {name: _axis(name) for name in AXES}
    links.by_name(
        scenario={name: scenario.title for name, scenario in SCENARIOS.items()},
        across=axes,
        up=axes,
        figure={name: _figure(name) for name in OUTCOMES},
    )
    left, right = st.columns([1, 2], gap="large")
    with left:
        scenario, seed, shown = _scene()
        protection = breaker_panel.settings()
        if protection is not None:
            breaker_panel.take_away(protection)
    with right:
        if protection is None:
            st.info(
                "Here you will see what the breaker would have done, once its settings can be.",
                icon=":material/show_chart:",
            )
            return
        _one(CONTESTANTS.get(shown, protection), scenario, seed)
        one, many = st.tabs(
            ["Beside others", "Sweep two settings"],
            key="view",
            on_change="rerun",
            bind="query-params",
        )
        with one:
            _others(protection, scenario, seed)
        with many:
            _sweep(protection, scenario)


def _scene() -> tuple[Scenario, int, str]:
    with st.container(border=True):
        title = st.segmented_control(
            "What happens to the service",
            list(_BY_TITLE),
            default="Outage",
            required=True,
            key="scenario",
            bind="query-params",
        )
        scenario = _BY_TITLE[str(title)]
        st.caption(scenario.story)
        rate = st.slider("Requests a second", 1, 50, 10, key="rate", bind="query-params")
        seed = st.number_input(
            "Seed", 0, 9999, 1, key="seed", bind="query-params", help="Another one, another chance"
        )
        shown = st.selectbox(
            "Whose run is drawn", [_YOURS, *CONTESTANTS], key="shown", bind="query-params"
        )
    return replace(scenario, rate=float(rate)), int(seed), str(shown)


def _one(protection: Protection, scenario: Scenario, seed: int) -> None:
    run = _run(protection, scenario, seed)
    sentence = breaker_charts.ribbon_finding(run)
    spells = [(ill.begin_s, ill.end_s) for ill in run.scenario.spells]
    figure = breaker_charts.ribbon(
        run.timeline, run.states, spells, span_s=breaker_charts.trouble(run)
    )
    breaker_panel.chart(figure, sentence, "simulated-ribbon")
    breaker_panel.finding(sentence)
    breaker_panel.downloads("run", run.timeline, figure)


def _others(protection: Protection, scenario: Scenario, seed: int) -> None:
    with st.spinner("Everybody meets the same requests …"):
        rows = _compared(protection, scenario, seed)
    sentence = breaker_sweep_charts.trade_off_finding(rows)
    figure = breaker_sweep_charts.trade_off(rows)
    breaker_panel.chart(figure, sentence, "trade-off")
    breaker_panel.finding(sentence)
    columns = ["protection", *OUTCOMES]
    shown = rows[columns].assign(availability=rows["availability"] * 100)
    st.dataframe(
        shown,
        hide_index=True,
        alt="Every contestant's figures",
        placeholder="–",
        column_config={
            "protection": st.column_config.TextColumn("who", pinned=True),
            **{
                name: st.column_config.NumberColumn(
                    figure_of.title if figure_of.unit == "calls" else _unit(figure_of),
                    format="%d" if figure_of.unit == "calls" else "%.1f",
                )
                for name, figure_of in OUTCOMES.items()
            },
        },
    )
    st.caption(
        "*pybreaker* holds a lock while it calls, so that a process's calls go through it one after"
        " another; *unlocked* shows its rule without that."
    )
    breaker_panel.downloads("contestants", rows, figure)


def _sweep(protection: Protection, scenario: Scenario) -> None:
    left, right = st.columns(2)
    across = _named(left, "Across", _from("reset_timeout", AXES), _axis)
    up = _named(right, "Up", _from("fail_max", AXES), _axis)
    outcome = _named(left, "Figure", _from("time_to_recover_s", OUTCOMES), _figure)
    seeds = right.slider(
        "Runs a point",
        1,
        12,
        2,
        key="runs",
        bind="query-params",
        help="Each with a seed of its own",
    )
    job: SweepJob | None = st.session_state.get(_JOB)
    if across == up:
        st.info("Choose two different settings.", icon=":material/grid_on:")
        return
    if job is not None and job.running:
        st.fragment(_progress, run_every=0.5)(job)
        return
    if st.button("Sweep", type="primary", icon=":material/grid_on:"):
        axes = {name: AXES[name].choices for name in (across, up)}
        try:
            st.session_state[_JOB] = SweepJob(protection, axes, scenario, range(1, seeds + 1))
        except SweepBusy as error:
            st.warning(str(error), icon=":material/hourglass_top:")
            return
        st.rerun()
    if job is None:
        st.caption("A map of the two settings will be here; its runs use every core.")
        return
    _map(job, protection, scenario, (across, up, outcome))


def _from(first: str, names: Iterable[str]) -> list[str]:
    return [first, *(name for name in names if name != first)]


def _named(place: DeltaGenerator, label: str, names: list[str], words: Callable[[str], str]) -> str:
    return str(
        place.selectbox(label, names, format_func=words, key=label.lower(), bind="query-params")
    )


def _progress(job: SweepJob) -> None:
    job.seen()
    if not job.running:
        st.rerun()
    at = job.progress
    done = 0 if at is None else at.done
    told = "starting" if at is None else f"{at.rate:.1f} runs/s, {at.left_s:.0f} s left"
    st.progress(done / max(1, job.total), f"{done:,} of {job.total:,} runs · {told}")
    if st.button("Stop", key="sweep-stop"):
        job.stop()


def _map(
    job: SweepJob, protection: Protection, scenario: Scenario, wanted: tuple[str, str, str]
) -> None:
    across, up, outcome = wanted
    if job.error or job.rows is None or job.rows.empty:
        why = job.error or "It was stopped before its first run had ended."
        st.error(f"There is no map. {why} Press *Sweep* to try again.", icon=":material/error:")
        return
    if set(job.axes) != {across, up}:
        st.caption("These two have not been swept yet.")
        return
    if not job.whole:
        st.warning(
            f"Stopped: {len(job.rows):,} of {job.total:,} runs are in the map.",
            icon=":material/pause_circle:",
        )
    if (job.scenario, job.protection) != (scenario, protection):
        st.caption("This map is of former settings; sweep again for the present ones.")
    sentence = breaker_sweep_charts.heat_finding(job.rows, across, up, outcome)
    figure = breaker_sweep_charts.heat(job.rows, across, up, outcome)
    breaker_panel.chart(figure, sentence, "map")
    breaker_panel.finding(sentence)
    breaker_panel.downloads("sweep", job.rows, figure)


def _axis(name: str) -> str:
    return AXES[name].heading


def _unit(figure_of: Outcome) -> str:
    return f"{figure_of.title}, {figure_of.unit}"


def _figure(name: str) -> str:
    return OUTCOMES[name].title
