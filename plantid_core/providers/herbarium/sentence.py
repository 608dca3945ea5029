"""What a herbarium's figures say, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plantid_core.palette import percent

if TYPE_CHECKING:
    from plantid_core.providers.herbarium.herbarium import Herbarium


def findings(herbarium: Herbarium) -> tuple[str, ...]:
    """Return one to three sentences: what it holds, how well it does, what to beware of."""
    plants, photos = len(herbarium.entries), herbarium.photos
    holds = f"It knows {_counted(plants, 'plant')} by {_counted(photos, 'photo')}."
    return tuple(filter(None, (holds, _accuracy(herbarium), _caution(herbarium))))


def share(value: float) -> str:
    """Return a share as a whole per cent; 100 % is said of all alone, and 0 % of none."""
    if value == 0:
        return "0 %"
    return "> 99 %" if 0.995 <= value < 1 else percent(value)  # noqa: PLR2004 - where it would round up


def _accuracy(herbarium: Herbarium) -> str:
    figures = herbarium.figures
    if figures.top1 is None or figures.low is None or figures.high is None:
        return "How well it does cannot be told: it takes a second photo of a plant for that."
    if len(herbarium.entries) == 1:
        return (
            "With a single plant there is nothing to choose from: how well it does cannot be told."
        )
    left_out = (
        "each left out once while the others of its plant stayed"
        if figures.left_out == "photo"
        else "all of one source left out at a time"
    )
    told = (
        f"Tried on {figures.judged:,} of its own photos, {left_out}, it named {share(figures.top1)}"
        f" [{figures.low * 100:.0f}–{figures.high * 100:.0f}] right first time"
    )
    if figures.top5 is not None and len(herbarium.entries) > 5:  # noqa: PLR2004 - else all are among five
        told += f", and {share(figures.top5)} among its first five"
    if figures.strangers_named is not None:
        told += f". Plants that it had not seen got a name on {share(figures.strangers_named)} of photos"
    return f"{told}."


def _caution(herbarium: Herbarium) -> str:
    figures = herbarium.figures
    if not figures.lone:
        return ""
    what = "photo" if figures.left_out == "photo" else "source"
    told = f"{_counted(figures.lone, 'plant')} {'has' if figures.lone == 1 else 'have'}"
    return f"{told} a single {what}, which cannot be tried: add a few more."


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
