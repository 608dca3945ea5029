"""What a table of names knows of one, and how a name is looked up.

A key has no rank marker, authorship, hybrid sign or diacritic (ICN Art. 60.7 makes those no part of
a name): *Citrus × aurantium* f. *sinensis* is ``citrus aurantium sinensis``.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plantid_core.compare.names.values import ParsedName

MARKERS = frozenset(
    {"subsp", "ssp", "var", "f", "convar", "lusus", "proles", "race", "x", "×", "+"}
)
_NO_SIGNS = str.maketrans("×+", "  ")
_LIGATURES = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "æ": "ae", "œ": "oe", "ø": "oe", "å": "ao", "ß": "ss"}
    | {"ł": "l", "đ": "d"}
)
_NO_AUTHORS = {"ex", "in", "et", "and", "f", "fil", "non", "nom", "auct", "hort"}
_LINNAEUS = dict.fromkeys(("linnaeus", "linne", "linn"), "l")
_SHORTEST_STEM = 3
_AUTHOR_WORDS = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class Accepted:
    """An accepted taxon: its name as it is written, with ×; ``family`` as the table has it."""

    name: str
    rank: str
    family: str | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """One name in a table. ``accepted`` is None where the table leaves open what it stands for.

    ``synonym`` tells that it is another taxon's name; ``rank`` is the name's own.
    """

    rank: str
    authorship: str | None
    accepted: Accepted | None
    synonym: bool


class Table(Protocol):
    """A source of names; safe to be asked by any threads."""

    def usages(self, key: str) -> Sequence[Usage]:
        """Return every name of that key: homonyms have several."""

    def usage_of_gbif(self, gbif_id: int) -> Usage | None:
        """Return the name of that id in GBIF's backbone."""

    def family_of(self, genus: str) -> str | None:
        """Return the family of a genus (lower case)."""


def fold(text: str) -> str:
    """Return the text in lower case, diacritics and ligatures written out as ICN Art. 60.7 has it."""
    lower = text.lower()
    if lower.isascii():
        return lower
    composed = unicodedata.normalize("NFC", lower)
    decomposed = unicodedata.normalize("NFKD", composed.translate(_LIGATURES))
    return "".join(filter(lambda character: not unicodedata.combining(character), decomposed))


def tokens_of(name: str) -> list[str]:
    """Return a well-written name's words without hybrid signs and rank markers."""
    words = name.translate(_NO_SIGNS).split()
    return [word for word in words if word[-1] != "." and word.lower() not in MARKERS]


def words_of(name: str) -> list[str]:
    """Return what `tokens_of` does, folded: the words of the name's key."""
    return fold(" ".join(tokens_of(name))).split()


def key_of(parsed: ParsedName) -> str:
    """Return the key under which tables keep a parsed name; a cultivar's is its species'."""
    if not parsed.genus or not parsed.epithet:
        return fold(parsed.genus or parsed.canonical)
    parts = (parsed.genus, parsed.epithet, parsed.infraspecific_epithet)
    return fold(" ".join(filter(None, parts)))


def choose(usages: Sequence[Usage], rank: str, authorship: str | None) -> Usage | None:
    """Return the usage a name means, None where that cannot be told.

    Rank and authorship narrow the choice: a name whose authors share no word with those given is
    another, a homonym. Of what is left, an accepted name is itself; synonyms of one taxon are that
    taxon; of different taxa, nobody knows.
    """
    left = [usage for usage in usages if usage.rank == rank] or list(usages)
    if authorship:
        left = _of_authors(left, authorship)
    if itself := [usage for usage in left if usage.accepted and not usage.synonym]:
        return itself[0]
    taxa = {usage.accepted for usage in left}
    return left[0] if len(taxa) == 1 and None not in taxa else None


def _of_authors(usages: Sequence[Usage], authorship: str) -> list[Usage]:
    given = _authors(authorship)
    cited = [(usage, _authors(usage.authorship)) for usage in usages]
    equal = [usage for usage, authors in cited if authors and _agree(authors, given)]
    return equal or [
        usage
        for usage, authors in cited
        if not authors or not given or any(_alike(a, b) for a in authors for b in given)
    ]


def _agree(ours: Sequence[str], theirs: Sequence[str]) -> bool:
    return len(ours) == len(theirs) and all(map(_alike, ours, theirs))


def _authors(citation: str | None) -> list[str]:
    """Return the authors cited; years, "ex", "in" and punctuation do not count, "L." is Linnaeus."""
    words = _AUTHOR_WORDS.findall(fold(citation or ""))
    return [_LINNAEUS.get(word, word) for word in words if word not in _NO_AUTHORS]


def _alike(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    return long == short or (len(short) >= _SHORTEST_STEM and long.startswith(short))
