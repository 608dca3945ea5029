"""Labelled photos as a herbarium takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from herbaria import copies

from plantid_core.compare.names.reconcile import shipped
from plantid_core.compare.specimens import specimens
from plantid_core.errors import InputUnreadable

if TYPE_CHECKING:
    from pathlib import Path


def folders(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).mkdir()
        for number in (1, 2):
            (root / name / f"plant{number}_a.jpg").write_bytes(copies(1, 1)[0])
    return root


def test_synonyms_are_one_plant(tmp_path: Path) -> None:
    """Two folders, one accepted name with its family; a genus stays a genus."""
    found = specimens(folders(tmp_path, "Citrus sinensis", "Citrus_aurantium", "Tsuga"), shipped())

    taxa = {(one.taxon.scientific_name, one.taxon.rank, one.taxon.family) for one in found}
    assert ("Citrus × aurantium", "species", "Rutaceae") in taxa
    assert ("Tsuga", "genus") in {(name, rank) for name, rank, _ in taxa}
    assert len(taxa) == 2


def test_what_is_no_plant_is_no_specimen(tmp_path: Path) -> None:
    """Photos of other things are passed over; without any plant there is nothing to build from."""
    with pytest.raises(InputUnreadable, match="plant's name"):
        specimens(folders(tmp_path, "not a plant"), shipped())


def test_files_that_match_alike_are_of_one_source(tmp_path: Path) -> None:
    """By the first group of the expression; one that is none is refused."""
    root = folders(tmp_path, "Tsuga")

    found = specimens(root, shipped(), r"(plant\d)_")

    assert [one.source for one in found] == ["plant1", "plant2"]
    with pytest.raises(InputUnreadable, match="no regular expression"):
        specimens(root, shipped(), "(")
