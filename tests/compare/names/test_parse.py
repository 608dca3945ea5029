"""Names as they come, and what each must be."""

from __future__ import annotations

import random

import nameparser
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from plantid_core.compare.names.parse import parse, read
from plantid_core.compare.names.spelling import MOST_CHARACTERS
from plantid_core.errors import NameUnparsable

ALL = 100_000

# text → canonical name, rank, authorship, and what else is told of it
HARD = {
    "Prunus": ("Prunus", "genus", None, ""),
    "Prunus L.": ("Prunus", "genus", "L.", ""),
    "Rosaceae": ("Rosaceae", "family", None, ""),
    "Rosaceae Juss.": ("Rosaceae", "family", "Juss.", ""),
    "Compositae": ("Compositae", "family", None, ""),
    "Rosoideae": ("Rosoideae", "subfamily", None, ""),
    "Rosales": ("Rosales", "order", None, ""),
    "Plantae": ("Plantae", "kingdom", None, ""),
    "Prunus subg. Cerasus": ("Prunus subg. Cerasus", "subgenus", None, ""),
    "Taraxacum sect. Ruderalia": ("Taraxacum sect. Ruderalia", "section", None, ""),
    "Solanum lycopersicum L.": ("Solanum lycopersicum", "species", "L.", ""),
    "Capsella bursa-pastoris (L.) Medik.": (
        "Capsella bursa-pastoris", "species", "(L.) Medik.", ""),
    "Citrus sinensis (L.)Osbeck": ("Citrus sinensis", "species", "(L.) Osbeck", ""),
    "CITRUS SINENSIS (L.) OSBECK": ("Citrus sinensis", "species", "(L.) Osbeck", ""),
    "PRUNUS SERRULATA": ("Prunus serrulata", "species", None, ""),
    "prunus serrulata": ("Prunus serrulata", "species", None, ""),
    "Prunus_serrulata": ("Prunus serrulata", "species", None, ""),
    " Prunus\u00a0\t serrulata \n": ("Prunus serrulata", "species", None, ""),
    "Prunus \u200bserru\u00adlata\ufeff": ("Prunus serrulata", "species", None, ""),
    "Prunus\x00serrulata": ("Prunus serrulata", "species", None, ""),
    "Salvia of\ufb01cinalis": ("Salvia officinalis", "species", None, ""),
    "Isoe\u0308tes lacustris": ("Isoëtes lacustris", "species", None, ""),
    "<i>Rosa</i> canina": ("Rosa canina", "species", None, ""),
    "Rosa canina, L.": ("Rosa canina", "species", "L.", ""),
    "Rosa canina L. non Mill.": ("Rosa canina", "species", "L.", ""),
    "Rosa canina L. sensu lato": ("Rosa canina", "species", "L.", ""),
    "Achillea millefolium s.l.": ("Achillea millefolium", "species", None, ""),
    "Malus pumila auct.": ("Malus pumila", "species", None, ""),
    "Citrus × sinensis (L.) Osbeck, nom. cons.": (
        "Citrus sinensis", "species", "(L.) Osbeck", "hybrid"),
    "Abies alba Mill. ex Foo in Bar": ("Abies alba", "species", "Mill. ex Foo", ""),
    "Citrus ×aurantium": ("Citrus aurantium", "species", None, "hybrid"),
    "Citrus x aurantium": ("Citrus aurantium", "species", None, "hybrid"),
    "Citrus X aurantium L.": ("Citrus aurantium", "species", "L.", "hybrid"),
    "CITRUS X AURANTIUM": ("Citrus aurantium", "species", None, "hybrid"),
    "Citrus &times; aurantium": ("Citrus aurantium", "species", None, "hybrid"),
    "Citrus Ã— aurantium": ("Citrus aurantium", "species", None, "hybrid"),
    "Citrus Ã\x97 aurantium": ("Citrus aurantium", "species", None, "hybrid"),
    "Rosa section Caninae": ("Rosa sect. Caninae", "section", None, ""),
    "Citrus ✕ aurantium": ("Citrus aurantium", "species", None, "hybrid"),
    "Malus xdomestica": ("Malus domestica", "species", None, "hybrid"),
    "Prunus xanthocarpa": ("Prunus xanthocarpa", "species", None, ""),
    "×Cuprocyparis leylandii": ("Cuprocyparis leylandii", "species", None, "hybrid"),
    "xCuprocyparis leylandii": ("Cuprocyparis leylandii", "species", None, "hybrid"),
    "x Triticosecale": ("Triticosecale", "genus", None, "hybrid"),
    "Fragaria x ananassa (Weston) Duchesne ex Rozier": (
        "Fragaria ananassa", "species", "(Weston) Duchesne ex Rozier", "hybrid"),
    "+ Laburnocytisus adamii": ("Laburnocytisus adamii", "species", None, ""),
    "Quercus robur ssp. petraea": ("Quercus robur subsp. petraea", "subspecies", None, ""),
    "Quercus robur L. subsp. petraea (Matt.) Liebl.": (
        "Quercus robur subsp. petraea", "subspecies", "(Matt.) Liebl.", ""),
    "Quercus robur petraea": ("Quercus robur petraea", "infraspecific", None, ""),
    "Brassica oleracea var. capitata L.": (
        "Brassica oleracea var. capitata", "variety", "L.", ""),
    "Viola odorata forma alba": ("Viola odorata f. alba", "form", None, ""),
    "Citrus aurantium f. sinensis (L.) Hiroe": (
        "Citrus aurantium f. sinensis", "form", "(L.) Hiroe", ""),
    "Mentha × piperita L. nothosubsp. pyramidalis (Ten.) Harley": (
        "Mentha piperita subsp. pyramidalis", "subspecies", "(Ten.) Harley", "hybrid"),
    "Brassica oleracea var. capitata f. rubra": (
        "Brassica oleracea f. rubra", "form", None, ""),
    "Rosa canina var. ": ("Rosa canina", "species", None, ""),
    "Malus domestica 'Granny Smith'": ("Malus domestica 'Granny Smith'", "cultivar", None, ""),
    "Malus domestica \u2018Gala\u2019": ("Malus domestica 'Gala'", "cultivar", None, ""),
    "Malus cv. Gala": ("Malus 'Gala'", "cultivar", None, ""),
    "Rosa × damascena Mill. 'Trigintipetala'": (
        "Rosa damascena 'Trigintipetala'", "cultivar", None, "hybrid"),
    "Brassica oleracea (Gongylodes Group)": (
        "Brassica oleracea Gongylodes Group", "group", None, ""),
    "Rosa sp.": ("Rosa", "genus", None, "sp."),
    "Rosa spp": ("Rosa", "genus", None, "sp."),
    "Rosaceae sp.": ("Rosaceae", "family", None, "sp."),
    "Rosa cf. canina": ("Rosa canina", "species", None, "cf."),
    "Rosa canina?": ("Rosa canina", "species", None, "cf."),
    "Rosa aff. canina L.": ("Rosa canina", "species", "L.", "aff."),
    "Rubus fruticosus L. agg.": ("Rubus fruticosus", "aggregate", "L.", ""),
    "Taraxacum officinale coll.": ("Taraxacum officinale", "aggregate", None, ""),
}  # fmt: skip

