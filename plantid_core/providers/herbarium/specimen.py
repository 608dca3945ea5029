"""What a herbarium is built from, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from plantid_core.plants import Taxon
    from plantid_core.providers.herbarium.herbarium import Herbarium


@dataclass(frozen=True, slots=True)
class Specimen:
    """A labelled photo at ``path``, called ``file``.

    Photos of one ``source`` (a plant, a picture that copies were made of) are left out together when
    the herbarium is tried on its own photos; None is a source of its own.
    """

    file: str
    path: Path
    taxon: Taxon
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """A photo that did not become a part, and why: a code of the upload chain's, or ``duplicate``."""

    file: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a build is: photos done, those looked at anew among them, and seconds since it began."""

    done: int
    total: int
    embedded: int
    elapsed_s: float


@dataclass(frozen=True, slots=True)
class Built:
    """A herbarium that was made; ``embedded`` photos were looked at, ``reused`` were known."""

    herbarium: Herbarium
    embedded: int
    reused: int
    refused: tuple[Refused, ...]
    elapsed_s: float
