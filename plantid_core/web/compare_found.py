"""What an evaluation found: a sentence, figures with intervals, charts, confusions, files."""

from __future__ import annotations

from dataclasses import asdict
from html import escape
from typing import TYPE_CHECKING, Final

import streamlit as st

from plantid_core.compare.evaluate import charts
from plantid_core.compare.evaluate.sentence import titled
from plantid_core.compare.evaluate.wording import share
from plantid_core.evaluation import tables
from plantid_core.evaluation.report import report, thumbnail
from plantid_core.palette import TITLES, duration, percent
from plantid_core.plants import Taxon
from plantid_core.web import compare_table, download
from plantid_core.web.naming import plain

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import plotly.graph_objects as go

    from plantid_core.compare.evaluate.confusion import Confusion
    from plantid_core.compare.evaluate.curves import Bin, Risk
    from plantid_core.compare.evaluate.measure import Figure
    from plantid_core.desk import Desk
    from plantid_core.evaluation import Evaluation
    from plantid_core.web.evaluation_job import EvaluationJob

_PAIRS: Final = 6
_METRICS: Final = {
    "top1": "Species right first time",
    "macro_top1": "The same, each species alike",
    "top3": "Species among the first three",
    "top5": "Species among the first five",
    "genus_top1": "Genus right first time",
    "family_top1": "Family right first time",
    "ece": "Scores off by (ECE)",
    "coverage": "Plants named at all",
    "rejection": "No plant, and said so",
    "answered": "Photos answered",
    "credits_per_photo": "Credits a photo",
    "latency_ms": "Median time of an answer",
}
_UNITS: Final = (" %", " ms", " s")
_PLOT: Final = {"displayModeBar": False, "scrollZoom": False}

_AGREEMENT: Final = ("Same first", "Cohen's κ", "Overlap", "Rank-biased")


def show(desk: Desk, job: EvaluationJob) -> None:
    """Draw what came of a job that has ended."""
    found = job.found
    if found is None:
        st.error(f"There are no figures. {plain(job.error)}", icon=":material/error:")
        return
    if found.stopped:
        st.warning(
            f"Stopped: the figures are of {len(found.heard):,} of {len(job.labels.photos):,} photos.",
            icon=":material/pause_circle:",
        )
    if not found.answered:
        st.error(
            "Nobody answered a photo. Look at the reasons below, and try again in a minute.",
            icon=":material/error:",
        )
    else:
        st.html(f'<div class="pid-finding" role="status">{escape(found.finding)}</div>')
    for note in found.notes:
        st.caption(note)
    if found.answered:
        st.html(_table(found))
        _charts(found)
        _agreement(found)
        _confusions(desk, job, found)
        _files(desk, found)
    if found.refused:
        with st.expander(f"Refused: {len(found.refused):,}", icon=":material/block:"):
            st.table([{"file": plain(one.file), "why": plain(one.reason)} for one in found.refused])


def _table(found: Evaluation) -> str:
    providers = found.measured.providers
    heads = [compare_table.heading(name, sandbox=name in found.sandbox) for name in providers]
    body = []
    for metric, label in _METRICS.items():
        figures = [own[metric] for own in providers.values()]
        if any(figure.value is not None for figure in figures):
            cells = "".join(f"<td>{_cell(metric, figure)}</td>" for figure in figures)
            body.append(f'<tr><th scope="row">{label}</th>{cells}</tr>')
    caption = "Every figure with its 95 % interval, and the number of photos it is of"
    return compare_table.table(caption, "", heads, body)


def _cell(metric: str, figure: Figure) -> str:
    if figure.value is None:
        return '<span aria-label="no figure">–</span>'
    interval = ""
    if figure.low is not None and figure.high is not None:
        low, high = _written(metric, figure.low), _written(metric, figure.high)
        unit = next((unit for unit in _UNITS if low.endswith(unit) and high.endswith(unit)), "")
        interval = f"<span>[{low.removesuffix(unit)}–{high.removesuffix(unit)}]</span> "
    return (
        f"<b>{_written(metric, figure.value)}</b>"
        f'<span class="pid-small pid-figure">{interval}<span>of {figure.n:,}</span></span>'
    )


def _written(metric: str, value: float) -> str:
    if metric == "latency_ms":
        return duration(value)
    if metric == "credits_per_photo":
        return f"{value:.2g}"
    return "0 %" if value == 0 else percent(value)


def _charts(found: Evaluation) -> None:
    marked = found.sandbox
    _chart(
        "Is a score what it says?",
        charts.reliability(found.reliability, marked),
        charts.reliability_finding(found.reliability, marked),
        ("reliability", _rows(found.reliability, marked)),
    )
    _chart(
        "Fewer names, fewer errors",
        charts.risk_coverage(found.risk_coverage, marked),
        charts.risk_coverage_finding(found.risk_coverage, marked),
        ("risk-coverage", _rows(found.risk_coverage, marked)),
    )


