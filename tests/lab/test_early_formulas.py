"""Early recomputation by three formulas: what each does to traffic."""

from __future__ import annotations

import math

import numpy as np
import pytest

from plantid_core.lab.early_formulas import RULES, chance, traffic
from plantid_core.lab.workload import Recompute, Workload

ONE_KEY = Workload(rate=100, ttl_s=60, duration_s=600, recompute=Recompute(0.2))


def test_as_written_nothing_is_ever_early() -> None:
    told = traffic("as written", ONE_KEY, seed=1)

    assert told.early == 0
    assert told.recomputed > 0


def test_with_the_sign_mended_a_third_of_all_requests_recompute() -> None:
    told = traffic("sign mended", ONE_KEY, seed=1)

    assert told.recomputed / told.requests == pytest.approx(math.exp(-1), abs=0.01)


def test_xfetch_recomputes_a_few_times_an_expiry() -> None:
    told = traffic("XFetch", ONE_KEY, seed=1)

    assert told.early > 0
    assert told.recomputed / told.requests < 0.002


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("left_s", [0.1, 1.0, 30.0])
def test_the_chance_is_what_draws_come_to(rule: str, left_s: float) -> None:
    elapsed = ONE_KEY.ttl_s - left_s
    draws = 1.0 - np.random.default_rng(3).random(20_000)

    drawn = np.mean([RULES[rule](ONE_KEY, elapsed, u) for u in draws])

    expected = float(chance(rule, ONE_KEY, np.array([elapsed]))[0])
    assert drawn == pytest.approx(expected, abs=4 * math.sqrt(expected / len(draws)) + 1e-12)
