"""The right side of *Identify*: the joint verdict, and one card a provider.

Everything a service says is escaped before it becomes HTML.
"""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import streamlit as st

from plantid_core.ladder import stand_in
from plantid_core.palette import COLOURS, NEUTRAL, TITLES, age, duration, percent
from plantid_core.web.application import script_error

if TYPE_CHECKING:
    from plantid_core.pipeline import Asking
    from plantid_core.plants import Answer, Care, Consensus, Outcome, ReferenceImage, Suggestion
    from plantid_core.workbench import Readiness

_SHOWN, _ILLUSTRATED = 5, 2
_SAID = {
    "no_match": (
        "Does not know this plant",
        "Try a closer photo of a flower, a fruit or one leaf.",
    ),
    "not_a_plant": ("Sees no plant", "Try a photo in which the plant fills the picture."),
    "unavailable": ("Did not answer", "Try again in {wait}."),
    "quota": ("Has no requests left", "Try again in {wait}."),
    "rejected": ("Refused the request", "The same again will not help: try another photo."),
}
_WRONG_KEY = "Check the service's API key in the settings."
_UNASKED = {"breaker_open", "bulkhead_full"}
_SOURCES = {
    "upstream": "fresh",
    "near": "from memory",
    "redis": "from the cache",
    "stale": "stale",
    "local": "on this machine",
}
_CARD_PX = 420
INK = ("#0e1812", "#e7eee9")
"""What charts are written in, on light and on dark: the theme's own grey is too faint for names."""

_SANDBOX = '<span class="pid-mark">SANDBOX</span>'
_STYLE = """<style>
.stMainBlockContainer{padding-top:3.5rem}
.stButtonGroup p{color:CanvasText} /* the primary colour is too dim for letters in the dark */
.stButtonGroup :has(>[data-variant=pills]){flex-wrap:wrap;overflow:visible;mask-image:none}
.pid-name{display:flex;flex-wrap:wrap;column-gap:.6rem;align-items:baseline;margin-top:.55rem}
.pid-name>span{flex:1 1 0;min-width:min-content}
.pid-name b{font-variant-numeric:tabular-nums;white-space:nowrap;margin-left:auto}
.pid-author,.pid-small{opacity:.72;font-size:.82rem}
.pid-bar{height:6px;border-radius:3px;background:rgba(128,128,128,.22);margin:.25rem 0}
.pid-bar>div{height:100%;border-radius:3px}
.pid-title{font-weight:600;font-size:1.05rem;padding-left:.5rem;border-left:5px solid}
.pid-title,.pid-badges{display:flex;flex-wrap:wrap;gap:.15rem .4rem;align-items:center}
.pid-mark{display:inline-block;border:1px solid currentColor;border-radius:4px;padding:0 .35rem;
font-size:.72rem;font-weight:600;margin-left:.4rem;letter-spacing:.03em;white-space:nowrap}
.pid-title .pid-mark,.pid-badges .pid-mark,.pid-table .pid-mark{margin-left:0}
.st-key-thumbnails img{max-height:14rem;object-fit:contain;object-position:left}
.pid-verdict{font-size:1.25rem;line-height:1.4;border-left:5px solid #E69F00;padding-left:.7rem}
</style>"""


def style() -> None:
    """Give the page what its cards are dressed in; once a run, before anything of ours is drawn."""
    st.html(_STYLE)


