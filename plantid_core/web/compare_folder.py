"""*Compare*, a labelled folder: who is right how often, measured on photos whose names are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from plantid_core.palette import TITLES
from plantid_core.plants import LOCAL
from plantid_core.web import compare_found, door, labelled
from plantid_core.web.evaluation_job import EvaluationBusy, EvaluationJob
from plantid_core.web.naming import plain

if TYPE_CHECKING:
    from plantid_core.desk import Desk
    from plantid_core.web.labelled import Labels

_JOB = "evaluation"
_INCLUDE = "include_sandbox"


def show(desk: Desk) -> None:
    """Draw the tab."""
    if door.shut(desk, "evaluate.run", "Sign in to measure who is right how often."):
        return
    left, right = st.columns([1, 2.4], gap="large")
    with left:
        labels = labelled.choose(desk)
        job = _controls(desk, labels)
    with right:
        if job is None:
            st.info(
                "Here you will see who is right how often, with intervals, and what is taken for what."
                " Bring photos whose names you know, or take the sample.",
                icon=":material/fact_check:",
            )
        elif job.running:
            st.fragment(_progress, run_every=0.5)(job)
        else:
            compare_found.show(desk, job)


def _controls(desk: Desk, labels: Labels | None) -> EvaluationJob | None:
    """Draw what is asked of whom; return the job that runs, or ran last."""
    job: EvaluationJob | None = st.session_state.get(_JOB)
    known = {info.name: info for info in desk.providers()}
    practice = [name for name, info in known.items() if info.sandbox]
    include = False
    if practice:
        include = st.checkbox(
            "Include sandbox answers",
            key=_INCLUDE,
            bind="query-params",
            help="The sandbox knows no botany: its figures say nothing of the real services.",
        )
        if include:
            st.caption("Practice: they stay marked, in the files as well.")
    chosen = st.pills(
        "Measure",
        list(known),
        selection_mode="multi",
        default=list(known),
        format_func=lambda name: known[name].title,
        key="measured",
        bind="query-params",
    )
    asked = [name for name in chosen if include or not known[name].sandbox]
    left_out = [TITLES.get(name, name) for name in chosen if name not in asked]
    if left_out:
        st.caption(f"{' and '.join(left_out)}: left out, for the sandbox would answer.")
    seed = st.number_input(
        "Seed",
        0,
        9999,
        1,
        key="seed",
        bind="query-params",
        help="Of the resamples for the intervals",
    )
    if labels is not None:
        _size(labels, [name for name in asked if name not in LOCAL and not known[name].sandbox])
    running = job is not None and job.running
    ready = labels is not None and bool(asked) and not running
    if st.button("Evaluate", type="primary", disabled=not ready, width="stretch") and labels:
        try:
            job = EvaluationJob(desk, labels, asked, include_sandbox=include, seed=int(seed))
        except EvaluationBusy as error:
            st.warning(str(error), icon=":material/hourglass_top:")
            return job
        st.session_state[_JOB] = job
        st.rerun()
    if job is not None and not job.running and labels is not None and asked:
        now = (id(labels), tuple(asked), include, int(seed))
        if now != job.settings():
            st.caption("The figures are of the former settings. Press *Evaluate* for these.")
    return job


def _size(labels: Labels, paid: list[str]) -> None:
    photos = f"{len(labels.photos):,} photo{'s' if len(labels.photos) > 1 else ''}"
    over = f", {labels.passed_over} other files passed over" if labels.passed_over else ""
    st.caption(f"{photos} of {labels.species} species in {plain(labels.title)}{over}.")
    if paid:
        names = " and ".join(TITLES.get(name, name) for name in paid)
        st.caption(
            f":material/toll: Up to {len(labels.photos) * len(paid):,} credits: each photo is sent to"
            f" {names} once, unless its answer is cached."
        )


def _progress(job: EvaluationJob) -> None:
    job.seen()
    if not job.running:
        st.rerun()
    at, total = job.progress, len(job.labels.photos)
    done = 0 if at is None else at.done
    rate = done / at.elapsed_s if at is not None and at.elapsed_s else 0.0
    told = f"{rate:.1f} photos/s, {at.left_s:.0f} s left" if at is not None and rate else "starting"
    st.progress(done / max(1, total), f"{done:,} of {total:,} photos · {told}")
    if job.stopping:
        st.caption("Stopping: those under way are waited for.")
    elif st.button("Stop", key="evaluation-stop"):
        job.stop()
    for _ in range(2):
        st.skeleton(height=180)
