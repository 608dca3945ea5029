"""Providers' names inside a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plantid_core.palette import TITLES

if TYPE_CHECKING:
    from collections.abc import Sequence

_COMMON = {"offline": "the offline model", "herbarium": "the local herbarium"}


def in_text(provider: str) -> str:
    """Return the name as it stands within a sentence."""
    return _COMMON.get(provider) or TITLES.get(provider, provider)


def listed(providers: Sequence[str]) -> str:
    """Return several names as a list in words."""
    titles = [in_text(provider) for provider in providers]
    return " and ".join(filter(None, [", ".join(titles[:-1]), *titles[-1:]]))


def begun(sentence: str) -> str:
    """Return the sentence with a capital letter, the rest as it is."""
    return sentence[:1].upper() + sentence[1:]
