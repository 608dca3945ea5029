"""Kept observations as a table."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kept import CHERRY, DAISY, SLIPPER, answer, determined, observed

from plantid_core.compare.calibration import BetaMap, Calibration
from plantid_core.compare.names.reconcile import shipped as names
from plantid_core.export.observations import write_csv
from plantid_core.export.release import ONLY_SANDBOX, Terms
from plantid_core.export.sensitive import Sensitive
from plantid_core.export.sensitive import shipped as rules

if TYPE_CHECKING:
    from plantid_core.export.release import Exported
    from plantid_core.store.history.values import Observed


@pytest.fixture(scope="module")
def terms() -> Terms:
    """Return the terms that others' eyes get."""
    return Terms(names(), Sensitive(rules(), names()))


def table(*kept: Observed, terms: Terms) -> tuple[list[dict[str, str]], Exported]:
    file = io.StringIO(newline="")
    done = write_csv(file, kept, terms)
    file.seek(0)
    return list(csv.DictReader(file)), done


def test_a_row_a_suggestion_beside_its_observation(terms: Terms) -> None:
    """Every provider's names, the joint ranking's, and what the person decided."""
    kept = observed(
        answer("plantnet", CHERRY, DAISY),
        answer("offline", CHERRY),
        determinations=(determined(CHERRY, action="confirmed", provider="plantnet", score=0.8),),
    )

    lines, done = table(kept, terms=terms)

    first = lines[0]
    assert [(line["provider"], line["rank"]) for line in lines] == [
        ("plantnet", "1"),
        ("plantnet", "2"),
        ("offline", "1"),
        ("consensus", "1"),
        ("consensus", "2"),
    ]
    assert (first["observation_id"], first["photo_ids"]) == (kept.id, "ab" * 32)
    assert (first["observed_on"], first["latitude"]) == ("2026-04-30", "50.08804")
    assert (first["recorded_by"], first["licence"]) == ("Ana Nováková", "CC-BY-4.0")
    assert (first["determination"], first["determined_from"]) == ("confirmed", "plantnet")
    assert (done.observations, done.rows, done.left_out.total()) == (1, 5, 0)


def test_the_sandbox_stays_at_home(terms: Terms) -> None:
    """Its answers are no rows, nor do they vote; what it alone has seen is counted as left out."""
    mixed = observed(answer("plantnet", CHERRY, sandbox=True), answer("offline", DAISY))
    alone = observed(answer("plantnet", CHERRY, sandbox=True))

    lines, done = table(mixed, alone, terms=terms)

    assert {line["scientific_name"] for line in lines} == {"Leucanthemum vulgare"}
    assert {line["observation_id"] for line in lines} == {mixed.id}
    assert done.left_out == {ONLY_SANDBOX: 1}


def test_asked_for_it_comes_with_its_mark() -> None:
    """Each row of the sandbox says so, and so does the ranking that it had a say in."""
    kept = observed(answer("plantnet", CHERRY, sandbox=True), answer("offline", CHERRY))

    lines, _ = table(kept, terms=Terms(names(), None, include_sandbox=True))

    marks = {line["provider"]: line["sandbox"] for line in lines}
    assert marks == {"plantnet": "True", "offline": "False", "consensus": "True"}


def test_without_the_sandbox_the_joint_ranking_is_calibrated_as_ever(terms: Terms) -> None:
    """It is made anew from the answers that are left, with the same maps as on the page."""
    kept = observed(answer("plantnet", CHERRY, sandbox=True), answer("offline", CHERRY, score=0.9))
    doubtful = Calibration({"offline": BetaMap(1.0, 1.0, -2.0, 40)})

    plain, _ = table(kept, terms=terms)
    calibrated, _ = table(kept, terms=replace(terms, calibration=doubtful))

    was, now = (
        next(float(line["score"]) for line in lines if line["provider"] == "consensus")
        for lines in (plain, calibrated)
    )
    assert was == pytest.approx(0.9)
    assert now == pytest.approx(doubtful.apply("offline", 0.9, sandbox=False))


def test_practice_on_the_sandbox_does_not_hide_a_determination(terms: Terms) -> None:
    """The last determination that rests on botany stands."""
    botany, practice = determined(DAISY), determined(CHERRY, sandbox=True)
    kept = observed(answer("offline", DAISY), determinations=(botany, practice))

    lines, _ = table(kept, terms=terms)

    assert {line["determined_name"] for line in lines} == {"Leucanthemum vulgare"}


def test_a_persons_own_name_is_a_row_too(terms: Terms) -> None:
    """Where only the sandbox answered, what a person named is botany all the same."""
    kept = observed(answer("plantnet", CHERRY, sandbox=True), determinations=(determined(DAISY),))

    lines, done = table(kept, terms=terms)

    assert [line["determined_name"] for line in lines] == ["Leucanthemum vulgare"]
    assert lines[0]["provider"] == ""
    assert done.rows == 1


def test_a_sensitive_plants_place_is_told_by_the_grid(terms: Terms) -> None:
    """Also where it was only suggested; the notes, which may tell the way, are withheld."""
    note = determined(DAISY, note="left of the third beech")
    kept = observed(answer("plantnet", DAISY, SLIPPER), determinations=(note,))

    lines, done = table(kept, terms=terms)

    first = lines[0]
    assert (first["latitude"], first["longitude"]) == ("50.05", "14.45")
    assert float(first["uncertainty_m"]) > 6_000
    assert (first["place_generalised"], first["determination_note"]) == ("True", "")
    assert done.generalised == 1


def test_a_sensitive_name_that_was_taken_back_still_counts(terms: Terms) -> None:
    """It may have been right, and the earlier export said so."""
    kept = observed(
        answer("plantnet", DAISY), determinations=(determined(SLIPPER), determined(DAISY))
    )

    lines, _ = table(kept, terms=terms)

    assert {line["determined_name"] for line in lines} == {"Leucanthemum vulgare"}
    assert {(line["latitude"], line["longitude"]) for line in lines} == {("50.05", "14.45")}


@given(st.text(st.characters(codec="utf-8")))
def test_any_note_comes_back_and_is_no_formula(note: str) -> None:
    """Whatever a person wrote is one cell, which no spreadsheet runs."""
    kept = observed(answer("offline", DAISY), determinations=(determined(DAISY, note=note),))

    lines, _ = table(kept, terms=Terms(names(), None))

    cell = lines[0]["determination_note"]
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert cell.removeprefix("'") == note.removeprefix("'") or cell == note
