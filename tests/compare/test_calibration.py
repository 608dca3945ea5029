"""What a provider's score is worth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plantid_core.compare.calibration import FILE, BetaMap, Calibration, fit, load, read
from plantid_core.errors import InputUnreadable, TooFewPhotos

if TYPE_CHECKING:
    from pathlib import Path

slope = st.floats(0, 20)


def drawn(truth: BetaMap, count: int, seed: int) -> tuple[list[float], list[bool]]:
    rng = np.random.default_rng(seed)
    scores = rng.uniform(0.01, 0.99, count)
    return scores.tolist(), [bool(rng.random() < truth(score)) for score in scores]


def test_without_a_map_a_score_is_what_it_is() -> None:
    """No calibration changes nothing."""
    assert Calibration().apply("plantnet", 0.37, sandbox=False) == 0.37


@pytest.mark.parametrize("truth", [BetaMap(1, 1, 0, 0), BetaMap(0.6, 1.4, 0.8, 0)])
def test_the_map_that_made_the_answers_is_found(truth: BetaMap) -> None:
    """Of many photos, the fitted map is close to the true one, the identity included."""
    scores, correct = drawn(truth, 20_000, seed=4)

    found = fit(scores, correct)

    asked = np.linspace(0.05, 0.95, 19)
    assert [found(score) for score in asked] == pytest.approx([truth(s) for s in asked], abs=0.02)
    assert found.photos == 20_000


def test_few_photos_make_no_sure_map() -> None:
    """Where scores divide right from wrong wholly, smoothing keeps the map from 0 and 1."""
    found = fit([0.9] * 20 + [0.1] * 20, [True] * 20 + [False] * 20)

    assert found(0.9) == pytest.approx(21 / 22, abs=1e-3)
    assert found(0.1) == pytest.approx(1 / 22, abs=1e-3)


@given(slope, slope, st.floats(-20, 20), st.floats(0, 1), st.floats(0, 1))
def test_no_map_falls(a: float, b: float, c: float, one: float, other: float) -> None:
    """A higher score is never worth less, and every worth is a share."""
    curve = BetaMap(a, b, c, 100)
    low, high = sorted((one, other))

    assert 0 <= curve(low) <= curve(high) + 1e-15 <= 1 + 1e-12


def test_scores_that_mislead_are_all_worth_the_same() -> None:
    """Where lower scores are oftener right, the best that does not fall is level."""
    scores, correct = drawn(BetaMap(1, 1, 0, 0), 400, seed=1)

    found = fit(scores, [not right for right in correct])

    assert found(0.1) == pytest.approx(found(0.9))
    assert found(0.5) == pytest.approx(1 - sum(correct) / 400, abs=0.01)


@pytest.mark.parametrize(("photos", "right"), [(29, 15), (100, 4), (100, 96), (0, 0)])
def test_too_few_photos_are_refused(photos: int, right: int) -> None:
    """The sentence says how many there are and how many it takes."""
    with pytest.raises(
        TooFewPhotos, match=rf"{photos} labelled photos, {right} of them .* takes 30"
    ):
        fit([0.5] * photos, [True] * right + [False] * (photos - right))


def test_the_sandbox_has_maps_of_its_own(tmp_path: Path) -> None:
    """An emulator's map is not its service's, and both come back from the file."""
    scores, correct = drawn(BetaMap(1, 1, -2, 0), 200, seed=2)
    fitted = Calibration().fitted("plant_id", scores, correct, sandbox=True)

    fitted.save(tmp_path)

    kept = load(tmp_path)
    assert kept == fitted
    assert kept.apply("plant_id", 0.9, sandbox=False) == 0.9
    assert kept.apply("plant_id", 0.9, sandbox=True) < 0.7
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def kept(version: int, a: float | str) -> bytes:
    plantnet = {"a": a, "b": 1.0, "c": 0.0, "photos": 40}
    return orjson.dumps({"version": version, "services": {"plantnet": plantnet}, "sandbox": {}})


@pytest.mark.parametrize(
    "damaged", [b"", b"{", b"[]", kept(2, 1.0), kept(1, -1.0), kept(1, "nan"), kept(1, 1.0)[:-1]]
)
def test_a_damaged_file_is_named_and_does_no_harm(tmp_path: Path, damaged: bytes) -> None:
    """Who reads it is told; who only wants scores gets them uncalibrated."""
    (tmp_path / FILE).write_bytes(damaged)

    with pytest.raises(InputUnreadable, match=FILE):
        read(tmp_path / FILE)
    assert load(tmp_path) == Calibration()
