r"""The tables of names that the world publishes, row by row.

- WCVP, ``wcvp_names.csv``: the World Checklist of Vascular Plants (Govaerts et al. 2021, Sci. Data 8,
  215), pipes, a header.
- GBIF's backbone, ``simple.txt``: 30 columns, tabs, no header, ``\N`` for nothing; a synonym's
  ``parent_key`` is its accepted name.
- Darwin Core (``Taxon.tsv`` of GBIF's backbone, WCVP's and World Flora Online's archives): tabs or
  pipes, a header in any case. WCVP misspells ``scientfiicname``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from plantid_core.compare.names.tables import fold, tokens_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Kind = Literal["wcvp", "gbif", "darwin core"]
Identity = int | str

WCVP = ("plant_name_id", "taxon_rank", "taxon_status", "taxon_name", "accepted_plant_name_id")
DARWIN_CORE = ("taxonID", "scientificName", "acceptedNameUsageID", "taxonomicStatus", "taxonRank")
# As many as always fit the 64 bits of SQLite's whole numbers.
_MOST_DIGITS = 18
_SIMPLE_COLUMNS = 30
_SIMPLE = {
    "id": 0, "accepted": 1, "synonym": 3, "status": 4, "rank": 5, "kingdom": 10, "family": 14,
    "whole": 18, "name": 19, "authorship": 24, "bracket": 26,
}  # fmt: skip
_PLANTAE = "6"

_MISUSE = "misapplied"
_OPEN = ("unplaced", "proparte", "pro parte", "ambiguous", "unchecked")
_WORD = re.compile(r"[a-z][a-z-]+")
_SIGN = re.compile(r"(?:^|\s)[×xX]\s+(?=\w)|×")
_RANKS = {"subsp.": "subspecies", "ssp.": "subspecies", "var.": "variety", "f.": "form"}
_MARKER_OF = {"subspecies": "subsp.", "variety": "var.", "subvariety": "subvar.", "form": "f.",
              "subform": "subf."}  # fmt: skip
_MOST_WORDS = 3


class Row(NamedTuple):
    """One name of a table; ``family`` is a name, or in GBIF's ``simple.txt`` the id of one.

    ``accepted`` is the accepted name's id, its own for an accepted name, None where that is open.
    """

    identity: Identity
    key: str
    name: str
    rank: str
    authorship: str | None
    family: str | int | None
    accepted: Identity | None
    synonym: bool


@dataclass(frozen=True, slots=True)
class Format:
    """How a table is read. ``row`` returns None for what is no name of a plant.

    ``headless`` tells that the first line is a row as well, ``gbif`` that ids are GBIF's own.
    """

    kind: Kind
    gbif: bool
    headless: bool
    row: Callable[[str], Row | None]


def recognise(first: str) -> Format | None:
    """Return the format of a table by its first line, None where it is none of them."""
    first = first.lstrip("\ufeff").rstrip("\r\n")
    cells = first.split("\t")
    if len(cells) == _SIMPLE_COLUMNS and cells[0].isdecimal() and cells[3] in {"t", "f"}:
        return Format("gbif", gbif=True, headless=True, row=_simple)
    for mark in "|\t":
        head = [cell.strip('" ').lower() for cell in first.split(mark)]
        if set(WCVP) <= set(head):
            return Format("wcvp", gbif=False, headless=False, row=_wcvp(_places(head), mark))
        if "scientfiicname" in head:
            head = [cell.replace("scientfiic", "scientific") for cell in head]
        if {column.lower() for column in DARWIN_CORE} <= set(head):
            backbone = {"canonicalname", "genericname"} <= set(head)
            kind: Kind = "gbif" if backbone else "darwin core"
            row = _darwin_core(_places(head), mark, whole_numbers=backbone)
            return Format(kind, gbif=backbone, headless=False, row=row)
    return None


def _places(head: Sequence[str]) -> dict[str, int]:
    return {column: place for place, column in enumerate(head)}


def _simple(line: str) -> Row | None:
    cells = line.split("\t")
    if len(cells) != _SIMPLE_COLUMNS or cells[_SIMPLE["kingdom"]] != _PLANTAE:
        return None
    said = {column: "" if cells[at] == r"\N" else cells[at] for column, at in _SIMPLE.items()}
    identity, synonym = _whole(said["id"]), said["synonym"] == "t"
    if identity is None:
        return None
    accepted = said["accepted"] if synonym else said["id"]
    bracket = f"({said['bracket']}) " if said["bracket"] else ""
    return _row(
        _Said(
            identity=identity,
            name=said["name"],
            whole=said["whole"],
            rank=said["rank"],
            authorship=bracket + said["authorship"],
            family=_whole(said["family"]),
            accepted=_whole(accepted),
            status=said["status"],
        )
    )


def _wcvp(at: dict[str, int], mark: str) -> Callable[[str], Row | None]:
    width = len(at)

    def row(line: str) -> Row | None:
        cells = line.split(mark)
        if len(cells) < width:
            return None
        status, identity = cells[at["taxon_status"]], cells[at["plant_name_id"]]
        return _row(
            _Said(
                identity=_identity(identity),
                name=cells[at["taxon_name"]],
                whole=cells[at["taxon_name"]],
                rank=cells[at["taxon_rank"]],
                authorship=_cell(cells, at.get("taxon_authors")),
                family=_cell(cells, at.get("family")) or None,
                accepted=_identity(cells[at["accepted_plant_name_id"]]) or _own(status, identity),
                status=status,
            )
        )

    return row


def _darwin_core(
    at: dict[str, int], mark: str, *, whole_numbers: bool
) -> Callable[[str], Row | None]:
    width = len(at)

    def row(line: str) -> Row | None:
        cells = [cell.strip('"') for cell in line.split(mark)]
        if len(cells) < width:
            return None
        if _cell(cells, at.get("kingdom")).lower() not in {"", "plantae"}:
            return None
        identity, status = cells[at["taxonid"]], cells[at["taxonomicstatus"]]
        whole = cells[at["scientificname"]]
        authorship = _cell(cells, at.get("scientificnameauthorship"))
        accepted = cells[at["acceptednameusageid"]]
        if whole_numbers and not (identity.isdecimal() and (accepted or "0").isdecimal()):
            return None
        return _row(
            _Said(
                identity=_identity(identity),
                name=_cell(cells, at.get("canonicalname")) or whole.removesuffix(authorship),
                whole=whole,
                rank=cells[at["taxonrank"]],
                authorship=authorship,
                family=_cell(cells, at.get("family")) or None,
                accepted=_identity(accepted) or _own(status, identity),
                status=status,
            )
        )

    return row


def _cell(cells: Sequence[str], place: int | None) -> str:
    return "" if place is None else cells[place]


def _identity(text: str) -> Identity | None:
    text = text.strip()
    number = _whole(text)
    return text or None if number is None else number


def _whole(text: str) -> int | None:
    plain = text.isdecimal() and text.isascii() and len(text) <= _MOST_DIGITS
    return int(text) if plain else None


def _own(status: str, identity: str) -> Identity | None:
    """Return the name's own id where it is accepted and the table does not repeat it."""
    said = status.lower()
    own = "synonym" not in said and not said.startswith(("illegit", "invalid", "orth", *_OPEN))
    return _identity(identity) if own else None


