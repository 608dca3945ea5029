"""Kept observations as a tidy table: a row a suggestion, beside what is known of its observation.

A cell of text that a spreadsheet would take for a formula (it begins with = + - @, a tab or a carriage
return) is given an apostrophe before it, which spreadsheets hide: OWASP, "CSV Injection". Numbers are
left as they are. A reader who wants the text back takes one apostrophe off such a cell.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, TextIO

from plantid_core.export.release import ONLY_SANDBOX, Exported, release
from plantid_core.export.tidy import joint_rows, rows

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import IO

    from plantid_core.export.release import Released, Terms
    from plantid_core.export.tidy import Row
    from plantid_core.store.history.values import Observed

    Cell = str | int | float | bool | None

COLUMNS = (
    "observation_id",
    "photo_ids",
    "organs",
    "made_at",
    "observed_on",
    "latitude",
    "longitude",
    "uncertainty_m",
    "place_generalised",
    "recorded_by",
    "licence",
    "provider",
    "sandbox",
    "status",
    "rank",
    "scientific_name",
    "authorship",
    "family",
    "score",
    "gbif_id",
    "error",
    "determination",
    "determined_name",
    "determined_authorship",
    "determined_rank",
    "determined_by",
    "determined_at",
    "determined_from",
    "determination_sandbox",
    "determination_note",
)

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_csv(file: TextIO, observations: Iterable[Observed], terms: Terms) -> Exported:
    """Write the table and return what was written; ``file`` is open with ``newline=""``.

    Every provider's suggestions come first, then the joint ranking's (provider ``consensus``). Times
    are ISO 8601 in UTC, places decimal degrees (WGS 84), ``uncertainty_m`` a radius in metres.
    """
    table = csv.writer(file, lineterminator="\r\n")  # RFC 4180
    table.writerow(COLUMNS)
    done = Exported()
    for observed in observations:
        told = release(observed, terms)
        if told is None:
            done.left_out[ONLY_SANDBOX] += 1
            continue
        lines = _lines(told)
        table.writerows(lines)
        done.observations += 1
        done.rows += len(lines)
        done.generalised += told.place_is_generalised()
    return done


def save_csv(file: IO[bytes], observations: Iterable[Observed], terms: Terms) -> Exported:
    """Do what `write_csv` does into a binary file, in UTF-8 with the mark that spreadsheets look for."""
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    try:
        return write_csv(text, observations, terms)
    finally:
        text.detach()


def harmless(cell: Cell) -> Cell:
    """Return the cell so that no spreadsheet takes it for a formula."""
    if isinstance(cell, str) and cell.startswith(_FORMULA):
        return f"'{cell}"
    return cell


def _lines(told: Released) -> list[list[Cell]]:
    before, after = _observation(told), _determination(told)
    suggested: list[Row | None] = [*rows(told.answers)]
    if told.answers:
        suggested += joint_rows(told.joint, told.answers)
    # A name that a person alone gave is a row too.
    lines = [[*before, *_suggestion(row), *after] for row in suggested or [None]]
    return [[harmless(_plain(cell)) for cell in line] for line in lines]


def _observation(told: Released) -> list[Cell]:
    observed, known = told.observed, told.circumstances
    place = known.place
    return [
        observed.id,
        " ".join(photo.photo_id for photo in observed.photos),
        " ".join(photo.organ for photo in observed.photos),
        observed.made_at.isoformat(),
        known.observed_on.isoformat() if known.observed_on else None,
        place.latitude if place else None,
        place.longitude if place else None,
        known.uncertainty_m if place else None,
        told.place_is_generalised(),
        known.recorded_by,
        known.licence,
    ]


def _suggestion(row: Row | None) -> list[Cell]:
    if row is None:
        return [None] * 10
    return [
        row["provider"],
        row["sandbox"],
        row["status"],
        row["rank"],
        row["scientific_name"],
        row["authorship"],
        row["family"],
        row["score"],
        row["gbif_id"],
        row["error"],
    ]


def _determination(told: Released) -> list[Cell]:
    decided = told.determination
    if decided is None:
        return [None] * 9
    taxon = decided.taxon
    return [
        decided.action,
        taxon.scientific_name if taxon else None,
        taxon.authorship if taxon else None,
        taxon.rank if taxon else None,
        decided.made_by,
        decided.made_at.isoformat(),
        decided.provider,
        decided.sandbox,
        decided.note,
    ]


def _plain(cell: Cell) -> Cell:
    """Return text that UTF-8 can hold: half a surrogate pair would end the export half way."""
    if isinstance(cell, str):
        return cell.encode("utf-8", "replace").decode()
    return cell
