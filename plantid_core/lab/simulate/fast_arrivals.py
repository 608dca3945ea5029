"""When requests come, in compiled code: drawn by inversion of the rate, or replayed.

Nothing is done for a request that cannot matter: the next one after a time, or the next that draws an
early recomputation, is drawn directly. Both are points of Poisson processes, so a point that lies
beyond whatever happens first may be thrown away and drawn anew (Lewis and Shedler, "Simulation of
nonhomogeneous Poisson processes by thinning", Naval Research Logistics Quarterly 26(3), 1979).
"""

# ruff: noqa: NPY002 - compiled code draws from its thread's own stream, seeded by each run

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
from numba import carray, njit, types  # type: ignore[attr-defined]
from numba.extending import intrinsic

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from plantid_core.lab.workload import Floats

    Ints = npt.NDArray[np.int64]

F = TypeVar("F", bound="Callable[..., object]")

# P(-ln u > 40) = e^-40: no generator of 53 bits ever draws it.
_NEVER = 40.0


def kernel(function: F) -> F:
    """Compile a function for use by other kernels, with its type as written."""
    # Never called from Python, so that no way in from there needs to be compiled.
    inner: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    compiled: F = njit(nogil=True, **inner)(function)
    return compiled


def kept(function: F) -> F:
    """Compile a function called from Python; what is compiled is kept on disk, if there is a place for it."""
    kept_on_disk: dict[str, Any] = {"cache": True}
    try:
        compiled: F = njit(nogil=True, **kept_on_disk)(function)
    except RuntimeError:  # neither the package's folder nor the user's cache can be written
        kept_on_disk["cache"] = False
        compiled = njit(nogil=True, **kept_on_disk)(function)
    return compiled


def inlined(function: F) -> F:
    """Compile a function into each of its callers: where handing a tuple on costs more than the work."""
    inner: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    compiled: F = njit(nogil=True, inline="always", **inner)(function)
    return compiled


@intrinsic
def _floats_at(_: object, address: types.Integer) -> tuple[object, object]:
    def generate(context: Any, builder: Any, signature: Any, words: Any) -> Any:  # noqa: ANN401
        return builder.inttoptr(words[0], context.get_value_type(signature.return_type))

    return types.CPointer(types.float64)(address), generate  # type: ignore[no-untyped-call]


@intrinsic
def _ints_at(_: object, address: types.Integer) -> tuple[object, object]:
    def generate(context: Any, builder: Any, signature: Any, words: Any) -> Any:  # noqa: ANN401
        return builder.inttoptr(words[0], context.get_value_type(signature.return_type))

    return types.CPointer(types.int64)(address), generate  # type: ignore[no-untyped-call]


@kernel
def lent(rows: Floats) -> Floats:
    """Return a view of an array that is not counted as a use of it; the caller keeps it alive.

    Compiled code counts every array of a tuple whenever that is handed on, which costs more than all else.
    """
    return carray(_floats_at(rows.ctypes.data), rows.shape)  # type: ignore[call-arg]


@kernel
def lent_ints(rows: Ints) -> Ints:
    """Return the same of whole numbers."""
    return carray(_ints_at(rows.ctypes.data), rows.shape)  # type: ignore[call-arg]


class Load(NamedTuple):
    """What is asked of one run: the rate's steps, or the times to replay, and every setting.

    ``grid`` (3, steps + 1): edges of the steps, requests expected before each, and the rate from it on;
    ``times`` of replayed requests, key after key. Times in seconds. ``keep``: the share of hits to keep a
    row of. Few arrays, since each of them costs whenever the tuple is handed on.
    """

    grid: Floats
    times: Floats
    steps: int
    replay: bool
    kind: int
    processes: int
    spread: int
    duration: float
    ttl: float
    soft: float
    jitter: float
    beta: float
    mean: float
    sigma: float
    fail_rate: float
    patience: float
    nap: float
    keep: float


class Key(NamedTuple):
    """One key: its number, share of the requests, and the ``slot`` of its open expiry.

    ``place`` (2,) holds the next request to replay, and the step looked at last; ``last`` ends the replay.
    """

    number: int
    share: float
    slot: int
    last: int
    place: Ints


@kernel
def lent_load(load: Load) -> Load:
    """Return the same of views; see `lent`."""
    return Load(
        lent(load.grid), lent(load.times), load.steps, load.replay, load.kind, load.processes,
        load.spread, load.duration, load.ttl, load.soft, load.jitter, load.beta, load.mean,
        load.sigma, load.fail_rate, load.patience, load.nap, load.keep,
    )  # fmt: skip