def _rows(
    curves: Mapping[str, Sequence[Bin | Risk]], sandbox: Collection[str]
) -> list[dict[str, object]]:
    """Return what a chart draws as tidy rows: one a provider and point."""
    return [
        {"provider": name, "sandbox": name in sandbox, **asdict(point)}
        for name, points in curves.items()
        for point in points
    ]


def _chart(
    title: str, figure: go.Figure, sentence: str, drawn: tuple[str, list[dict[str, object]]]
) -> None:
    name, rows = drawn
    st.markdown(f"**{title}**")
    st.plotly_chart(figure, alt=sentence, key=f"evaluation-{name}", config=_PLOT)
    st.caption(sentence)
    mark = "-sandbox" if any(row["sandbox"] for row in rows) else ""
    download.chart(f"{name}{mark}", rows, figure)


def _agreement(found: Evaluation) -> None:
    """Draw how far each two agree, whatever the labels say."""
    if not found.agreement:
        return
    with st.expander("How far they agree, right or wrong", icon=":material/handshake:"):
        heads = [f'<th scope="col">{head}</th>' for head in _AGREEMENT]
        body = []
        for pair in found.agreement:
            kappa = "–" if pair.kappa is None else f"{pair.kappa:.2f}"
            figures = (share(pair.first), kappa, share(pair.overlap), share(pair.rbo))
            cells = "".join(f"<td>{figure}</td>" for figure in figures)
            both = " and ".join(titled(name, found.sandbox) for name in (pair.a, pair.b))
            body.append(
                f'<tr><th scope="row">{escape(both)}<span class="pid-small pid-figure">{pair.level}, of'
                f" {pair.n:,}</span></th>{cells}</tr>"
            )
        caption = (
            "Cohen's κ leaves out what chance would do; overlap is of the first five names, rank-biased"
            " overlap weighs the first ones most"
        )
        st.html(compare_table.table(caption, "", heads, body))


def _confusions(desk: Desk, job: EvaluationJob, found: Evaluation) -> None:
    told = {name: own for name, own in found.confusions.items() if own}
    st.markdown("**Taken for something else**")
    if not told:
        st.caption("Nobody took a plant for another.")
        return
    by = st.segmented_control(
        "By whom",
        list(told),
        default=next(iter(told)),
        required=True,
        format_func=lambda name: TITLES.get(name, name),
        key="confused_by",
        bind="query-params",
    )
    pairs = told.get(str(by), ())
    for confusion in pairs[:_PAIRS]:
        _pair(desk, job, confusion)
    if len(pairs) > _PAIRS:
        st.caption(f"{len(pairs) - _PAIRS:,} more pairs are in the report.")


def _pair(desk: Desk, job: EvaluationJob, confusion: Confusion) -> None:
    example = _example(desk, job, confusion.said)
    with st.container(border=True):
        before, between, after = st.columns([1, 2, 1], vertical_alignment="center")
    with before:
        _small(desk, job, confusion.files[0], f"The photo of {confusion.truth}")
    with between:
        st.html(
            f'<div style="overflow-wrap:anywhere"><i>{escape(confusion.truth)}</i><br>was taken for'
            f" <i>{escape(confusion.said)}</i><br>"
            f'<span class="pid-small">on {confusion.n:,} photo{"s" if confusion.n > 1 else ""},'
            f" such as {escape(confusion.files[0])}</span></div>"
        )
    with after:
        if example is None:
            st.caption(f"No photo here is of *{plain(confusion.said)}*.")
        else:
            _small(desk, job, example, f"A photo of {confusion.said}")


def _example(desk: Desk, job: EvaluationJob, said: str) -> str | None:
    """Return a labelled photo of what was said, at its own level."""
    taxon = desk.names.reconcile(Taxon(said))
    for photo in job.labels.photos:
        if taxon.species is not None and photo.species == taxon.species:
            return photo.file
        if taxon.species is None and taxon.genus is not None and photo.genus == taxon.genus:
            return photo.file
    return None


def _small(desk: Desk, job: EvaluationJob, file: str, words: str) -> None:
    if file not in job.small:
        path = next(photo.path for photo in job.labels.photos if photo.file == file)
        job.small[file] = thumbnail(path, desk.workbench_for("evaluate.run"))
    jpeg = job.small[file]
    if jpeg is None:
        st.caption(f"{plain(words)} can no longer be read.")
    else:
        st.image(jpeg, width=120, alt=words)


def _files(desk: Desk, found: Evaluation) -> None:
    mark = "-sandbox" if found.sandbox else ""
    with st.container(horizontal=True):
        st.download_button(
            "Download report",
            lambda: report(found, desk.workbench_for("evaluate.run")).encode(),
            f"evaluation{mark}.html",
            "text/html",
            icon=":material/description:",
            on_click="ignore",
        )
        for name, table in (("figures", tables.figures), ("answers", tables.answers)):
            st.download_button(
                f"Download {name} (CSV)",
                download.table_csv(table(found)),
                f"evaluation-{name}{mark}.csv",
                "text/csv",
                on_click="ignore",
            )
