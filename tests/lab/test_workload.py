"""Workloads: their rates over time, their keys, and settings that cannot be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plantid_core.errors import PlantIDError
from plantid_core.lab.workload import ARRIVALS, Arrivals, Recompute, Spread, Workload, arrivals


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.mark.parametrize("kind", ARRIVALS)
def test_a_profile_covers_the_run_without_gaps(kind: Arrivals) -> None:
    workload = Workload(arrivals=kind, duration_s=300)

    profile = workload.profile(rng())

    assert (profile.edges[0], profile.edges[-1]) == (0, 300)
    assert (np.diff(profile.edges) > 0).all()
    assert (profile.rates > 0).all()


@pytest.mark.parametrize("kind", ["poisson", "bursty", "diurnal"])
def test_the_mean_rate_is_what_was_asked_for(kind: Arrivals) -> None:
    workload = Workload(arrivals=kind, rate=50, duration_s=60_000, burst=8)

    assert workload.profile(rng()).mean() == pytest.approx(50, rel=0.1)


def test_a_flash_crowd_comes_in_the_middle() -> None:
    profile = Workload(arrivals="flash", rate=10, burst=20, duration_s=100).profile(rng())

    highest = profile.edges[:-1][profile.rates.argmax()]

    assert highest == 50
    assert profile.rates.max() == pytest.approx(200, rel=0.1)


def test_requests_come_in_order_and_as_many_as_the_rate_says() -> None:
    asked = arrivals(Workload(rate=1000, duration_s=20), rng())

    assert (np.diff(asked.times_s) >= 0).all()
    assert len(asked.times_s) == pytest.approx(20_000, abs=5 * np.sqrt(20_000))


def test_popular_keys_are_asked_for_as_zipf_has_it() -> None:
    asked = arrivals(Workload(rate=1000, duration_s=20, keys=100, zipf_s=1.0), rng())

    share = np.bincount(asked.keys, minlength=100) / len(asked.keys)

    assert share[0] / share[9] == pytest.approx(10, rel=0.2)


@pytest.mark.parametrize("spread", ["constant", "exponential", "lognormal"])
def test_every_spread_of_recompute_times_has_its_mean(spread: Spread) -> None:
    drawn = Recompute(0.2, spread).draw(rng(), 100_000)

    assert drawn.mean() == pytest.approx(0.2, rel=0.02)


def test_the_load_is_that_of_the_most_popular_key() -> None:
    workload = Workload(rate=100, keys=2, zipf_s=1.0, recompute=Recompute(0.3))

    assert workload.load == pytest.approx(100 * (2 / 3) * 0.3)
    assert workload.with_load(5).load == pytest.approx(5)


@pytest.mark.parametrize(
    ("setting", "value"),
    [("rate", 0), ("duration_s", float("inf")), ("keys", 0), ("keys", 10**7), ("jitter", 1.0),
     ("fail_rate", -0.1), ("soft_ttl_s", 61), ("processes", 0), ("beta", -1)],
)  # fmt: skip
def test_what_cannot_be_is_refused_by_name(setting: str, value: float) -> None:
    with pytest.raises(PlantIDError, match=setting):
        Workload(**{setting: value})  # type: ignore[arg-type]


@given(st.integers(0, 2**32 - 1), st.sampled_from(ARRIVALS))
def test_the_same_seed_draws_the_same_requests(seed: int, kind: Arrivals) -> None:
    workload = Workload(rate=20, duration_s=30, arrivals=kind, keys=5, burst_s=3)

    one, two = (arrivals(workload, np.random.default_rng(seed)) for _ in range(2))

    assert (one.times_s == two.times_s).all()
    assert (one.keys == two.keys).all()
