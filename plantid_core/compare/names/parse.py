"""Scientific names as people, files and services write them, read by GBIF's own parser."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import nameparser

from plantid_core.compare.names.spelling import clean
from plantid_core.compare.names.values import ParsedName
from plantid_core.errors import NameUnparsable

if TYPE_CHECKING:
    from plantid_core.compare.names.values import Qualifier

# No Latin or Greek epithet begins with x and a consonant: there the x is a hybrid sign.
_GLUED_SIGN = re.compile(r"^x+(?=[b-df-hj-np-tv-xz][a-z]{2})")
_LATIN = re.compile(r"[a-zß-öø-ýœ]{2,}(?:-[a-zß-öø-ýœ]+)*")
_FANCY = re.compile(r"(?!.*\bcv\b)[^\W_](?:[\w .&!/-]|(?<=\w)'(?=\w))*")

_MARKERS = {
    "SUBSPECIES": "subsp.",
    "VARIETY": "var.",
    "SUBVARIETY": "subvar.",
    "FORM": "f.",
    "SUBFORM": "subf.",
    "CONVARIETY": "convar.",
    "PROLES": "prol.",
    "RACE": "race",
    "LUSUS": "lusus",
}
_INFRAGENERIC = {
    "SUBGENUS": "subg.",
    "SECTION_BOTANY": "sect.",
    "SUBSECTION_BOTANY": "subsect.",
    "SERIES_BOTANY": "ser.",
    "SUBSERIES_BOTANY": "subser.",
}
_NO_EPITHETS = {
    "agg", "aff", "auct", "cf", "comb", "convar", "cv", "grex", "group", "hort", "hybrid", "illeg",
    "indet", "ined", "infragen", "inval", "nom", "sect", "sensu", "ser", "sp", "spec", "species", "spp",
    "nothof", "nothosubsp", "nothovar", "ssp", "stat", "subg", "subsp", "subvar", "var",
}  # fmt: skip
# ICN Art. 18.5 and 19.8: families older than the rule that they end in -aceae.
OLD_FAMILIES = {
    "compositae": "asteraceae",
    "cruciferae": "brassicaceae",
    "gramineae": "poaceae",
    "guttiferae": "clusiaceae",
    "labiatae": "lamiaceae",
    "leguminosae": "fabaceae",
    "palmae": "arecaceae",
    "papilionaceae": "fabaceae",
    "umbelliferae": "apiaceae",
}
_ENDINGS = (
    ("aceae", "family"),
    ("oideae", "subfamily"),
    ("ales", "order"),
    ("phyta", "phylum"),
    ("phytina", "subphylum"),
    ("opsida", "class"),
)
_KINGDOMS = {"plantae", "viridiplantae", "fungi", "animalia"}
_WHY = {
    "FORMULA": "it is a hybrid formula, which names parents",
    "PLACEHOLDER": "it stands for an unknown one",
    "IDENTIFIER": "it is an identifier",
    "VIRUS": "it is a virus",
    "OTHER": "it has no genus that could be read",
    "SHORT": "its genus is abbreviated",
}


class Reading(NamedTuple):
    """A name's parts, and the whole of it written as the code wants it (``×``, ``subsp.``).

    ``quoted`` is the end of it that names a cultivar or group, with a space before; empty without.
    """

    parsed: ParsedName
    written: str
    quoted: str = ""


def parse(name: str) -> ParsedName:
    """Return the parts of a name; raises `NameUnparsable`, and nothing else whatever the text.

    A hybrid formula (``Salix alba × S. fragilis``) names two parents and no taxon: it is refused.
    ``sp.`` and ``spp.`` leave the genus (or family) with the qualifier ``sp.``, ``agg.`` the species
    with the rank ``aggregate``. A quadrinomial keeps its lowest epithet. A capitalised second word
    ("Prunus Serrulata") is an author, as the code has it, unless the whole text is in capitals.
    """
    return read(name).parsed


def read(name: str) -> Reading:
    """Return the name's parts with its well-written form; raises `NameUnparsable` as `parse` does."""
    cleaned = clean(name)
    found = _ask_gbif(cleaned, name)
    if isinstance(found, nameparser.Informal):
        return _of_informal(found, cleaned, name)
    return _of_parsed(found, cleaned, name)


def _ask_gbif(cleaned: str, name: str) -> nameparser.ParsedName | nameparser.Informal:
    try:
        return nameparser.parse(cleaned)
    except nameparser.UnparsableNameError as error:
        kind = "VIRUS" if error.code == "VIRUS" else error.name_type
        raise NameUnparsable(name, _WHY.get(kind, _WHY["OTHER"])) from None
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:  # a panic in Rust is no Exception
        raise NameUnparsable(name, "the parser failed on it") from error


def _of_informal(informal: nameparser.Informal, cleaned: str, name: str) -> Reading:
    taxon = informal.taxon.capitalize()
    _require_latin(taxon, name)
    rank = _rank_of_uninomial(taxon)
    genus = taxon if rank == "genus" else None
    parsed = ParsedName(taxon, rank, genus, hybrid="×" in cleaned, qualifier="sp.")
    return Reading(parsed, taxon)