def badges(readiness: Readiness, outcome: Outcome | None) -> None:
    """Draw, for the page's header, what is not as it should be, and what the cache has saved."""
    degraded = {*readiness["degraded"], *(outcome.degraded if outcome else ())}
    sandbox = "sandbox" in readiness["providers"].values() or bool(outcome and outcome.sandbox)
    oldest = max(
        (answer.age_s for answer in outcome.answers if answer.source == "stale") if outcome else (),
        default=0,
    )
    marks = ["cache off"] if "redis" in degraded else []
    states = readiness["breakers"].items()
    marks += [f"{TITLES.get(name, name)} left alone" for name, s in states if s != "closed"]
    marks += ["sandbox: no botany"] if sandbox else []
    marks += [f"stale, {age(oldest)} old"] if oldest else []
    saved = sum(spending["saved"] for spending in readiness["credits"].values())
    marks += [f"{saved} credit{'s' if saved > 1 else ''} saved"] if saved else []
    if marks:
        told = "".join(f'<span class="pid-mark">{escape(mark)}</span>' for mark in marks)
        st.html(f'<div class="pid-badges">{told}</div>')


def arriving(asking: Asking) -> Outcome:
    """Draw each card once its answer is there, in its own time, and the verdict at last.

    Return the outcome. The places of those still awaited are held, in their shape.
    """
    head = st.empty()
    for column, provider in zip(st.columns(len(asking.providers)), asking.providers, strict=True):
        with column:
            _awaited(asking, provider)
    with head.container(), st.spinner("Asking all of them at once …", show_time=True):
        outcome = asking.outcome()
    with head.container():
        verdict(outcome)
    return outcome


@st.fragment(parallel=True)
def _awaited(asking: Asking, provider: str) -> None:
    place = st.empty()
    place.skeleton(height=_CARD_PX)
    try:
        answer = asking.answer(provider)
        with place.container():
            _card(answer)
    except Exception as error:  # noqa: BLE001 - one card's trouble is not the others'
        with place.container():
            script_error(error)


def show(outcome: Outcome) -> None:
    """Draw the verdict and the cards of an outcome."""
    with st.empty().container():
        verdict(outcome)
    for column, answer in zip(st.columns(len(outcome.answers)), outcome.answers, strict=True):
        # As many boxes around it as while it arrived: nothing is drawn anew that stays the same.
        with column, st.container(), st.empty().container():
            _card(answer)


def verdict(outcome: Outcome) -> None:
    """Draw the joint verdict, and who stood in for whom."""
    _joint(outcome)
    if sentence := stand_in(outcome):
        st.html(f'<div class="pid-small">{escape(sentence)}</div>')


def _joint(outcome: Outcome) -> None:
    joint = outcome.consensus
    mark = f" {_SANDBOX}" if outcome.sandbox and joint.suggestions else ""
    if joint.abstained:
        st.html(f'<div class="pid-verdict">{_abstained(joint)}{mark}</div>')
        return
    first = joint.suggestions[0]
    of = sum(answer.status == "ok" for answer in outcome.answers)
    doubt = "Most likely" if len(first.providers) > 1 else "Perhaps"
    st.html(
        f'<div class="pid-verdict">{doubt} <i>{escape(first.scientific_name)}</i>'
        f' <span class="pid-small">· named by {len(first.providers)} of {of}'
        f" · mean score {percent(first.score)}</span>{mark}</div>"
    )


def _abstained(joint: Consensus) -> str:
    """Return why there is no species; what can be said instead is in italics, as every name."""
    said = escape(joint.abstained or "")
    if joint.suggestions and joint.suggestions[0].rank != "species":
        name = escape(joint.suggestions[0].scientific_name)
        return said.replace(f" {name}.", f" <i>{name}</i>.")
    return said


def _card(answer: Answer) -> None:
    with st.container(border=True):
        _told(answer)


def _told(answer: Answer) -> None:
    colour = COLOURS.get(answer.provider, NEUTRAL)
    mark = _SANDBOX if answer.sandbox else ""
    title = escape(TITLES.get(answer.provider, answer.provider))
    st.html(f'<div class="pid-title" style="border-color:{colour}">{title}{mark}</div>')
    if answer.status == "ok":
        for rank, suggestion in enumerate(answer.suggestions[:_SHOWN]):
            _suggestion(suggestion, colour)
            if rank < _ILLUSTRATED:
                _illustration(suggestion)
    else:
        _no_names(answer)
    st.html(f'<div class="pid-small">{escape(_origin(answer))}</div>')


