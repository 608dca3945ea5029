"""Labelled photos as a herbarium takes them: named by the accepted taxon, told apart by their source."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from plantid_core.compare.evaluate.labels import read
from plantid_core.errors import InputUnreadable
from plantid_core.plants import Taxon
from plantid_core.providers.herbarium.specimen import Specimen
from plantid_core.providers.recognition import known_taxa

if TYPE_CHECKING:
    from pathlib import Path

    from plantid_core.compare.evaluate.label import Labelled
    from plantid_core.compare.names.values import Reconciler

_LOWER = {"genus": "genus", "family": "family"}


def specimens(path: Path, names: Reconciler, group_by: str | None = None) -> tuple[Specimen, ...]:
    """Return the photos of a labelled folder or CSV file that show a plant.

    ``group_by`` is a regular expression; files whose names it matches alike (in its first group, if it
    has one) are of one source. Synonyms become one species. Raises `InputUnreadable`.
    """
    try:
        pattern = None if group_by is None else re.compile(group_by)
    except re.error as error:
        reason = f"It is no regular expression: {error}."
        raise InputUnreadable(group_by or "", reason) from error
    known = {taxon.scientific_name: taxon for taxon in known_taxa()}
    found = tuple(
        Specimen(one.file, one.path, _taxon(one, known), _source(one.file, pattern))
        for one in read(path, names)
        if one.truth is not None
    )
    if not found:
        reason = "None of its photos is labelled with a plant's name."
        raise InputUnreadable(str(path), reason)
    return found


def _taxon(photo: Labelled, known: dict[str, Taxon]) -> Taxon:
    truth = photo.truth
    assert truth is not None  # noqa: S101 - the caller takes no others
    family = truth.family.capitalize() if truth.family else None
    if photo.level in _LOWER:
        name = (truth.genus if photo.level == "genus" else truth.family) or truth.scientific_name
        name, rank = name.capitalize(), _LOWER[photo.level]
    else:
        name, rank = truth.scientific_name, truth.rank
    told = known.get(name)
    return Taxon(
        scientific_name=name,
        rank=rank,
        authorship=told.authorship if told else None,
        family=family,
        genus=truth.genus.capitalize() if truth.genus else None,
        common_names=told.common_names if told else (),
    )


def _source(file: str, pattern: re.Pattern[str] | None) -> str | None:
    match = pattern.search(file) if pattern else None
    if match is None:
        return None
    return match.group(1) if match.re.groups else match.group()
