"""Features that outlive whatever ends a build."""

from __future__ import annotations

import hashlib
import resource
import stat
from typing import TYPE_CHECKING

import numpy as np
import pytest

from plantid_core.errors import HerbariumUnusable
from plantid_core.providers.herbarium.kept import SIZE, Features, KeptFeatures

if TYPE_CHECKING:
    from pathlib import Path

RAW = [hashlib.sha256(bytes([number])).digest() for number in range(3)]


def features(number: int) -> Features:
    rng = np.random.default_rng(number)
    return Features(RAW[number][::-1], number / 8, rng.random(SIZE, np.float32))


def fill(folder: Path) -> Path:
    with KeptFeatures(folder, "a model") as kept:
        for number in range(3):
            kept.add(RAW[number], features(number))
    return folder / "features.bin"


def found(folder: Path, scope: str = "a model") -> list[int]:
    with KeptFeatures(folder, scope) as kept:
        return [number for number in range(3) if kept.get(RAW[number]) is not None]


def test_they_come_back_as_they_were(tmp_path: Path) -> None:
    """Digest, mass and every number."""
    path = fill(tmp_path)

    with KeptFeatures(tmp_path, "a model") as kept:
        one = kept.get(RAW[1])

    assert one is not None
    assert (one.sha256, one.plant_mass) == (features(1).sha256, 1 / 8)
    assert (one.features == features(1).features).all()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_torn_record_costs_only_itself(tmp_path: Path) -> None:
    """What was half-written when the process ended is dropped, and what follows is whole again."""
    path = fill(tmp_path)
    path.write_bytes(path.read_bytes()[:-100])

    assert found(tmp_path) == [0, 1]
    with KeptFeatures(tmp_path, "a model") as kept:
        kept.add(RAW[2], features(2))
    assert found(tmp_path) == [0, 1, 2]


def test_a_damaged_record_costs_only_itself(tmp_path: Path) -> None:
    """Its checksum tells."""
    path = fill(tmp_path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)

    assert found(tmp_path) == [0, 2]


def test_another_model_begins_anew(tmp_path: Path) -> None:
    """Features of one model are nothing to another."""
    fill(tmp_path)

    assert found(tmp_path, "another model") == []


def test_only_what_is_wanted_stays(tmp_path: Path) -> None:
    """What is no longer part of the herbarium leaves the disk."""
    path = fill(tmp_path)
    before = path.stat().st_size

    with KeptFeatures(tmp_path, "a model") as kept:
        kept.keep_only([RAW[2]])

    assert found(tmp_path) == [2]
    assert path.stat().st_size < before / 2


def test_a_full_disk_is_one_sentence(tmp_path: Path) -> None:
    """What was kept before stays, and the next build is not locked out."""
    size = fill(tmp_path).stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # So much of the record fits that the rest of it is still to be written when the file is closed.
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 5000, hard))
    try:
        with (
            pytest.raises(HerbariumUnusable, match="cannot be used") as caught,
            KeptFeatures(tmp_path, "a model") as kept,
        ):
            kept.add(hashlib.sha256(b"more").digest(), features(1))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert caught.value.reason == "disk"
    assert found(tmp_path) == [0, 1, 2]


def test_what_killed_builds_left_is_swept(tmp_path: Path) -> None:
    """Half-written files go with the next build; nothing else does."""
    fill(tmp_path)
    for name in (".building-x1", ".features-x2", "herbarium.safetensors"):
        (tmp_path / name).write_bytes(b"a part")

    assert found(tmp_path) == [0, 1, 2]

    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "features.bin",
        "herbarium.safetensors",
        "lock",
    ]


def test_two_builds_do_not_meet(tmp_path: Path) -> None:
    """The second is told to wait."""
    with (
        KeptFeatures(tmp_path, "a model"),
        pytest.raises(HerbariumUnusable, match="under way") as caught,
        KeptFeatures(tmp_path, "a model"),
    ):
        pass

    assert caught.value.reason == "busy"