def _no_names(answer: Answer) -> None:
    what, advice = _SAID[answer.status]
    detail = answer.error["message"] if answer.error else ""
    wait = answer.error["retry_after_s"] if answer.error else None
    advice = advice.format(wait="a minute" if wait is None else age(max(1, math.ceil(wait))))
    if answer.error and answer.error["code"] == "key":
        advice = _WRONG_KEY
    st.html(
        f'<p><b>{escape(what)}</b><br>{escape(advice)}</p><p class="pid-small">{escape(detail)}</p>'
    )


def _origin(answer: Answer) -> str:
    words = [_SOURCES[answer.source], duration(answer.elapsed_ms)]
    if answer.error:
        words[0] = "not asked" if answer.error["code"] in _UNASKED else "no answer"
    if answer.source in {"redis", "near", "stale"}:
        words[0] += f", {age(answer.age_s)} old"
    if answer.project:
        words.append(f"flora: {answer.project}")
    if answer.remaining is not None:
        words.append(f"{answer.remaining} requests left today")
    return " · ".join(words)


def _suggestion(suggestion: Suggestion, colour: str) -> None:
    taxon = suggestion.taxon
    common = ", ".join(taxon.common_names[:2])
    family = " · ".join(part for part in (common, taxon.family or "") if part)
    width = max(1.0, min(100.0, suggestion.score * 100))
    st.html(
        f'<div class="pid-name"><span><i>{escape(taxon.scientific_name)}</i>'
        f' <span class="pid-author">{escape(taxon.authorship or "")}</span></span>'
        f"<b>{percent(suggestion.score)}</b></div>"
        f'<div class="pid-bar" role="img" aria-label="score {percent(suggestion.score)}">'
        f'<div style="width:{width:.0f}%;background:{colour}"></div></div>'
        f'<div class="pid-small">{escape(family)} {_links(suggestion)}</div>'
    )


def _illustration(suggestion: Suggestion) -> None:
    if suggestion.images or suggestion.care:
        with st.expander("Pictures and care" if suggestion.care else "Pictures"):
            _images(suggestion.images, suggestion.taxon.scientific_name)
            _care(suggestion.care)


def _links(suggestion: Suggestion) -> str:
    taxon = suggestion.taxon
    links = []
    if taxon.gbif_id is not None:
        links.append(("GBIF", f"https://www.gbif.org/species/{taxon.gbif_id}"))
    if taxon.powo_id:
        address = f"https://powo.science.kew.org/taxon/{quote(taxon.powo_id, safe=':')}"
        links.append(("POWO", address))
    return " ".join(
        f'<a href="{escape(address)}" target="_blank" rel="noopener noreferrer">{name}</a>'
        for name, address in links
    )


def _images(images: tuple[ReferenceImage, ...], name: str) -> None:
    shown = [image for image in images if urlsplit(image.url).scheme in {"http", "https"}]
    if not shown:
        return
    for column, image in zip(st.columns(max(2, len(shown))), shown, strict=False):
        credit = " · ".join(part for part in (image.citation, image.licence) if part)
        column.html(
            f'<img src="{escape(image.url)}" alt="Reference picture of {escape(name)}"'
            ' style="width:100%;border-radius:6px" loading="lazy" referrerpolicy="no-referrer">'
            f'<div class="pid-small">{escape(credit or "no licence given")}</div>'
        )


def _care(care: Care | None) -> None:
    if care is None:
        return
    rows = {
        "Watering": care.watering,
        "Light": care.light,
        "Soil": care.soil,
        "Toxicity": care.toxicity,
        "Edible parts": ", ".join(care.edible_parts),
        "Uses": care.common_uses,
    }
    st.html(
        "".join(f"<p><b>{label}</b><br>{escape(text)}</p>" for label, text in rows.items() if text)
    )
