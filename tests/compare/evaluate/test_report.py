"""The report as a file of its own, and its charts."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import numpy as np
from labelled import answer, evaluation, made_up, photo

from plantid_core.compare.consensus import consensus
from plantid_core.compare.evaluate import charts
from plantid_core.compare.evaluate.report import Contents, html
from plantid_core.evaluation.result import Heard
from plantid_core.palette import COLOURS

if TYPE_CHECKING:
    from plantid_core.evaluation import Evaluation

HOSTILE = "<script>alert(1)</script>"


class Page(HTMLParser):
    """Collects what a page would load or run, and pictures without an alternative text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.scripts = 0
        self.loaded: list[str] = []
        self.mute: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        self.scripts += tag == "script"
        self.loaded += [value or "" for name, value in attrs if name in {"src", "href", "srcset"}]
        if tag == "img" and not told.get("alt"):
            self.mute.append(tag)
        if told.get("role") == "img" and not told.get("aria-label"):
            self.mute.append(tag)


def contents(made: Evaluation, pictures: dict[str, bytes]) -> Contents:
    return Contents(
        made.finding, made.measured, made.sandbox, made.reliability, made.risk_coverage,
        made.confusions, [f"{HOSTILE} note"], [(f"{HOSTILE}.jpg", f"{HOSTILE} reason")], made.seed,
        pictures, {HOSTILE: "seen.jpg"},
    )  # fmt: skip


def test_names_of_files_and_plants_stay_text() -> None:
    """What a file or a service is called is shown, and never run; nothing is loaded from elsewhere."""
    answers = (answer("plantnet", (HOSTILE, 0.9), sandbox=True),)
    shown = photo("Zea mays", f"{HOSTILE}.jpg")
    made = evaluation([Heard(shown, "", answers, consensus(answers))])
    plain = evaluation(made_up(np.random.default_rng(1), 5))

    told = html(contents(made, {f"{HOSTILE}.jpg": b"jpeg", "seen.jpg": b"jpeg"}))

    page = Page(told)
    assert HOSTILE not in told
    assert "&lt;script&gt;alert(1)&lt;/script&gt;.jpg" in told
    assert page.scripts == Page(html(contents(plain, {}))).scripts
    assert page.loaded == ["data:image/jpeg;base64,anBlZw=="] * 2
    assert page.mute == []
    assert "answered by an emulator" in told


def test_every_figure_is_in_the_report() -> None:
    """With its interval and its number of photos, and each chart with its finding."""
    made = evaluation(made_up(np.random.default_rng(2), 40))

    told = html(contents(made, {}))

    text = re.sub(r"<[^>]+>", " ", told.partition("<script>")[0])
    figure = made.measured.providers["plantnet"]["top1"]
    assert f"{figure.value * 100:.0f} % [{figure.low * 100:.0f}–{figure.high * 100:.0f}]" in text
    assert charts.risk_coverage_finding(made.risk_coverage) in told


def test_a_provider_has_its_colour_in_every_chart() -> None:
    """And its mark where the sandbox answered."""
    made = evaluation(made_up(np.random.default_rng(2), 40))
    drawn = (
        charts.accuracies(made.measured, ["plantnet"]),
        charts.reliability(made.reliability, ["plantnet"]),
        charts.risk_coverage(made.risk_coverage, ["plantnet"]),
    )

    for figure in drawn:
        colours = {trace.name: trace.marker.color for trace in figure.data if trace.marker.color}
        assert colours["Pl@ntNet (sandbox)"] == COLOURS["plantnet"]
        assert colours["Plant.id"] == COLOURS["plant_id"]


def test_charts_of_nothing_say_so() -> None:
    """An evaluation in which nobody named a plant has findings too."""
    answers = (answer("plantnet", status="no_match"),)
    made = evaluation([Heard(photo("not a plant"), "", answers, consensus(answers))])

    told = [
        charts.accuracies_finding(made.measured),
        charts.reliability_finding(made.reliability),
        charts.risk_coverage_finding(made.risk_coverage),
    ]

    assert all(sentence.startswith("No ") for sentence in told)
    assert "Which service to trust" in html(contents(made, {}))
