"""Names of several services brought to one taxon each."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import cache, lru_cache
from typing import TYPE_CHECKING, NamedTuple

from plantid_core.compare.names.loaded import FILE_NAME, Loaded
from plantid_core.compare.names.parse import OLD_FAMILIES, read
from plantid_core.compare.names.synonyms import shipped_table
from plantid_core.compare.names.tables import choose, fold, key_of, words_of
from plantid_core.compare.names.values import Reconciled
from plantid_core.errors import NameUnparsable

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from plantid_core.compare.names.parse import Reading
    from plantid_core.compare.names.tables import Table, Usage
    from plantid_core.compare.names.values import How, Level, ParsedName
    from plantid_core.plants import Taxon

_REMEMBERED = 20_000
_INFRAGENERIC = {"genus", "subgenus", "section", "subsection", "series", "subseries"}
_ABOVE = {"family", "subfamily", "order", "class", "phylum", "subphylum", "kingdom"}


class _Question(NamedTuple):
    """All of a taxon that its reconciliation depends on."""

    name: str
    authorship: str | None
    rank: str
    family: str | None
    genus: str | None
    gbif_id: int | None


class Names:
    """Brings names to accepted taxa, by the loaded table first and the shipped one after it.

    Safe to be used by any threads; what was asked lately is remembered. Synonyms are followed,
    homonyms told apart by rank and authorship; where that does not decide, and where no table knows
    the name, it stands for itself. Infraspecific names and cultivars have their species' key, names
    with ``aff.`` their genus' only.
    """

    def __init__(self, loaded: Loaded | None = None) -> None:
        self._loaded = loaded
        self._tables: tuple[Table, ...] = (*filter(None, (loaded,)), shipped_table())
        self._answer = lru_cache(maxsize=_REMEMBERED)(self._answered)

    def reconcile(self, taxon: Taxon) -> Reconciled:
        """Return the accepted taxon; never raises: a text that is no name stands for itself."""
        question = _Question(
            taxon.scientific_name,
            taxon.authorship,
            taxon.rank,
            taxon.family,
            taxon.genus,
            taxon.gbif_id,
        )
        return self._answer(question, self._loaded.edition() if self._loaded else 0)

    def same(self, one: Taxon, other: Taxon, level: Level = "species") -> bool:
        """Tell whether both are one taxon at that level; False where either is less precise."""
        key = self.reconcile(one).key(level)
        return key is not None and key == self.reconcile(other).key(level)

    def close(self) -> None:
        """Let go of the loaded file; afterwards only the shipped table is asked."""
        if self._loaded:
            self._loaded.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _answered(self, question: _Question, edition: int) -> Reconciled:
        del edition  # part of the memory's key: what another file said is not remembered
        try:
            reading = read(question.name)
        except NameUnparsable:
            reading = None
        if question.gbif_id is not None and (usage := self._of_gbif(question.gbif_id)):
            return self._of_usage(usage, "gbif", reading.quoted if reading else "", question)
        if reading is None:
            return self._unparsed(question)
        if reading.parsed.qualifier == "aff." and reading.parsed.epithet:
            reading = read(reading.parsed.genus or "")
        return self._of_name(reading, question)

    def _of_gbif(self, gbif_id: int) -> Usage | None:
        for place, table in enumerate(self._tables):
            usage = table.usage_of_gbif(gbif_id)
            if usage and usage.accepted:
                return self._checked(usage, place)
        return None

    def _of_name(self, reading: Reading, question: _Question) -> Reconciled:
        parsed = reading.parsed
        if (meant := _meant(parsed)) and self._look_up(key_of(meant.parsed), "species", None):
            return self._of_name(meant, question)
        authorship = parsed.authorship or question.authorship
        if usage := self._look_up(key_of(parsed), _rank(parsed), authorship):
            how: How = "synonym" if usage.synonym else "accepted"
            return self._of_usage(usage, how, reading.quoted, question)
        if parsed.infraspecific_epithet and (
            usage := self._look_up(_species(parsed), "species", None)
        ):
            if usage.synonym:
                return self._of_usage(usage, "synonym", reading.quoted, question)
            return self._as_given(reading, question, "accepted")
        return self._as_given(reading, question, "as_given")

    def _look_up(self, key: str, rank: str, authorship: str | None) -> Usage | None:
        for place, table in enumerate(self._tables):
            if usage := choose(table.usages(key), rank, authorship):
                return self._checked(usage, place)
        return None

    def _checked(self, usage: Usage, place: int) -> Usage:
        """Return what the tables before that place say of the accepted name, else the usage."""
        if usage.accepted is None:
            return usage
        for table in self._tables[:place]:
            key = " ".join(words_of(usage.accepted.name))
            if found := choose(table.usages(key), usage.accepted.rank, None):
                return replace(found, synonym=found.synonym or usage.synonym)
        return usage

    def _of_usage(self, usage: Usage, how: How, quoted: str, question: _Question) -> Reconciled:
        accepted = usage.accepted
        if accepted is None:
            return self._unparsed(question)
        words = words_of(accepted.name)
        above, one = accepted.rank in _ABOVE, accepted.rank in _INFRAGENERIC
        genus = None if above else words[0]
        return Reconciled(
            scientific_name=accepted.name + quoted,
            rank=_rank_of(quoted) or accepted.rank,
            species=None if above or one else " ".join(words[:2]),
            genus=genus,
            family=self._family(genus, accepted.name if above else accepted.family, question),
            how=how,
        )

    def _as_given(self, reading: Reading, question: _Question, how: How) -> Reconciled:
        parsed = reading.parsed
        genus = self._genus(parsed.genus) if parsed.genus else None
        family = parsed.canonical if parsed.rank == "family" else None
        return Reconciled(
            scientific_name=reading.written,
            rank=parsed.rank,
            species=_species(parsed) if parsed.epithet else None,
            genus=genus,
            family=self._family(genus, family, question),
            how=how,
        )

    def _unparsed(self, question: _Question) -> Reconciled:
        genus = self._genus(question.genus) if question.genus else None
        family = self._family(genus, None, question)
        return Reconciled(question.name, question.rank, None, genus, family, "unparsed")

    def _genus(self, genus: str) -> str:
        """Return the accepted genus of a genus' name, lower case."""
        usage = self._look_up(fold(genus), "genus", None)
        if usage and usage.accepted and usage.accepted.rank == "genus":
            return words_of(usage.accepted.name)[0]
        return fold(genus)

    def _family(self, genus: str | None, known: str | None, question: _Question) -> str | None:
        """Return the family a table gives, else the one that came with the name, lower case."""
        if not known and genus:
            known = next(filter(None, (table.family_of(genus) for table in self._tables)), None)
        family = known or question.family
        if not family or not (words := fold(family).split()):
            return None
        usage = self._look_up(words[0], "family", None)
        if usage and usage.accepted and usage.accepted.rank == "family":
            return fold(usage.accepted.name)
        return OLD_FAMILIES.get(words[0], words[0])