class _Said(NamedTuple):
    """A row as the tables have it, before it is judged."""

    identity: Identity | None
    name: str
    whole: str
    rank: str
    authorship: str
    family: str | int | None
    accepted: Identity | None
    status: str


def _row(said: _Said) -> Row | None:
    tokens = tokens_of(said.name)
    words = fold(" ".join(tokens)).split()
    if not 1 <= len(words) <= _MOST_WORDS or not all(map(_WORD.fullmatch, words)):
        return None
    rank = said.rank.strip().lower().removeprefix("notho").replace("_name", "")
    rank = _RANKS.get(rank, rank)
    if said.status.lower().startswith(
        _MISUSE
    ):  # it tells of a name's wrong use, and is none itself
        return None
    if said.identity is None or (len(words) == 1 and rank not in {"genus", "family"}):
        return None
    is_open = said.status.lower().startswith(_OPEN)
    return Row(
        identity=said.identity,
        key=" ".join(words),
        name=_written(tokens, rank, said.whole),
        rank=rank,
        authorship=" ".join(said.authorship.split()) or None,
        family=said.family,
        accepted=None if is_open else said.accepted,
        synonym=said.accepted not in {said.identity, None},
    )


def _written(tokens: Sequence[str], rank: str, whole: str) -> str:
    """Return the name with × where the whole text has it, and the marker of its rank."""
    genus, *epithets = tokens
    name = [genus.capitalize(), *epithets]
    if len(name) == _MOST_WORDS and (marker := _MARKER_OF.get(rank)):
        name.insert(2, marker)
    if sign := _SIGN.search(whole):
        after = whole[sign.end() :].lstrip()
        place = 0 if after.lower().startswith(genus.lower()) else min(1, len(name) - 1)
        name.insert(place, "×")
    return " ".join(name)
