"""The drawing of *Upload lab*: six gates, the usual validator beside them, before and after."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from plantid_core.palette import duration
from plantid_core.upload.policy import Policy
from plantid_core.upload.rejection import LAYERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plantid_core.lab.boxed import SeedVerdict
    from plantid_core.lab.trial import Trial
    from plantid_core.upload.container import Embedded
    from plantid_core.upload.examination import Gate

_MB = 1e6
_STYLE = """<style>
.stMainBlockContainer{padding-top:3.5rem}
.pid-gates{display:grid;grid-template-columns:repeat(auto-fit,minmax(8.6rem,1fr));gap:.5rem;
margin:.6rem 0 1rem}
.pid-gate{border:1px solid rgba(128,128,128,.45);border-top-width:6px;border-radius:6px;
padding:.45rem .55rem;min-height:5.6rem;margin:0}
.pid-gate b{display:block}
.pid-gate span{display:block;font-size:.82rem;font-variant-numeric:tabular-nums}
.pid-passed{border-top-color:#009E73}
.pid-refused{border-color:#D55E00;border-width:2px;border-top-width:6px}
.pid-unreached{border-style:dashed;opacity:.72}
.pid-finding{font-size:1.2rem;line-height:1.4;border-left:5px solid;padding-left:.7rem}
.pid-finding.good{border-color:#009E73}.pid-finding.bad{border-color:#D55E00}
.pid-list{margin:.2rem 0 0;padding-left:1.1rem}
</style>"""
_WORDS = {
    "accept": "accepted it",
    "reject": "refused it",
    "crash": "broke down",
    "timeout": "was given up",
}


def style() -> None:
    """Give the page what its gates are dressed in."""
    st.html(_STYLE)


def memory(peak_bytes: float) -> str:
    """Return an amount of memory as a person reads it."""
    return f"{peak_bytes / _MB:,.0f} MB" if peak_bytes >= _MB else "under 1 MB"


def finding(trial: Trial) -> str:
    """Return in a sentence what our chain made of the file."""
    gates = trial.ours.gates if trial.ours else ()
    ms, peak = sum(gate.ms for gate in gates), max((gate.peak_bytes for gate in gates), default=0)
    cost = f"{duration(ms)} and {memory(peak)}"
    rejected = trial.rejected
    if rejected is None:
        return f"Accepted, and made into a clean JPEG, for {cost}."
    return f"Refused at the {rejected.layer} gate, for {cost}. {rejected}"


def show(trial: Trial) -> None:
    """Draw the whole result."""
    tone = "bad" if trial.rejected else "good"
    st.html(f'<div class="pid-finding {tone}">{escape(finding(trial))}</div>')
    st.html(_gates(trial.ours.gates if trial.ours else ()))
    left, right = st.columns(2, gap="large")
    with left, st.container(border=True):
        _before_and_after(trial)
    with right, st.container(border=True):
        _usual(trial)


def _gates(gates: Sequence[Gate]) -> str:
    items = []
    for number, layer in enumerate(LAYERS):
        if number < len(gates):
            gate = gates[number]
            kind, word = ("passed", "✓ passed") if gate.passed else ("refused", "✕ refused")
            figures = f"<span>{duration(gate.ms)}</span><span>{memory(gate.peak_bytes)}</span>"
        else:
            kind, word, figures = "unreached", "– not reached", ""
        items.append(
            f'<div role="listitem" class="pid-gate pid-{kind}">'
            f"<b>{layer}</b><span>{word}</span>{figures}</div>"
        )
    return f'<div role="list" class="pid-gates" aria-label="The six gates">{"".join(items)}</div>'


def _before_and_after(trial: Trial) -> None:
    st.markdown("**What it carried**")
    ours = trial.ours
    if ours is None or ours.header is None:
        st.caption("Not looked at: it was refused before its header was read to the end.")
        return
    st.html(_list(ours.header.embedded))
    if ours.photo is None:
        return
    st.markdown("**What the clean copy carries**")
    st.html(_list(()))
    st.image(
        ours.photo.jpeg,
        caption=f"{ours.photo.width} x {ours.photo.height} px, {len(ours.photo.jpeg) / 1e3:,.0f} kB",
        width="stretch",
        alt="The cleaned copy: upright, and nothing but the picture",
    )


def _list(embedded: Sequence[Embedded]) -> str:
    if not embedded:
        return '<ul class="pid-list"><li>nothing but the picture</li></ul>'
    items = "".join(
        f"<li>{escape(entry.kind)}, {entry.size:,} {'byte' if entry.size == 1 else 'bytes'}</li>"
        for entry in embedded
    )
    return f'<ul class="pid-list">{items}</ul>'


def _usual(trial: Trial) -> None:
    st.markdown("**The usual validator, as written**")
    usual = trial.usual
    st.html(f"<div>{escape(_usual_sentence(usual))}</div>")
    if trial.let_in:
        st.error("It let in what is hostile.", icon=":material/gpp_bad:")
    if trial.leaks:
        st.error("Its cleaned copy still holds the payload.", icon=":material/gpp_bad:")
    st.caption(
        "Extension, libmagic, verify and load, then size and dimensions: in a process of its own,"
        " limited to 2 GB and 20 s."
    )


def _usual_sentence(usual: SeedVerdict) -> str:
    if usual.verdict == "timeout":
        return f"It {_WORDS['timeout']} after {duration(usual.ms)}."
    where = f" at its {usual.layer} check" if usual.layer else ""
    cost = f", for {duration(usual.ms)} and {memory(usual.peak_bytes)}" if usual.ms else ""
    reason = f": {usual.reason}" if usual.reason else ""
    return f"It {_WORDS[usual.verdict]}{where}{cost}{reason}"


def limits() -> None:
    """Draw every limit of the policy, with its reason."""
    rows = [
        {"limit": name.replace("_", " "), "value": f"{value:,} {unit}".strip(), "why": why}
        for name, value, unit, why in Policy().described()
    ]
    st.table(rows)
