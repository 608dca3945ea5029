"""What theory says of a stampede, in closed form, and a measurement that holds it to the simulation.

λ is a key's rate, requests/s; Δ how long its value takes to make, s; β XFetch's scale. Requests are a
Poisson process and Δ is constant throughout. Vattani, Chierichetti, Lowenstein, "Optimal Probabilistic Cache
Stampede Prevention", PVLDB 8(8), 2015, is "Vattani et al." here.

All of it follows from one law. While the value that expires at E is there, the requests that draw an early
recomputation are a Poisson process of intensity λ·e^(-(E-t)/βΔ); past E every request finds none. So with
V(t) = λβΔ·e^(-(E-t)/βΔ), the first one comes at X with V(X) - V(birth) exponential of mean 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from plantid_core.errors import PlantIDError

if TYPE_CHECKING:
    import pandas as pd

    from plantid_core.lab.workload import Floats

RENEWED = ("none", "redis-lock", "xfetch", "lease")
BETAS = (0.5, 1.0, 2.0, 4.0)
BAR_PERCENT = 2.0
_EULER = float(np.euler_gamma)
# Beyond this, e^-v is nothing beside the figures that are integrated.
_FAR = 40.0
_GRID = 400
# Δ, TTL = 5000 Δ: far more than βΔ·ln(λβΔ), so that no value is due for recomputation at its birth.
_DELTA_S, _TTL_S = 0.001, 5.0


class NoClosedForm(PlantIDError):
    """There is no closed form for a strategy, or not at these settings."""


def recomputes_per_expiry(beta: float) -> float:
    """Return how many recomputations XFetch makes of one expiry where λΔ is large: e^(1/β).

    V(X) is exponential of mean 1, and within the Δ that the first one takes V grows by the factor e^(1/β):
    E[1 + V(X)·(e^(1/β) - 1)]. Vattani et al. bound it so.
    """
    return float(np.exp(1 / beta))


def no_early(load: float, beta: float) -> float:
    """Return the chance that nobody recomputes early, of ``load`` = λΔ: e^(-λβΔ); TTL » βΔ."""
    return float(np.exp(-load * beta))


def mean_gap_s(rate: float, delta_s: float, beta: float) -> float:
    """Return how long before the expiry the first recomputation begins: βΔ·(ln λβΔ + 0.577…).

    Exact in the limit of large λβΔ: E - X = βΔ·ln(λβΔ / V(X)), and E[-ln V(X)] is Euler's constant.
    """
    return float(beta * delta_s * (np.log(rate * beta * delta_s) + _EULER))


def stampede_size(load: float) -> float:
    """Return the calls of one expiry under ``none``, of ``load`` = λΔ: 1 + λΔ; exact."""
    return 1.0 + load


def first_call_s(rates: Floats, ttl_s: float, delta_s: float, beta: float) -> Floats:
    """Return the mean time from a value's birth to the first call for the next one, (n,) seconds; exact.

    The integral of P(X > x): e^v0·(βΔ·(E1(v0) - E1(v1)) + e^-v1/λ), v1 = λβΔ, v0 = v1·e^(-TTL/βΔ), with E1
    the exponential integral. β = 0: TTL + 1/λ.
    """
    rates = np.asarray(rates, np.float64)
    scale = beta * delta_s
    if scale == 0:
        return ttl_s + 1 / rates
    log_one = np.log(rates * scale)
    log_zero = log_one - ttl_s / scale
    zero, one = np.exp(log_zero), np.exp(log_one)
    fall = np.exp(zero - one)
    early = scale * (_scaled_e1(zero, log_zero) - fall * _scaled_e1(one, log_one))
    result: Floats = early + fall / rates
    return result


def _scaled_e1(v: Floats, log_v: Floats) -> Floats:
    """Return e^v·E1(v), also where v is too small to be told from 0, or e^v too large."""
    from scipy.special import exp1

    middle = np.clip(v, 1e-9, 50.0)
    far = 1 / np.maximum(v, 50.0)
    series = far * (1 - far * (1 - 2 * far * (1 - 3 * far * (1 - 4 * far * (1 - 5 * far)))))
    near = np.where(v < 1e-9, -_EULER - log_v, np.exp(middle) * exp1(middle))  # noqa: PLR2004
    result: Floats = np.where(v > 50.0, series, near)  # noqa: PLR2004
    return result


def calls_per_s(
    strategy: str, rates: Floats, *, ttl_s: float, delta_s: float, beta: float = 1.0
) -> Floats:
    """Return the upstream calls/s of keys requested at so many ``rates``, in the long run; (n,).

    By renewal: calls of a cycle over its length. ``redis-lock`` and ``lease`` (soft TTL = TTL) make one call
    in X + Δ, exactly. ``none`` makes 1 + λΔ in TTL + 1/λ + Δ and the time to the last that begins, exactly
    where TTL ≥ Δ. ``xfetch`` likewise, with V's growth from X on; exact but for calls that begin early
    while others of the same expiry end, whose chance is of the order of λΔ·e^(-TTL/βΔ). Raises
    `NoClosedForm` for other strategies.
    """
    if strategy not in RENEWED:
        raise NoClosedForm(f"there is a closed form for {', '.join(RENEWED)}, not for {strategy}.")
    rates = np.asarray(rates, np.float64)
    scale = beta if strategy in {"xfetch", "lease"} else 0.0
    first = first_call_s(rates, ttl_s, delta_s, scale)
    more, last = np.zeros_like(rates), np.zeros_like(rates)
    if strategy in {"none", "xfetch"}:
        more, last = _crowd(rates, ttl_s, delta_s, scale)
    result: Floats = (1 + more) / (first + delta_s + last)
    return result


def _crowd(rates: Floats, ttl_s: float, delta_s: float, beta: float) -> tuple[Floats, Floats]:
    """Return the calls begun while an expiry's first is under way, and how long after it the last begins.

    Means, (n,) both. Smooth in ln λ: for very many keys they are interpolated.
    """
    if beta == 0:
        return rates * delta_s, delta_s + np.expm1(-rates * delta_s) / rates
    if len(rates) <= _GRID:
        return _crowd_of(rates, ttl_s, delta_s, beta)
    grid = np.geomspace(rates.min(), rates.max(), _GRID)
    at, ends = np.log(rates), np.log(grid)
    more, last = _crowd_of(grid, ttl_s, delta_s, beta)
    return np.exp(np.interp(at, ends, np.log(more))), np.exp(np.interp(at, ends, np.log(last)))


def _crowd_of(rates: Floats, ttl_s: float, delta_s: float, beta: float) -> tuple[Floats, Floats]:
    nodes, weights = np.polynomial.legendre.leggauss(64)
    nodes, weights = (nodes + 1) / 2, weights / 2
    scale = beta * delta_s
    one = rates[:, None] * scale
    zero = one * np.exp(-ttl_s / scale)
    # V reaches λβΔ within Δ of the first call, or not: the integrands have a kink between the two.
    kink = np.maximum(zero, one * np.exp(-1 / beta))
    after = rates * delta_s, delta_s + np.expm1(-rates * delta_s) / rates
    none_early = np.exp(-(one - zero))[:, 0]
    more, last = none_early * after[0], none_early * after[1]
    for low, high in ((zero, kink), (kink, one)):
        stop = np.minimum(high, zero + _FAR)
        width = np.maximum(0.0, stop - low)
        v = low + width * nodes
        mass = width * weights * np.exp(-(v - zero))
        grown = _grown(v, one, scale, np.float64(delta_s))
        more += (mass * grown).sum(axis=1)
        late = np.zeros_like(v)
        for s, weight in zip(nodes * delta_s, weights * delta_s, strict=True):
            late -= weight * np.expm1(_grown(v, one, scale, s) - grown)
        last += (mass * late).sum(axis=1)
    return more, last


def _grown(v: Floats, one: Floats, scale: float, s: np.float64) -> Floats:
    """Return the calls expected within ``s`` of a first one that came when V was ``v``."""
    gap = scale * np.log(one / v)
    early = v * np.expm1(np.minimum(s, gap) / scale)
    result: Floats = early + one / scale * np.maximum(0.0, s - gap)
    return result


def confirm(seed: int, expiries: int = 200_000) -> pd.DataFrame:
    """Return theory beside simulation of about so many expiries, one row a case.

    Columns case, beta, load, theory, simulated, error_percent (the simulation's standard error),
    deviation_percent, bar_percent, holds.
    """
    import pandas as pd

    rows = [_recomputes(seed, expiries, beta) for beta in BETAS]
    rows += [_nobody_early(seed, expiries, 2.0, 1.0)]
    rows += [_gap(seed, expiries, 200.0, 1.0)]
    found = pd.DataFrame(rows)
    found["deviation_percent"] = 100 * (found["simulated"] / found["theory"] - 1).abs()
    found["bar_percent"] = BAR_PERCENT
    found["holds"] = found["deviation_percent"] <= BAR_PERCENT
    return found


def _made(strategy: str, seed: int, expiries: int, load: float, beta: float) -> pd.DataFrame:
    """Return the expiries of one key, without the first, which is the empty cache's."""
    from plantid_core.lab.simulate import fast
    from plantid_core.lab.workload import Recompute, Workload

    workload = Workload(
        rate=load / _DELTA_S, duration_s=expiries * _TTL_S, ttl_s=_TTL_S, beta=beta,
        recompute=Recompute(_DELTA_S), processes=1,
    )  # fmt: skip
    return fast.expiries(strategy, workload, seed)[1:]


def _row(case: str, beta: float, load: float, theory: float, values: Floats) -> dict[str, object]:
    mean = float(values.mean())
    error = 100 * float(values.std(ddof=1)) / np.sqrt(len(values)) / abs(mean)
    return {"case": case, "beta": beta, "load": load, "theory": theory, "simulated": mean,
            "error_percent": error}  # fmt: skip


def _recomputes(seed: int, expiries: int, beta: float, load: float = 200.0) -> dict[str, object]:
    calls = _made("xfetch", seed, expiries, load, beta)["calls"].to_numpy(np.float64)
    return _row("recomputes per expiry", beta, load, recomputes_per_expiry(beta), calls)


def _nobody_early(seed: int, expiries: int, load: float, beta: float) -> dict[str, object]:
    early = _made("xfetch", seed, expiries, load, beta)["early"].to_numpy()
    return _row("nobody early", beta, load, no_early(load, beta), (~early).astype(np.float64))


def _gap(seed: int, expiries: int, load: float, beta: float) -> dict[str, object]:
    # Under a lease an expiry has one call, so that the value's birth is known from it.
    begins = _made("lease", seed, expiries, load, beta)["t_s"].to_numpy()
    gaps = _TTL_S + _DELTA_S - np.diff(begins)
    return _row("mean gap, s", beta, load, mean_gap_s(load / _DELTA_S, _DELTA_S, beta), gaps)
