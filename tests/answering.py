"""Answers as tests write them."""

from __future__ import annotations

from plantid_core.plants import Answer, AnswerStatus, Suggestion, Taxon

_FAMILIES = {"Prunus": "Rosaceae", "Rosa": "Rosaceae", "Ficus": "Moraceae"}


def answer(provider: str, *names: tuple[str, float], status: AnswerStatus = "ok") -> Answer:
    """Return what a provider says, each name with its score; families as services tell them."""
    suggestions = tuple(
        Suggestion(Taxon(name, family=_FAMILIES.get(name.split()[0])), score)
        for name, score in names
    )
    return Answer(provider, status, "upstream", False, 1.0, suggestions=suggestions)  # noqa: FBT003
