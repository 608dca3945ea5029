"""What an outcome becomes: its files and its chart."""

from __future__ import annotations

import csv
import io

from plantid_core.plants import Answer, Consensus, Outcome, Stage, Suggestion, Taxon
from plantid_core.web import download, trace_chart

NAMED = Answer(
    "plantnet",
    "ok",
    "upstream",
    sandbox=True,
    elapsed_ms=340.0,
    suggestions=(Suggestion(Taxon("Rosa canina", "L.", gbif_id=8395064), 0.7),),
)
SILENT = Answer(
    "plant_id",
    "unavailable",
    "upstream",
    sandbox=False,
    elapsed_ms=20.0,
    error={"code": "http_503", "message": "Plant.id: down", "retry_after_s": None},
)


def outcome(*answers: Answer, note: str = "") -> Outcome:
    trace = (Stage("plantnet", 1.0, 340.0, note),)
    return Outcome("id", (), answers, Consensus(abstained="-"), "fresh", (), trace)


def test_the_csv_has_a_line_for_a_silent_provider() -> None:
    """A service that failed is told of, and whole numbers stay whole."""
    text = download.as_csv(outcome(NAMED, SILENT)).decode()

    rows = list(csv.DictReader(io.StringIO(text)))

    assert [(row["provider"], row["rank"], row["gbif_id"]) for row in rows] == [
        ("plantnet", "1", "8395064"), ("plant_id", "", ""),
    ]  # fmt: skip
    assert rows[0]["sandbox"] == "True"
    assert rows[1]["error"] == "Plant.id: down"


def test_the_chart_reads_a_services_words_as_words() -> None:
    """A service's message cannot put a link into the chart."""
    figure = trace_chart.waterfall(outcome(SILENT, note='<a href="http://x.example">press</a>'))

    assert "<a" not in figure.data[0].text[0]
    assert "press" in figure.data[0].text[0]