NO_NAMES = {
    "": "empty",
    " \u200b\n": "empty",
    "Salix alba × Salix fragilis": "hybrid formula",
    "Salix alba L. x S. fragilis": "hybrid formula",
    "Unknown plant": "unknown",
    "Tobacco mosaic virus": "virus",
    "BOLD:AAA1234": "identifier",
    "1234": "no genus",
    "×": "no genus",
    "Роза": "no genus",
    "P. serrulata": "abbreviated",
    "Rosa " * 70: f"{MOST_CHARACTERS} at most",
    "x" * 1_000_000: f"{MOST_CHARACTERS} at most",
}

GENERA = [
    "Citrus",
    "PRUNUS",
    "rosa",
    "×Cuprocyparis",
    "x Triticosecale",
    "Isoëtes",
    "R.",
    "Rosaceae",
    "+ Pyronia",
]
EPITHETS = [
    "aurantium",
    "×aurantium",
    "x sinensis",
    "uva-ursi",
    "SERRULATA",
    "sp.",
    "cf. canina",
    "xdomestica",
    "(alba)",
]
BELOW = [
    "subsp. alba",
    "ssp. x",
    "nothovar. alba",
    "var.",
    "'Gala'",
    "cv. Gala",
    "(Zonale Group)",
    "agg.",
    "× Salix alba",
    "'",
]
AUTHORS = [
    "L.",
    "(L.) Osbeck",
    "Mill. ex Foo in Bar",
    "DC., 1753",
    "nom. illeg.",
    "[Foo]",
    "(",
    "auct. non L.",
]
NOISE = [*"\u00a0\u200b\u0308\x00\t\ud800🌿\u202e\\%<>&†#0ÿЖ樱()[]'\"×xX+?-.,;:", "&times;", "<i>"]


