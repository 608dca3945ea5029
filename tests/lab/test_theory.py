"""Closed forms, against integrals, the simulation, and each other."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad

from plantid_core.lab import internet, theory
from plantid_core.lab.simulate import fast
from plantid_core.lab.workload import Recompute, Workload


def test_theory_holds_of_the_simulation() -> None:
    """Recomputes per expiry, nobody early, and the mean gap: within four standard errors."""
    found = theory.confirm(5, 4000)

    assert len(found) == 6
    assert (found["deviation_percent"] < 4 * found["error_percent"]).all()


@pytest.mark.parametrize(
    ("rate", "ttl", "delta", "beta"),
    [(3, 60, 0.2, 1), (200, 60, 0.2, 1), (5, 2, 0.5, 4), (1000, 40, 0.1, 0.05), (0.01, 5, 0.2, 1)],
)
def test_the_first_call_is_the_integral(rate: float, ttl: float, delta: float, beta: float) -> None:
    """E[X], the integral of P(X > x), also where its terms leave the range of a float."""
    scale = beta * delta

    def still(x: float) -> float:
        grown = math.exp((x - ttl) / scale) - math.exp(-ttl / scale)
        return math.exp(-rate * scale * grown)

    points = [ttl - 30 * scale, ttl - 8 * scale, ttl - 2 * scale]
    inside = [point for point in points if 0 < point < ttl]
    whole = quad(still, 0, ttl, points=inside or None, limit=500)[0] + still(ttl) / rate

    found = theory.first_call_s(np.array([rate]), ttl, delta, beta)

    assert found[0] == pytest.approx(whole, rel=1e-6)


@pytest.mark.parametrize("strategy", theory.RENEWED)
@pytest.mark.parametrize(("rate", "delta", "beta"), [(3.0, 0.2, 1.0), (60.0, 0.3, 0.7)])
def test_calls_a_second_are_those_simulated(
    strategy: str, rate: float, delta: float, beta: float
) -> None:
    """In the long run, within four standard errors over many stretches."""
    workload = Workload(
        rate=rate, ttl_s=15.0, duration_s=120_000.0, beta=beta, recompute=Recompute(delta)
    )
    by_second = fast.run(strategy, workload, 2, sample=0).upstream["calls"].to_numpy()
    stretches = by_second.reshape(100, -1).mean(axis=1)[10:]

    found = theory.calls_per_s(
        strategy, np.array([rate]), ttl_s=15.0, delta_s=delta, beta=beta
    )[0]  # fmt: skip

    error = stretches.std(ddof=1) / math.sqrt(len(stretches))
    assert found == pytest.approx(stretches.mean(), abs=4 * error)


def test_many_keys_are_interpolated_closely() -> None:
    """A curve through 400 points is as good as every point."""
    rates = np.geomspace(1e-3, 1e4, 5000)

    many = theory.calls_per_s("xfetch", rates, ttl_s=60, delta_s=0.2)
    few = theory.calls_per_s("xfetch", rates[::50], ttl_s=60, delta_s=0.2)

    assert np.allclose(many[::50], few, rtol=1e-4)


def test_limits_are_those_of_the_paper() -> None:
    """At a large load calls over cycle is e^(1/β) over the TTL without gap; at none it is the load's."""
    rate = np.array([1e6])
    cycle = 600 - theory.mean_gap_s(1e6, 0.1, 2.0) + 0.2

    found = theory.calls_per_s("xfetch", rate, ttl_s=600, delta_s=0.1, beta=2.0)

    assert found[0] == pytest.approx(theory.recomputes_per_expiry(2.0) / cycle, rel=1e-3)
    assert theory.stampede_size(7.0) == 8.0
    assert theory.no_early(2.0, 1.0) == pytest.approx(math.exp(-2))


@pytest.mark.parametrize(("load", "beta"), [(1.0, 0.5), (0.5, 2.0), (0.4, 4.0)])
def test_nobody_is_early_as_often_as_simulated(load: float, beta: float) -> None:
    """Also where β is not 1, within four standard errors."""
    workload = Workload(
        rate=load / 0.01, ttl_s=2.0, duration_s=40_000.0, beta=beta, recompute=Recompute(0.01)
    )
    early = fast.expiries("lease", workload, 3)["early"].to_numpy()[1:]

    expected = theory.no_early(load, beta)

    error = math.sqrt(expected * (1 - expected) / len(early))
    assert expected == pytest.approx((~early).mean(), abs=4 * error)


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0, 4.0])
def test_the_mean_gap_is_what_the_first_call_leaves_of_the_life(beta: float) -> None:
    """The limit of large λβΔ, beside the exact mean, at λΔ = 200."""
    rate, delta = 200e3, 0.001
    # So that hardly any value is due at its birth, yet E1 is the exact one, not its series.
    ttl = 25 * beta * delta

    first = theory.first_call_s(np.array([rate]), ttl, delta, beta)[0]

    assert theory.mean_gap_s(rate, delta, beta) == pytest.approx(ttl - first, abs=1e-9)


def test_there_is_no_closed_form_for_all() -> None:
    """Where there is none, that is said."""
    with pytest.raises(theory.NoClosedForm, match="redlock"):
        theory.calls_per_s("redlock", np.ones(1), ttl_s=60, delta_s=0.2)


SMALL = {"keys": 20_000, "rate": 4000.0, "duration_s": 1200.0}


@pytest.mark.parametrize("strategy", internet.STRATEGIES)
def test_many_keys_call_as_theory_says(strategy: str) -> None:
    """The second half's calls, within five standard errors as if they were independent."""
    made = internet.simulate(internet.Settings(strategy, **SMALL))  # type: ignore[arg-type]

    assert abs(made.difference) < 5 * math.sqrt(theory.recomputes_per_expiry(1) * 10 / made.settled)
    assert made.calls == made.upstream.sum() > made.settled
    assert made.requests == pytest.approx(4000 * 1200, rel=0.01)
    assert 0 == made.wait_s(0.5) <= made.wait_s(0.999) <= 0.2


def test_threads_change_nothing() -> None:
    """Every chunk of keys has chances of its own."""
    settings = internet.Settings("lease", **SMALL)  # type: ignore[arg-type]

    one, three = (internet.simulate(settings, threads=threads) for threads in (1, 3))

    assert np.array_equal(one.upstream, three.upstream)
    assert np.array_equal(one.waits, three.waits)


def test_a_process_of_its_own_tells_of_itself() -> None:
    """Its progress, what it found, and the memory it needed."""
    told: list[str] = []

    made = internet.run("xfetch", keys=2000, rate=100.0, duration_s=200.0, tell=told.append)

    again = internet.simulate(made.settings)
    assert told[-1].startswith("xfetch: 100 %")
    assert np.array_equal(made.upstream, again.upstream)
    assert 20 < made.peak_mb < 2000


@pytest.mark.parametrize(
    "wrong", [{"strategy": "redlock"}, {"keys": 0}, {"rate": 0.0}, {"ttl_s": 1.0}, {"seed": -1}]
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, object]) -> None:
    """Before a process is started for them."""
    with pytest.raises(internet.BadInternet):
        internet.run(**({"strategy": "lease"} | wrong))  # type: ignore[arg-type]