@inlined
def step_at(load: Load, key: Key, t: float) -> int:
    """Return the step of the rate that holds at ``t``."""
    step = key.place[1]
    if not (load.grid[0, step] <= t < load.grid[0, step + 1]):
        after = int(np.searchsorted(load.grid[0], t, side="right"))
        step = min(max(after - 1, 0), load.steps - 1)
        key.place[1] = step
    return int(step)


@kernel
def expected(load: Load, key: Key, begin: float, end: float) -> float:
    """Return the number of requests expected between two times."""
    one = step_at(load, key, begin)
    if end <= load.grid[0, one + 1]:
        return float(key.share * load.grid[2, one] * (end - begin))
    two = step_at(load, key, end)
    to = load.grid[1, two] + (end - load.grid[0, two]) * load.grid[2, two]
    since = load.grid[1, one] + (begin - load.grid[0, one]) * load.grid[2, one]
    return float(key.share * (to - since))


@inlined
def next_at(load: Load, key: Key, t: float, share: float) -> float:
    """Return the next point after ``t`` of a process with that share of the rate; inf: none."""
    return point_at(load, key, t, share, -math.log(1.0 - np.random.random()))


@inlined
def point_at(load: Load, key: Key, t: float, share: float, drawn: float) -> float:
    """Return where so much is expected after ``t`` of a process with that share of the rate; inf: nowhere."""
    step = step_at(load, key, t)
    need = drawn / share
    have = (load.grid[0, step + 1] - t) * load.grid[2, step]
    if need < have:
        return float(t + need / load.grid[2, step])
    x = load.grid[1, step + 1] + need - have
    if x >= load.grid[1, load.steps]:
        return np.inf
    step = np.searchsorted(load.grid[1], x, side="right") - 1
    return float(load.grid[0, step] + (x - load.grid[1, step]) / load.grid[2, step])


@inlined
def next_arrival(load: Load, key: Key, t: float) -> float:
    """Return the time of the next request after ``t``, inf where there is none."""
    if load.replay:
        place = key.place[0]
        return load.times[place] if place < key.last else np.inf
    return next_at(load, key, t, key.share)


@inlined
def take(load: Load, key: Key) -> int:
    """Take the request that was found next; return its process."""
    if load.replay:
        key.place[0] += 1
    return np.random.randint(0, load.processes) if load.processes > 1 else 0


@kernel
def until(load: Load, key: Key, t: float) -> int:
    """Return the place of the first request to replay at or after ``t``."""
    begin = key.place[0]
    return int(begin + np.searchsorted(load.times[begin : key.last], t, side="left"))


@kernel
def next_early(load: Load, key: Key, soft: float, scale: float, t: float, limit: float) -> float:
    """Return the time in [t, limit) of the next request that draws an early recomputation; inf: none.

    A request at t draws it with probability exp(-(E - t) / βΔ) (``soft``, ``scale``): a Poisson process of
    that intensity times the rate, inverted step by step.
    """
    if scale <= 0.0:
        return np.inf
    begin = max(t, soft - _NEVER * scale)
    if begin >= limit:
        return np.inf
    if load.replay:
        for place in range(until(load, key, begin), key.last):
            at = load.times[place]
            if at >= limit:
                break
            if np.random.random() < math.exp((at - soft) / scale):
                return float(at)
        return np.inf
    need = -math.log(1.0 - np.random.random()) / (key.share * scale)
    step = step_at(load, key, begin)
    low = math.exp((begin - soft) / scale)
    while True:
        end = min(limit, load.grid[0, step + 1])
        high = math.exp((end - soft) / scale)
        have = load.grid[2, step] * (high - low)
        if need < have:
            at = soft + scale * math.log(low + need / load.grid[2, step])
            return min(max(at, begin), limit)
        if end >= limit:
            return np.inf
        need, low, step = need - have, high, step + 1


@kernel
def expected_early(
    load: Load, key: Key, soft: float, scale: float, begin: float, end: float
) -> float:
    """Return the number of early draws expected between two times."""
    begin = max(begin, soft - _NEVER * scale)
    if begin >= end:
        return 0.0
    step, total = step_at(load, key, begin), 0.0
    low = math.exp((begin - soft) / scale)
    while True:
        stop = min(end, load.grid[0, step + 1])
        high = math.exp((stop - soft) / scale)
        total += load.grid[2, step] * (high - low)
        if stop >= end:
            return float(total * scale * key.share)
        low, step = high, step + 1
