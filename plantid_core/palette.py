"""How things are shown and called wherever they are: a colour and a name for each, figures in words.

The providers' colours are Okabe and Ito's, told apart by every eye.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

COLOURS = {
    "plant_id": "#0072B2",
    "plantnet": "#D55E00",
    "offline": "#009E73",
    "herbarium": "#CC79A7",
    "consensus": "#E69F00",
}
TITLES = {
    "plant_id": "Plant.id",
    "plantnet": "Pl@ntNet",
    "offline": "Offline model",
    "herbarium": "Local herbarium",
    "consensus": "Consensus",
}
NEUTRAL = "#8a938d"
_COMMON = {"offline": "the offline model", "herbarium": "the local herbarium"}
# Each is 3 : 1 and more against the light and the dark page; a line's dashes and a point's shape say
# the same again, for eleven are more than any eye tells apart by colour alone.
STRATEGY_COLOURS = {
    "none": "#8A938D",
    "redis-lock": "#0072B2",
    "xfetch": "#BF7CBC",
    "xfetch+lock": "#D55E00",
    "coalesce": "#009BF2",
    "redlock": "#663FFF",
    "lease": "#009E73",
    "seed-lock": "#4A6D72",
    "seed-early": "#BF2F2F",
    "seed-coalesce": "#D800B6",
    "seed-combined": "#6D72F2",
}


def in_text(provider: str) -> str:
    """Return a provider's name as it stands within a sentence."""
    return _COMMON.get(provider) or TITLES.get(provider, provider)


def listed(names: Sequence[str]) -> str:
    """Return names as a sentence lists them: "a, b and c"; empty for none."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def begun(sentence: str) -> str:
    """Return the sentence with a capital letter, the rest as it is."""
    return sentence[:1].upper() + sentence[1:]


def so_many(count: int, what: str = "photo") -> str:
    """Return a number of things: "1 photo", "2,000 photos"."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def strategy_title(name: str) -> str:
    """Return a strategy's name; a contestant of the write-up is named as such."""
    return f"{name} (seed, as written)" if name.startswith("seed-") else name


def said(name: str, *, first: bool = False) -> str:
    """Return a strategy as a sentence speaks of it, or as one begins: "none" would deny the rest."""
    if name == "none":
        return f"{'An' if first else 'an'} unguarded cache (none)"
    return strategy_title(name)


def percent(score: float) -> str:
    """Return a score as a whole per cent; "< 1 %" below one."""
    return "< 1 %" if score < 0.01 else f"{score * 100:.0f} %"  # noqa: PLR2004 - one per cent


def duration(ms: float) -> str:
    """Return a time with the unit that a person reads."""
    if ms < 1:
        return "< 1 ms"
    if ms < 1000:  # noqa: PLR2004 - a second
        return f"{ms:.0f} ms"
    return f"{ms / 1000:.1f} s"


def age(seconds: float) -> str:
    """Return how old something is, in words."""
    for length, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