def _of_parsed(found: nameparser.ParsedName, cleaned: str, name: str) -> Reading:
    if "blacklisted epithet used" in found.warnings:
        raise NameUnparsable(name, "its words are no Latin")
    genus = (found.genus or found.uninomial or "").capitalize()
    if genus.endswith("."):
        raise NameUnparsable(name, _WHY["SHORT"])
    words = (found.specific_epithet or "", found.infraspecific_epithet or "")
    _require_latin(genus, name)
    if not all(_is_latin(word) for word in words if word):
        raise NameUnparsable(name, "its words are no Latin")
    if found.infrageneric_epithet and found.rank in _INFRAGENERIC:
        return _of_infrageneric(found, genus)
    if not words[0] or _GLUED_SIGN.sub("", words[0].lower()) in _NO_EPITHETS:
        return _of_uninomial(found, genus, cleaned)
    return _of_species(found, genus, cleaned)


def _require_latin(genus: str, name: str) -> None:
    if not _is_latin(genus) or genus.lower() in _NO_EPITHETS:
        raise NameUnparsable(name, _WHY["OTHER"])


def _is_latin(word: str) -> bool:
    return _LATIN.fullmatch(word.lower()) is not None


def _of_infrageneric(found: nameparser.ParsedName, genus: str) -> Reading:
    group = (found.infrageneric_epithet or "").capitalize()
    written = f"{genus} {_INFRAGENERIC[found.rank]} {group}"
    parsed = ParsedName(written, _rank(found.rank), genus, authorship=_authorship(found))
    return Reading(parsed, written)


def _of_uninomial(found: nameparser.ParsedName, taxon: str, cleaned: str) -> Reading:
    rank = _rank_of_uninomial(taxon)
    # A sign after the genus ("Rosa ×") tells a hybrid without an epithet.
    sign = _sign_before(found, "GENERIC", cleaned) if cleaned[0] in "×xX+" else ""
    cultivar = _cultivar(found)
    parsed = ParsedName(
        canonical=taxon + _quoted(found),
        rank=_rank_of_cultivar(found) if cultivar else rank,
        genus=taxon if rank == "genus" else None,
        cultivar=cultivar,
        authorship=_authorship(found),
        hybrid=_is_hybrid(found, cleaned),
        qualifier=_qualifier(found),
    )
    return Reading(parsed, sign + taxon + _quoted(found), _quoted(found))


def _of_species(found: nameparser.ParsedName, genus: str, cleaned: str) -> Reading:
    epithet, glued = _GLUED_SIGN.subn("", (found.specific_epithet or "").lower(), count=1)
    below = (found.infraspecific_epithet or "").lower()
    if below in _NO_EPITHETS:
        below = ""
    marker = _MARKERS.get(found.rank) if below else None
    tail = " ".join(filter(None, (marker, below)))
    ending = (f" {tail}" if tail else "") + _quoted(found)
    parsed = ParsedName(
        canonical=f"{genus} {epithet}{ending}",
        rank=_rank_below_genus(found, below),
        genus=genus,
        epithet=epithet,
        infraspecific_rank=marker,
        infraspecific_epithet=below or None,
        cultivar=_cultivar(found),
        authorship=_authorship(found),
        hybrid=bool(glued) or _is_hybrid(found, cleaned),
        qualifier=_qualifier(found),
    )
    before, between = (_sign_before(found, part, cleaned) for part in ("GENERIC", "SPECIFIC"))
    between = "× " if glued else between
    return Reading(parsed, f"{before}{genus} {between}{epithet}{ending}", _quoted(found))


def _rank(rank: str) -> str:
    return rank.lower().removesuffix("_botany")


def _rank_below_genus(found: nameparser.ParsedName, below: str) -> str:
    if _cultivar(found):
        return _rank_of_cultivar(found)
    if below:
        return _rank(found.rank) if found.rank in _MARKERS else "infraspecific"
    return "aggregate" if found.rank == "SPECIES_AGGREGATE" else "species"


def _rank_of_cultivar(found: nameparser.ParsedName) -> str:
    return {"CULTIVAR_GROUP": "group", "GREX": "grex"}.get(found.rank, "cultivar")


def _rank_of_uninomial(taxon: str) -> str:
    word = taxon.lower()
    if word in OLD_FAMILIES:
        return "family"
    if word in _KINGDOMS:
        return "kingdom"
    return next((rank for ending, rank in _ENDINGS if word.endswith(ending)), "genus")


def _is_hybrid(found: nameparser.ParsedName, cleaned: str) -> bool:
    return bool(found.notho) and not _is_graft(cleaned)


def _is_graft(cleaned: str) -> bool:
    """Tell whether the sign is +, of a graft chimaera (ICNCP Art. 24), which is no hybrid."""
    return "+" in cleaned and "×" not in cleaned


def _sign_before(found: nameparser.ParsedName, part: str, cleaned: str) -> str:
    if part not in (found.notho or ()):
        return ""
    return "+ " if _is_graft(cleaned) else "× "


def _cultivar(found: nameparser.ParsedName) -> str | None:
    name = found.cultivar_epithet or ""
    return name if _FANCY.fullmatch(name) else None


def _quoted(found: nameparser.ParsedName) -> str:
    if not (name := _cultivar(found)):
        return ""
    rank = _rank_of_cultivar(found)
    return f" '{name}'" if rank == "cultivar" else f" {name} {'Group' if rank == 'group' else rank}"


def _authorship(found: nameparser.ParsedName) -> str | None:
    return found.authorship_complete() or None


def _qualifier(found: nameparser.ParsedName) -> Qualifier | None:
    """Return the weightiest qualifier of any part; a question mark weighs as ``cf.``."""
    said = set((found.epithet_qualifier or {}).values())
    if any(text.startswith("aff") for text in said):
        return "aff."
    return "cf." if said else None
