"""One photo with the name that it is known to show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from plantid_core.compare.names.parse import parse
from plantid_core.errors import NameUnparsable
from plantid_core.plants import Taxon

if TYPE_CHECKING:
    from pathlib import Path

    from plantid_core.compare.names.values import Reconciled, Reconciler

LabelLevel = Literal["species", "genus", "family", "not_a_plant"]

_NO_PLANT = frozenset({"not a plant", "no plant", "non plant"})
# The species is a guess of whoever wrote the label; the genus is not.
_UNSURE = frozenset({"cf.", "aff."})


@dataclass(frozen=True, slots=True)
class Labelled:
    """A photo at ``path``, called ``file`` in tables; ``level`` is how precise its label is.

    ``label`` is as it was given; ``truth`` is the taxon it stands for, None where it is no plant. A
    label that names only a genus is scored at genus and family, and not at species.
    """

    file: str
    path: Path
    label: str
    truth: Reconciled | None
    level: LabelLevel

    @property
    def species(self) -> str | None:
        """Return the accepted species' key; None where the label is not that precise."""
        return self.truth.species if self.truth and self.level == "species" else None

    @property
    def genus(self) -> str | None:
        """Return the genus' key; None where the label is not that precise."""
        return self.truth.genus if self.truth else None

    @property
    def family(self) -> str | None:
        """Return the family's key; None where it is not known."""
        return self.truth.family if self.truth else None


def says_no_plant(label: str) -> bool:
    """Tell whether the label is "not a plant", in any case, with blanks, hyphens or underscores."""
    return " ".join(label.casefold().replace("_", " ").replace("-", " ").split()) in _NO_PLANT


def labelled(
    file: str, path: Path, label: str, names: Reconciler, *, plant: bool = True
) -> Labelled:
    """Return the photo with what its label means; raises `NameUnparsable`."""
    if not plant or says_no_plant(label):
        return Labelled(file, path, label, None, "not_a_plant")
    parsed = parse(label)
    truth = names.reconcile(Taxon(label, rank=parsed.rank))
    if truth.species and parsed.qualifier not in _UNSURE:
        return Labelled(file, path, label, truth, "species")
    if truth.genus:
        return Labelled(file, path, label, truth, "genus")
    if truth.family:
        return Labelled(file, path, label, truth, "family")
    raise NameUnparsable(label, "it names no species, genus or family")