def invented(dice: random.Random) -> str:
    """Return a name as somebody may write it: composed of true parts, often broken."""
    parts = [dice.choice(GENERA)]
    for choices, chance in ((EPITHETS, 0.9), (BELOW, 0.5), (AUTHORS, 0.5)):
        parts += [dice.choice(choices)] if dice.random() < chance else []
    text = " ".join(parts if dice.random() < 0.9 else dice.sample(parts, len(parts)))
    while dice.random() < 0.35:
        at = dice.randrange(len(text) + 1)
        text = text[:at] + dice.choice([*NOISE, text[:at]]) + text[at + dice.randrange(2) :]
    return text[: 3 * MOST_CHARACTERS]


def names(count: int, seed: int) -> list[str]:
    dice = random.Random(seed)  # noqa: S311 - no secret
    return [invented(dice) for _ in range(count)]


@pytest.mark.parametrize(("text", "expected"), HARD.items())
def test_a_hard_name_is_read(text: str, expected: tuple[str, str, str | None, str]) -> None:
    """Each has its canonical name, rank, authorship, sign and qualifier."""
    parsed = parse(text)

    told = "hybrid" if parsed.hybrid else parsed.qualifier or ""
    assert (parsed.canonical, parsed.rank, parsed.authorship, told) == expected


@pytest.mark.parametrize(("text", "why"), NO_NAMES.items(), ids=lambda value: value[:20])
def test_what_is_no_name_is_refused_with_the_reason(text: str, why: str) -> None:
    """The error says why in a sentence that is short, however long the text."""
    with pytest.raises(NameUnparsable) as refused:
        parse(text)

    assert why in str(refused.value)
    assert len(str(refused.value)) < 250


def test_the_parts_of_a_name_are_told_apart() -> None:
    """Genus, epithets and marker stand in their own fields."""
    parsed = parse("Citrus × aurantium f. sinensis (L.) Hiroe")

    assert (parsed.genus, parsed.epithet) == ("Citrus", "aurantium")
    assert (parsed.infraspecific_rank, parsed.infraspecific_epithet) == ("f.", "sinensis")
    assert parse("Malus domestica cv. Gala").cultivar == "Gala"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("citrus X aurantium L.", "Citrus × aurantium"),
        ("xCuprocyparis leylandii", "× Cuprocyparis leylandii"),
        ("+Laburnocytisus adamii", "+ Laburnocytisus adamii"),
        ("Quercus robur ssp petraea", "Quercus robur subsp. petraea"),
        ("Rosa ×", "Rosa"),
    ],
)
def test_a_name_is_written_as_the_code_wants_it(text: str, written: str) -> None:
    """The sign stands where it belongs; a graft chimaera keeps its own."""
    assert read(text).written == written


@given(
    genus=st.sampled_from(["Citrus", "Mentha", "Aesculus"]),
    epithet=st.from_regex(
        r"[bcdfghlmnprst][aeiou][bcdlmnrst](ensis|ata|icum|oides)", fullmatch=True
    ),
)
@settings(max_examples=50)
def test_the_writings_of_a_hybrid_sign_are_one_name(genus: str, epithet: str) -> None:
    """×, x and X, with or without a space, give the same name."""
    signs = ("× ", "×", "x ", "X ", "x")

    parsed = {parse(f"{genus} {sign}{epithet}") for sign in signs}

    assert len(parsed) == 1
    assert parsed.pop().canonical == parse(f"{genus} {epithet}").canonical


def check(text: str) -> None:
    """Fail if the text does anything but parse or be refused, or its canonical name is another's."""
    try:
        canonical = parse(text).canonical
    except NameUnparsable:
        return
    assert parse(canonical).canonical == canonical, text


@given(st.text(max_size=400))
@example("ßA")  # a letter whose capital is two
@settings(max_examples=200)
def test_no_text_at_all_breaks_the_parser(text: str) -> None:
    """A text parses, or is refused."""
    check(text)


def test_no_broken_name_breaks_the_parser() -> None:
    """A tenth of the names that the slow test reads."""
    for text in names(ALL // 10, seed=1):
        check(text)


@pytest.mark.slow
def test_no_broken_name_of_100_000_breaks_the_parser() -> None:
    """Nothing but `NameUnparsable` comes out, and reading again changes nothing."""
    for text in names(ALL, seed=2):
        check(text)


def test_a_panic_of_the_parser_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A panic in Rust is no `Exception`: it must not end the process."""

    class PanicException(BaseException):  # as pyo3 has it
        pass

    def panic(name: str) -> None:
        raise PanicException(name)

    monkeypatch.setattr(nameparser, "parse", panic)

    with pytest.raises(NameUnparsable, match="failed on it"):
        parse("Rosa canina")
