"""The two engines tell the same, and the comparison would see it if they did not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from plantid_core.lab.simulate import agreement, fast

if TYPE_CHECKING:
    from plantid_core.lab.record import Record
    from plantid_core.lab.workload import Workload

FARTHEST, UNLIKELY = 4.5, 0.001


@pytest.mark.timeout(300)
@pytest.mark.parametrize("settings", [11, pytest.param(30, marks=pytest.mark.slow)])
def test_random_settings_agree(settings: int) -> None:
    found = agreement.deviations(settings, seed=1, runs=8)

    assert found["strategy"].nunique() == 11
    assert found["z"].dropna().max() <= FARTHEST
    assert agreement.pooled(found).min() > UNLIKELY


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", [2, 3])
def test_many_more_settings_agree(seed: int) -> None:
    found = agreement.deviations(66, seed=seed, runs=16)

    assert found["z"].dropna().max() <= FARTHEST
    assert agreement.pooled(found).min() > UNLIKELY


def test_an_engine_that_never_refreshes_early_is_found_out() -> None:
    def lazy(name: str, workload: Workload, seed: int) -> Record:
        return fast.run(name, replace(workload, beta=0.0), seed)

    found = agreement.deviations(11, seed=1, runs=8, other=lazy)

    early = found[found["strategy"].isin(["xfetch", "xfetch+lock", "lease"])]
    assert early["z"].dropna().max() > FARTHEST
