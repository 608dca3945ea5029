"""Plants whose place must not be told exactly, and how their place is told instead.

A place is moved to the centre of a cell of a fixed grid, and its uncertainty says so: A. D. Chapman,
"Current Best Practices for Generalizing Sensitive Species Occurrence Data", GBIF Secretariat 2020
(0.1° for high sensitivity). The grid is the same for all, so that several records of one plant tell no
more than one does.
"""

from __future__ import annotations

import csv
import math
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from plantid_core.errors import InputUnreadable
from plantid_core.plants import Place, Taxon
from plantid_core.reference import table

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from plantid_core.compare.names.values import Reconciled, Reconciler

_COLUMNS = ("scientific_name", "rank", "family", "grid_degrees", "reason", "source")
_FINEST, _COARSEST = 0.001, 10.0
# A degree is nowhere longer on the WGS 84 ellipsoid than a²/b · π/180 (at the poles).
_METRES_A_DEGREE = 111_694.0
_ROUNDED_M = 0.1  # six decimals of a degree
_POLE, _DATE_LINE = 90.0, 180.0
_WORD = re.compile(r"[^\W\d_]{2,}")


@dataclass(frozen=True, slots=True)
class Rule:
    """A species, or a genus with all of its species, whose place is told to ``grid_degrees`` only."""

    scientific_name: str
    rank: str
    family: str
    grid_degrees: float
    reason: str
    source: str


class Sensitive:
    """The rules in force, found by accepted names: a synonym of a sensitive species is one too.

    Who names no more than the genus or the family may have seen the sensitive species: that counts. Of
    a name that cannot be read (a hybrid formula) the first word is taken for a genus.
    """

    def __init__(self, rules: Iterable[Rule], names: Reconciler) -> None:
        self._names = names
        self._of_taxon: dict[tuple[str, str], Rule] = {}
        self._within: dict[tuple[str, str], Rule] = {}
        for rule in rules:
            found = names.reconcile(_taxon(rule))
            level = "genus" if rule.rank == "genus" else "species"
            _coarsest(self._of_taxon, (level, _key(found, level) or _plain(rule)), rule)
            _coarsest(self._within, ("genus", found.genus or _plain(rule).split()[0]), rule)
            if family := found.family or rule.family.lower():
                _coarsest(self._within, ("family", family), rule)

    def rule(self, taxa: Iterable[Taxon]) -> Rule | None:
        """Return the coarsest rule that any of the taxa falls under, None where none does."""
        found = [rule for taxon in taxa if (rule := self._of(taxon)) is not None]
        return max(found, key=lambda rule: rule.grid_degrees, default=None)

    def _of(self, taxon: Taxon) -> Rule | None:
        found = self._names.reconcile(taxon)
        if found.species is not None:
            keys = ("species", found.species), ("genus", found.genus or "")
            rules = [rule for key in keys if (rule := self._of_taxon.get(key)) is not None]
            return max(rules, key=lambda rule: rule.grid_degrees, default=None)
        if found.genus is not None:
            return self._within.get(("genus", found.genus))
        if found.family is not None:
            return self._within.get(("family", found.family))
        first = _WORD.search(taxon.scientific_name)
        return self._within.get(("genus", first[0].lower())) if first else None


def generalised(
    place: Place, uncertainty_m: float | None, grid_degrees: float
) -> tuple[Place, float]:
    """Return the centre of the place's cell, and the radius in metres that holds where it was.

    The radius is half the cell's diagonal at that latitude, rounded up, and the one that the place
    had itself.
    """
    south = _edge(place.latitude, grid_degrees, _POLE)
    west = _edge(place.longitude, grid_degrees, _DATE_LINE)
    half = grid_degrees / 2
    # The side of the cell that lies nearer to the equator is the longer one.
    nearest = min(abs(south), abs(south + grid_degrees))
    half_width = half * math.cos(math.radians(min(nearest, _POLE)))
    diagonal_m = math.hypot(half, half_width) * _METRES_A_DEGREE
    centre = Place(
        round(max(-_POLE, min(_POLE, south + half)), 6),
        round(max(-_DATE_LINE, min(_DATE_LINE, west + half)), 6),
    )
    return centre, math.ceil(diagonal_m + _ROUNDED_M) + (uncertainty_m or 0.0)


def _edge(degrees: float, grid: float, end: float) -> float:
    """Return the cell's lower edge; rounded first, since 0.3 / 0.1 is a little less than 3.

    What lies on the very ``end`` is of the last cell: one that begins there would hold nothing else.
    """
    last = math.ceil(round(end / grid, 9)) - 1
    return min(math.floor(round(degrees / grid, 9)), last) * grid


@cache
def shipped() -> tuple[Rule, ...]:
    """Return the rules of ``data/sensitive.csv``."""
    return read(table("sensitive.csv"))


def read(path: Path) -> tuple[Rule, ...]:
    """Return a file's rules; raises `InputUnreadable` that names the line.

    The file is a CSV table in UTF-8 with the columns of ``data/sensitive.csv``; ``rank`` is species
    or genus, ``grid_degrees`` from 0.001 to 10.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.DictReader(file)
            missing = [name for name in _COLUMNS if name not in (lines.fieldnames or ())]
            if missing:
                raise InputUnreadable(
                    str(path), f"the column {missing[0]!r} is missing; needed: {list(_COLUMNS)}."
                )
            return tuple(_rule(path, number, line) for number, line in enumerate(lines, start=2))
    except OSError as error:
        raise InputUnreadable(str(path), f"{error.strerror}.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputUnreadable(str(path), "this is no CSV table in UTF-8.") from error


def _rule(path: Path, number: int, line: dict[str, str | None]) -> Rule:
    told = {name: (line[name] or "").strip() for name in _COLUMNS}
    try:
        grid = float(told["grid_degrees"])
    except ValueError:
        grid = math.nan
    if not _FINEST <= grid <= _COARSEST:
        value = told["grid_degrees"]
        reason = f"line {number}: grid_degrees is {value!r}; use {_FINEST:g} to {_COARSEST:g}."
        raise InputUnreadable(str(path), reason)
    if told["rank"] not in {"species", "genus"} or not told["scientific_name"]:
        reason = f"line {number}: a rule needs a name, and the rank species or genus."
        raise InputUnreadable(str(path), reason)
    return Rule(
        told["scientific_name"],
        told["rank"],
        told["family"],
        grid,
        told["reason"],
        told["source"],
    )


def _taxon(rule: Rule) -> Taxon:
    genus = rule.scientific_name.split()[0]
    return Taxon(rule.scientific_name, rank=rule.rank, family=rule.family or None, genus=genus)


def _key(found: Reconciled, level: str) -> str | None:
    return found.genus if level == "genus" else found.species


def _plain(rule: Rule) -> str:
    return rule.scientific_name.lower()


def _coarsest(rules: dict[tuple[str, str], Rule], key: tuple[str, str], rule: Rule) -> None:
    kept = rules.get(key)
    if kept is None or kept.grid_degrees < rule.grid_degrees:
        rules[key] = rule