def _meant(parsed: ParsedName) -> Reading | None:
    """Return another reading, to be taken if a table knows it.

    So of ``xaurantium``, of ``Prunus Serrulata``, and of ``flos cuculi`` without its hyphen.
    """
    if parsed.rank == "infraspecific":
        return _read_again(f"{parsed.genus} {parsed.epithet}-{parsed.infraspecific_epithet}")
    if parsed.epithet and parsed.epithet.startswith("x"):
        return _read_again(f"{parsed.genus} × {parsed.epithet[1:]}")
    if parsed.rank == "genus" and (parsed.authorship or "").isalpha():
        return _read_again(f"{parsed.genus} {(parsed.authorship or '').lower()}")
    return None


def _read_again(name: str) -> Reading | None:
    with suppress(NameUnparsable):
        reading = read(name)
        return reading if reading.parsed.rank == "species" else None
    return None


def _rank(parsed: ParsedName) -> str:
    """Return the rank under which tables keep the name: they know no cultivars and aggregates."""
    if parsed.infraspecific_epithet:
        return parsed.rank
    return "species" if parsed.epithet else parsed.rank if not parsed.cultivar else "genus"


def _rank_of(quoted: str) -> str | None:
    if not quoted:
        return None
    return "cultivar" if quoted.endswith("'") else quoted.rsplit(maxsplit=1)[-1].lower()


def _species(parsed: ParsedName) -> str:
    return fold(f"{parsed.genus} {parsed.epithet}")


@cache
def shipped() -> Names:
    """Return the names that come with the package, without any loaded file."""
    return Names()


def open_names(data_dir: Path) -> Names:
    """Return the shipped names and those loaded into ``data_dir``, if any; close it after use.

    A file that ``plantid names load`` writes later is used a second later, without opening anew.
    """
    return Names(Loaded(data_dir / FILE_NAME))
