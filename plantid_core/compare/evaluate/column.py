"""One provider's judgements as arrays, a place a photo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from plantid_core.compare.evaluate.judgement import Judgement

    Floats = NDArray[np.float64]
    Masks = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Column:
    """Arrays of one length, the photos' number; all providers of one evaluation share the places.

    ``asked`` masks the photos that this provider is judged on at all; ``answered`` those it said
    anything of. ``species``, ``genus``, ``family`` and ``no_plant`` mask what of the label is known.
    ``rank`` is infinite where the right species is not named, ``score`` and ``latency_ms`` are NaN where
    there is none; ``kind`` numbers the label's species, -1 where it tells none.
    """

    asked: Masks
    answered: Masks
    named: Masks
    rejected: Masks
    species: Masks
    genus: Masks
    family: Masks
    no_plant: Masks
    genus_right: Masks
    family_right: Masks
    rank: Floats
    score: Floats
    credits: Floats
    latency_ms: Floats
    kind: NDArray[np.int64]


def columns(judgements: Sequence[Judgement]) -> dict[str, Column]:
    """Return each provider's column, in the order in which they come first; places follow the files."""
    files = list(dict.fromkeys(judgement.photo.file for judgement in judgements))
    species = sorted({one.photo.species for one in judgements if one.photo.species is not None})
    kinds = {name: number for number, name in enumerate(species)}
    by_provider: dict[str, dict[str, Judgement]] = {}
    for judgement in judgements:
        by_provider.setdefault(judgement.provider, {})[judgement.photo.file] = judgement
    return {name: _column(files, own, kinds) for name, own in by_provider.items()}


def _column(files: Sequence[str], own: Mapping[str, Judgement], kinds: Mapping[str, int]) -> Column:
    row = [own.get(file) for file in files]

    def mask(values: list[bool]) -> Masks:
        return np.array(values, dtype=np.bool_)

    def floats(values: list[float | None], missing: float) -> Floats:
        return np.array([missing if value is None else value for value in values], np.float64)

    return Column(
        asked=mask([one is not None for one in row]),
        answered=mask([one is not None and one.answered for one in row]),
        named=mask([one is not None and bool(one.names) for one in row]),
        rejected=mask([one is not None and one.rejected for one in row]),
        species=mask([one is not None and one.photo.species is not None for one in row]),
        genus=mask([one is not None and one.photo.genus is not None for one in row]),
        family=mask([one is not None and one.photo.family is not None for one in row]),
        no_plant=mask([one is not None and one.photo.level == "not_a_plant" for one in row]),
        genus_right=mask([one is not None and one.genus_right for one in row]),
        family_right=mask([one is not None and one.family_right for one in row]),
        rank=floats([one.rank if one else None for one in row], np.inf),
        score=floats([one.score if one else None for one in row], np.nan),
        credits=floats([one.credits if one else None for one in row], 0.0),
        latency_ms=floats([one.latency_ms if one else None for one in row], np.nan),
        kind=np.array([kinds.get(one.photo.species or "", -1) if one else -1 for one in row]),
    )
