"""The local herbarium on a page: what it is, how well it knows its plants, and how to build it."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from plantid_core.errors import HerbariumUnusable
from plantid_core.palette import COLOURS
from plantid_core.providers.herbarium.sentence import findings, share
from plantid_core.upload.archive import Limits
from plantid_core.web import compare_table, door, download, labelled
from plantid_core.web.herbarium_job import HerbariumJob
from plantid_core.web.naming import plain

if TYPE_CHECKING:
    from plantid_core.desk import Desk
    from plantid_core.providers.herbarium.herbarium import Confusion, Herbarium

_JOB = "herbarium_job"
_CONFUSIONS, _REFUSED = 8, 10
_BAR_PX, _MARGIN_PX = 34, 60
_COMMAND = "plantid herbarium build my-photos"


def show(desk: Desk) -> None:
    """Draw the panel in whichever state the herbarium is: none, being built, there, or damaged."""
    if door.shut(desk, "herbarium.see", "Sign in to see the herbarium of this server."):
        return
    job: HerbariumJob | None = st.session_state.get(_JOB)
    if job is not None and job.running:
        st.fragment(_progress, run_every=0.5)(job)
        return
    if job is not None:
        _ended(job)
    try:
        herbarium = desk.herbarium()
    except HerbariumUnusable as error:
        st.error(str(error), icon=":material/error:")
        _build(desk, open_=True)
        return
    if herbarium is None:
        st.info(
            "Here you will see a herbarium of your own: from photos that you have labelled, this"
            " machine learns to name the same plants again. Nothing is sent, nothing is charged. It"
            " then answers beside the services, as *Local herbarium*.",
            icon=":material/local_library:",
        )
        _build(desk, open_=True)
        return
    _about(herbarium)
    _build(desk, open_=False)
    if desk.may("herbarium.change"):
        _forget(desk)


def _about(herbarium: Herbarium) -> None:
    figures = herbarium.figures
    plants, photos, right, made = st.columns(4)
    plants.metric("Plants", f"{len(herbarium.entries):,}")
    photos.metric("Photos", f"{herbarium.photos:,}")
    tried = len(herbarium.entries) > 1 and figures.top1 is not None
    right.metric("Right first time", share(figures.top1 or 0.0) if tried else "not tried")
    made.metric("Built on", f"{herbarium.made:%Y-%m-%d}")
    st.markdown(" ".join(findings(herbarium)))
    rows = _table(herbarium)
    beside = st.container()
    if figures.confusions:
        shown = figures.confusions[:_CONFUSIONS]
        left, beside = st.columns([3, 2], gap="large")
        with left:
            st.subheader("Taken for each other", anchor=False)
            st.plotly_chart(_chart(shown), alt=_finding(shown), key="herbarium-confusions")
            told = compare_table.italics(_finding(shown), [shown[0].shown, shown[0].taken_for])
            st.html(f'<div class="pid-small">{told}</div>')
    elif tried:
        beside.caption("None of its own photos was taken for another plant when it was left out.")
    with beside:
        st.dataframe(rows, hide_index=True, alt="The herbarium's plants and their photos")
        st.download_button(
            "Download CSV",
            download.table_csv(rows),
            "herbarium.csv",
            "text/csv",
            on_click="ignore",
        )


def _table(herbarium: Herbarium) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "plant": [entry.taxon.scientific_name for entry in herbarium.entries],
            "family": [entry.taxon.family or "" for entry in herbarium.entries],
            "photos": [entry.photos for entry in herbarium.entries],
        }
    ).sort_values(["photos", "plant"], ascending=[False, True])


def _chart(confusions: tuple[Confusion, ...]) -> go.Figure:
    names = [f"<i>{escape(one.shown)}</i> → <i>{escape(one.taken_for)}</i>" for one in confusions]
    figure = go.Figure()
    figure.add_bar(
        x=[one.photos for one in confusions],
        y=names,
        orientation="h",
        marker={"color": COLOURS["herbarium"]},
        text=[one.photos for one in confusions],
        hoverinfo="skip",
    )
    figure.update_layout(
        height=_MARGIN_PX + _BAR_PX * len(names),
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
    )
    figure.update_xaxes(title="photos", rangemode="tozero", dtick=_step(confusions))
    figure.update_yaxes(autorange="reversed")
    return figure


def _step(confusions: tuple[Confusion, ...]) -> int:
    return max(1, confusions[0].photos // 5)


def _finding(confusions: tuple[Confusion, ...]) -> str:
    most = confusions[0]
    photos = "1 photo" if most.photos == 1 else f"{most.photos} photos"
    return f"Most often, {most.shown} was taken for {most.taken_for}: on {photos}."


def _build(desk: Desk, *, open_: bool) -> None:
    with st.expander("Build it", icon=":material/build:", expanded=open_):
        st.markdown(
            "Make a folder for each plant, named by its scientific name, and put its photos in; five"
            " or more a plant are good. Then, in a terminal:"
        )
        st.code(_COMMAND, language="sh")
        if not desk.may("herbarium.change"):
            st.caption("On this server, whoever runs it builds the herbarium.")
            return
        archive = st.file_uploader(
            "Or a ZIP file of such folders",
            type=["zip"],
            key="herbarium-zip",
            max_upload_size=labelled.most_mb(Limits()),
            help="For more photos than fit, use the command. The new herbarium takes the place of the"
            " former one.",
        )
        pressed = st.button("Build", key="herbarium-build", disabled=archive is None)
        if pressed and archive is not None:
            try:
                st.session_state[_JOB] = HerbariumJob(desk, archive, archive.name)
            except HerbariumUnusable as error:
                st.warning(str(error), icon=":material/hourglass_top:")
                return
            st.rerun()


def _forget(desk: Desk) -> None:
    with st.popover("Forget it", icon=":material/delete:"):
        st.markdown("Remove the herbarium, and what was kept of its photos? The photos stay.")
        if st.button("Yes, forget it", key="herbarium-forget"):
            try:
                desk.forget_herbarium()
            except HerbariumUnusable as error:
                st.error(str(error), icon=":material/error:")
                return
            st.session_state.pop(_JOB, None)
            st.rerun()


def _progress(job: HerbariumJob) -> None:
    if not job.running:
        st.rerun()
    at = job.progress
    if at is None or not at.elapsed_s:
        st.progress(0.0, "Unpacking …")
    else:
        rate = at.done / at.elapsed_s
        left_s = (at.total - at.done) / rate
        told = f"{at.done:,} of {at.total:,} photos · {rate:,.0f} photos/s, {left_s:.0f} s left"
        st.progress(at.done / at.total, told)
    if st.button("Stop", key="herbarium-stop"):
        job.stop()


def _ended(job: HerbariumJob) -> None:
    if job.error:
        st.error(f"It was not built. {plain(job.error)}", icon=":material/error:")
    elif job.built is None:
        st.warning(
            "Stopped. What has been looked at is kept: the next build goes on from there.",
            icon=":material/pause_circle:",
        )
    else:
        count = job.built.herbarium.photos
        st.success(f"Built from {count:,} photos in {job.built.elapsed_s:.0f} s.")
        for one in job.built.refused[:_REFUSED]:
            st.warning(
                f"Left out: {plain(one.file)}: {plain(one.message)}", icon=":material/block:"
            )
        if (more := len(job.built.refused) - _REFUSED) > 0:
            st.caption(f"and {more:,} more were left out")
