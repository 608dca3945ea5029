"""The herbarium's file: one safe format, checked before anything is believed."""

from __future__ import annotations

import datetime as dt
import json
import os
import pickle
import stat
import struct
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from safetensors.numpy import save as serialise

from plantid_core.errors import HerbariumUnusable
from plantid_core.plants import Taxon
from plantid_core.providers.herbarium import file, place
from plantid_core.providers.herbarium.calibration import Calibration
from plantid_core.providers.herbarium.discriminant import Discriminant
from plantid_core.providers.herbarium.herbarium import Confusion, Entry, Figures, Herbarium

if TYPE_CHECKING:
    from pathlib import Path

MEMBER = bytes(range(32))


@pytest.fixture
def herbarium() -> Herbarium:
    """Return a small herbarium, its tables in the order that solvers leave them in."""
    rng = np.random.default_rng(1)
    whitener = np.asfortranarray(rng.normal(size=(6, 6)).astype(np.float32))
    rows = rng.normal(size=(2, 6)).astype(np.float32)
    return Herbarium(
        entries=(
            Entry(Taxon("Citrus × limon", family="Rutaceae", common_names=("Lemon",)), 2),
            Entry(Taxon("Tsuga", rank="genus"), 1),
        ),
        discriminant=Discriminant(whitener, rows, rows[0]),
        calibration=Calibration(0.2, (1.0, -0.5, 2.0), 0.9),
        figures=Figures("photo", 2, 1, 0.5, 1.0, 0.1, 0.9, 0.5, 0.25, (Confusion("a", "b", 1),)),
        members=frozenset({MEMBER}),
        model="lite0-1",
        made=dt.datetime(2026, 1, 2, tzinfo=dt.UTC),
    )


def test_what_is_saved_comes_back(tmp_path: Path, herbarium: Herbarium) -> None:
    """Every part, for its owner's eyes alone."""
    path = file.save(herbarium, tmp_path)

    found = file.load(tmp_path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert found.about() == herbarium.about()
    assert found.entries == herbarium.entries
    assert found.calibration == herbarium.calibration
    assert (found.discriminant.whitener == herbarium.discriminant.whitener).all()
    assert found.seen(MEMBER.hex())
    assert not found.seen("0" * 64)


def test_it_is_told_from_one_that_was_never_made(tmp_path: Path) -> None:
    """The sentence says how to make one."""
    with pytest.raises(HerbariumUnusable, match="herbarium build") as caught:
        file.load(tmp_path)

    assert caught.value.reason == "missing"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "damaged"),
        (pickle.dumps({"whitener": [1.0]}), "damaged"),
        (b"\xff" * 64, "damaged"),
        (serialise({"other": np.zeros(3, np.float32)}), "foreign"),
        (serialise({"a": np.zeros(3)}, {"plantid_herbarium": '{"format": 1}'}), "damaged"),
        (serialise({"a": np.zeros(3)}, {"plantid_herbarium": '{"format": 99}'}), "newer"),
        (serialise({"a": np.zeros(3)}, {"plantid_herbarium": "[]"}), "damaged"),
    ],
    ids=["empty", "pickle", "noise", "other tensors", "other tables", "newer", "no description"],
)
def test_what_is_no_herbarium_is_refused(data: bytes, reason: str) -> None:
    """By a typed error; nothing in it is run."""
    with pytest.raises(HerbariumUnusable) as caught:
        file.decode(data)

    assert caught.value.reason == reason


@pytest.mark.parametrize(
    "false",
    [
        {"calibration": Calibration(0.0, (1.0, -0.5, 2.0), 0.9)},
        {"calibration": Calibration(-1.0, (1.0, -0.5, 2.0), 0.9)},
        {"calibration": Calibration(0.2, (1.0, float("nan"), 2.0), 0.9)},
        {"calibration": Calibration(0.2, (1.0, -0.5, 2.0), 7.0)},
        {"entries": (Entry(Taxon("Tsuga"), 0), Entry(Taxon("Citrus"), 1))},
        {"figures": Figures("photo", 2, 1, 99.0)},
        {"discriminant": Discriminant(*(np.full((2, 2), np.inf, np.float32),) * 3)},
        {"discriminant": Discriminant(np.eye(5), np.eye(2, 6), np.ones(6))},
        {"discriminant": Discriminant(*(np.ones(s, np.float32) for s in ((5, 5), (2, 6), (6,))))},
    ],
    ids=[
        "no temperature",
        "temperature below 0",
        "weight that is no number",
        "ceiling above 1",
        "plant without photos",
        "99 of 1 right",
        "endless tables",
        "tables of another precision",
        "tables that do not fit",
    ],
)
def test_numbers_that_cannot_be_true_are_refused(
    herbarium: Herbarium, false: dict[str, object]
) -> None:
    """Also where the digest was made to fit: no score is taken from them."""
    with pytest.raises(HerbariumUnusable) as caught:
        file.decode(file.encode(replace(herbarium, **false)))

    assert caught.value.reason == "damaged"


def test_what_promises_too_much_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    """A header that is longer than any, a table that nobody could hold, a file larger than any."""
    endless = {"whitener": {"dtype": "F32", "shape": [1 << 31, 1 << 31], "data_offsets": [0, 4]}}
    header = json.dumps(endless | {"__metadata__": {"plantid_herbarium": '{"format": 1}'}}).encode()
    blank = (1 << 24) + 1
    place.folder(tmp_path).mkdir()
    with place.path(tmp_path).open("wb") as sparse:
        sparse.truncate(file.MOST_BYTES + 1)

    for data in (
        struct.pack("<Q", blank) + b"{}".ljust(blank),
        struct.pack("<Q", len(header)) + header + bytes(4),
        struct.pack("<Q", 1 << 63) + b"{}",
    ):
        with pytest.raises(HerbariumUnusable):
            file.decode(data)
    with pytest.raises(HerbariumUnusable, match="larger"):
        file.load(tmp_path)


def test_a_pipe_in_its_place_is_not_waited_for(tmp_path: Path) -> None:
    """It is told to be no file."""
    place.folder(tmp_path).mkdir()
    os.mkfifo(place.path(tmp_path))

    with pytest.raises(HerbariumUnusable, match="no plain file"):
        file.load(tmp_path)


def test_no_damage_goes_unseen(herbarium: Herbarium) -> None:
    """Any byte that is changed, and any part that is missing, is found out."""
    data = file.encode(herbarium)
    rng = np.random.default_rng(2)

    for at in rng.integers(len(data), size=150):
        damaged = bytearray(data)
        damaged[at] ^= 1 << rng.integers(8)
        for broken in (bytes(damaged), data[:at]):
            try:
                found = file.decode(broken)
            except HerbariumUnusable:
                continue
            # Blanks between the parts of the header mean nothing.
            assert found.about() == herbarium.about()


def test_a_file_that_cannot_be_written_leaves_the_former(
    tmp_path: Path, herbarium: Herbarium
) -> None:
    """A folder stands where the file should be: the error says so, and nothing is left behind."""
    place.path(tmp_path).mkdir(parents=True)

    with pytest.raises(HerbariumUnusable, match="could not be written"):
        file.save(herbarium, tmp_path)

    assert list(place.folder(tmp_path).iterdir()) == [place.path(tmp_path)]


def test_forgotten_is_forgotten(tmp_path: Path, herbarium: Herbarium) -> None:
    """File and features are gone; a second time there is nothing to forget."""
    file.save(herbarium, tmp_path)

    assert file.forget(tmp_path)
    assert not place.folder(tmp_path).exists()
    assert not file.forget(tmp_path)
