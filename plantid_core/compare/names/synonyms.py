"""The synonyms and genera shipped in ``data/``: facts of Plants of the World Online and WCVP."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from plantid_core import reference
from plantid_core.compare.names.parse import parse
from plantid_core.compare.names.tables import Accepted, Usage, fold, key_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_MOST_STEPS = 8


@dataclass(frozen=True)
class Shipped:
    """The table of ``data/synonyms.csv`` and the families of ``data/genera.csv``, in memory."""

    by_key: dict[str, list[Usage]] = field(default_factory=dict)
    by_gbif: dict[int, Usage] = field(default_factory=dict)
    families: dict[str, str] = field(default_factory=dict)

    def usages(self, key: str) -> Sequence[Usage]:
        """Return every name of that key."""
        return self.by_key.get(key, ())

    def usage_of_gbif(self, gbif_id: int) -> Usage | None:
        """Return the name of that id in GBIF's backbone, where the table gives the id."""
        return self.by_gbif.get(gbif_id)

    def family_of(self, genus: str) -> str | None:
        """Return the family of a genus (lower case)."""
        return self.families.get(genus)


@cache
def shipped_table() -> Shipped:
    """Return the table that comes with the package, read once."""
    table = Shipped(families={fold(row["genus"]): row["family"] for row in _rows("genera.csv")})
    rows = list(_rows("synonyms.csv"))
    accepted_by = {row["name"]: row["accepted_name"] for row in rows}
    for row in rows:
        last = _last(row["accepted_name"], accepted_by)
        taxon = Accepted(last, row["rank"], row["family"] or None)
        for name in {row["name"], last}:
            _add(table, name, taxon, row["gbif_id"] if name == row["name"] else "")
    return table


def _add(table: Shipped, name: str, taxon: Accepted, gbif_id: str) -> None:
    parsed = parse(name)
    synonym = name != taxon.name
    rank = "family" if taxon.rank == "family" else parsed.rank
    usage = Usage(rank, parsed.authorship, taxon, synonym)
    known = table.by_key.setdefault(key_of(parsed), [])
    if usage not in known:
        known.append(usage)
    if gbif_id:
        table.by_gbif[int(gbif_id)] = usage


def _last(name: str, accepted_by: dict[str, str]) -> str:
    """Return the end of a chain of synonyms; of a circle, its first name."""
    start = name
    for _ in range(_MOST_STEPS):
        if accepted_by.get(name, name) == name:
            return name
        name = accepted_by[name]
    return start


def _rows(name: str) -> Iterator[dict[str, str]]:
    with reference.table(name).open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)
