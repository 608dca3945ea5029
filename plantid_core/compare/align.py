"""Several answers as one table: a row a taxon, a column a provider."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from plantid_core.compare.ballots import ballots
from plantid_core.compare.fusion import fuse, shares_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from plantid_core.compare.calibration import Calibration
    from plantid_core.compare.names.values import Reconciled, Reconciler
    from plantid_core.plants import Answer


@dataclass(frozen=True, slots=True)
class Cell:
    """What one provider said of a taxon: rank from 1, its own score in 0…1, and the name it gave.

    Where a provider names the taxon twice, under two names, this is the better rank.
    """

    rank: int
    score: float
    given: str


@dataclass(frozen=True, slots=True)
class Row:
    """One taxon and who named it; providers that did not are absent from ``cells``."""

    taxon: Reconciled
    title: str
    cells: Mapping[str, Cell]

    @property
    def best(self) -> int:
        """Return the best rank that a provider gave."""
        return min(cell.rank for cell in self.cells.values())

    def to_dict(self) -> dict[str, object]:
        """Return the JSON form."""
        return {
            "scientific_name": self.title,
            "rank": self.taxon.rank,
            "how": self.taxon.how,
            "species": self.taxon.species,
            "genus": self.taxon.genus,
            "family": self.taxon.family,
            "providers": {name: asdict(cell) for name, cell in self.cells.items()},
        }


@dataclass(frozen=True, slots=True)
class Table:
    """The rows in the order of the consensus; ``providers`` are all asked, in the answers' order."""

    providers: tuple[str, ...]
    rows: tuple[Row, ...]

    def to_dict(self) -> dict[str, object]:
        """Return the JSON form."""
        return {"providers": list(self.providers), "taxa": [row.to_dict() for row in self.rows]}


def align(
    answers: Sequence[Answer], names: Reconciler, calibration: Calibration | None = None
) -> Table:
    """Return every taxon that any answer names, at species level, under its accepted name.

    A genus or family that is named alone has a row of its own. Cells hold the providers' own scores;
    the calibration only breaks ties of the order.
    """
    cast = ballots(answers, names)
    shares = [shares_of(ballot, calibration) for ballot in cast]
    rows = [
        Row(
            one.taxon,
            one.taxon.scientific_name,
            {
                ballot.provider: Cell(vote.rank, vote.score, vote.given)
                for ballot in cast
                if (vote := ballot.votes.get(one.key)) is not None
            },
        )
        for one in fuse(cast, shares, max(1, len(cast)))
    ]
    return Table(tuple(ballot.provider for ballot in cast), tuple(rows))
