"""The spelling of names mended, as far as GBIF's parser does not mend it itself."""

from __future__ import annotations

import re
import unicodedata

from plantid_core.errors import NameUnparsable

MOST_CHARACTERS = 300
_MOST_RAW = 4 * MOST_CHARACTERS

# NFC leaves these as they are; NFKC would mend them, and break the accents of authors.
_LOOKALIKES = str.maketrans(
    dict.fromkeys("✕✖⨉⨯╳☓", "×")  # noqa: RUF001 - that they look alike is the point
    | {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "_": " "}
)
# The two bytes of × in UTF-8, read as Windows 1252 and as Latin 1.
_GARBLED_TIMES = ("Ã—", "Ã\x97")
_STRAIGHT = str.maketrans(dict.fromkeys("‘’‛´`", "'") | dict.fromkeys("“”„", '"'))  # noqa: RUF001
_CULTIVAR = re.compile(r"\s\(?(?:cv|cultivar)\.?\s+['\"]?([A-Z][^'\"()]*?)['\"]?\)?$")
_SMALL_GENUS = re.compile(r"^[a-z]+(?= [X×] )")
_GARDENERS = re.compile(r"(?<=['\"])\s+hort\.?$")
_AGGREGATE = re.compile(r"\s\(?(?:aggr|coll|s\.?\s?ampl)\.?\)?$")


def clean(name: str) -> str:
    """Return the text in NFC without invisible characters, in single spaces, with a true ×.

    Raises `NameUnparsable` for an empty text and for one of more than `MOST_CHARACTERS`.
    """
    if len(name) > _MOST_RAW:
        raise NameUnparsable(name, f"it has {len(name):,} characters, {MOST_CHARACTERS} at most")
    text = unicodedata.normalize("NFC", name)
    for garbled in _GARBLED_TIMES:
        text = text.replace(garbled, "×")
    text = "".join(map(_visible, text)).translate(_LOOKALIKES | _STRAIGHT)
    text = " ".join(text.replace("&times;", "×").replace("&amp;", "&").split())
    text = text.replace(" section ", " sect. ")
    if len(text) > MOST_CHARACTERS:
        raise NameUnparsable(name, f"it has {len(text):,} characters, {MOST_CHARACTERS} at most")
    if not text:
        raise NameUnparsable(name, "it is empty")
    text = _CULTIVAR.sub(r" '\1'", _GARDENERS.sub("", text))
    text = _SMALL_GENUS.sub(lambda genus: genus[0].capitalize(), text)
    return _AGGREGATE.sub(" agg.", text)


def _visible(character: str) -> str:
    category = unicodedata.category(character)
    if category in {"Cc", "Zl", "Zp", "Zs"}:
        return " "
    return "" if category in {"Cf", "Cs", "Co", "Cn"} else character
