"""How surely one service is known to be better than another."""

from __future__ import annotations

import pandas as pd
import pytest

from plantid_core.lab import trust


def answers(only_first: int, only_second: int, both: int, neither: int) -> pd.DataFrame:
    """Return photos by who was right: the one, the other, both, neither."""
    right = (
        [(True, False)] * only_first
        + [(False, True)] * only_second
        + [(True, True)] * both
        + [(False, False)] * neither
    )
    return pd.DataFrame(
        [
            {"photo": photo, "service": service, "first": own, "among_3": own}
            for photo, pair in enumerate(right)
            for service, own in zip(("plant_id", "plantnet"), pair, strict=True)
        ]
    )


def test_mcnemar_looks_only_at_where_they_differ() -> None:
    """5 against 0 is five heads in a row, either way: p = 2/32; more agreement changes nothing."""
    few, many = trust.mcnemar(answers(5, 0, 1, 1)), trust.mcnemar(answers(5, 0, 90, 90))

    assert few["p"].iloc[0] == pytest.approx(2 / 32)
    assert many["p"].iloc[0] == few["p"].iloc[0]
    assert trust.mcnemar(answers(0, 0, 3, 3))["p"].iloc[0] == 1.0


def test_wilson_s_interval_is_the_published_one() -> None:
    """All of 10 right: from n / (n + z²) to 1, by Wilson's formula."""
    found = trust.accuracy(answers(0, 0, 10, 0)).iloc[0]

    assert (found["share"], found["high"]) == (1.0, pytest.approx(1.0))
    assert found["low"] == pytest.approx(10 / (10 + 1.959964**2), abs=1e-6)


def test_power_grows_with_photos_and_alarms_stay_rare() -> None:
    """Where both are equally good, the test speaks up less often than one time in twenty."""
    tried = {"differ": 0.2, "trials": 2000, "seed": 1}

    power = trust.power([50, 500, 5000], better=0.75, worse=0.7, **tried)["detected"]
    alarms = trust.power([500], better=0.7, worse=0.7, **tried)["detected"].iloc[0]

    assert power.is_monotonic_increasing
    assert power.iloc[-1] > 0.99
    assert alarms < 0.05 + 4 * (0.05 * 0.95 / 2000) ** 0.5


def test_shares_that_cannot_be_are_refused() -> None:
    """Two services cannot differ on fewer photos than the gap between them."""
    with pytest.raises(ValueError, match="cannot differ"):
        trust.power([10], better=0.9, worse=0.5, differ=0.1, trials=10, seed=1)
