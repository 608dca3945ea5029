"""What a breaker can be told, and what it tells."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Literal, TypedDict

from plantid_core.resilience.circuit import MODES, Timing
from plantid_core.resilience.window import Rules

if TYPE_CHECKING:
    from collections.abc import Callable

    from pybreaker import CircuitBreakerListener

    from plantid_core.resilience.breaker_alarm import Alert
    from plantid_core.resilience.circuit import Mode
    from plantid_core.resilience.outcome import Judgement

State = Literal["closed", "open", "half-open"]

_LONGEST_RAMP_S = 3.0
_RAMP = (0.01, 0.05, 0.25)
_LEAST_PROBE_S, _MOST_PROBE_S = 5.0, 30.0


class BreakerSettings(TypedDict, total=False):
    """Settings beside the usual ones; seconds, shares in (0, 1]. See `Rules` and `Timing`.

    ``ramp_s`` is the length of all of ``ramp``'s steps, ``probe_timeout_s`` that of a permit.
    ``scope`` keeps breakers of one name apart that stand for different services (a sandbox, say).
    """

    failure_rate: float | None
    slow_rate: float | None
    slow_call_s: float | None
    window_calls: int | None
    window_s: float | None
    minimum_calls: int
    growth: float
    longest_open_s: float
    jitter: float
    probe_timeout_s: float
    ramp: tuple[float, ...]
    ramp_s: float
    quorum: int
    mode: Mode
    scope: str
    classify: Callable[[BaseException, float], Judgement]
    listeners: tuple[CircuitBreakerListener, ...]
    alert: Callable[[Alert], None]
    clock: Callable[[], float]
    draw: Callable[[], float]


class BreakerReport(TypedDict):
    """A breaker as ``GET /api/v1/breakers`` tells of it; moments in RFC 3339, UTC."""

    name: str
    state: State
    failures: int
    failure_rate: float
    slow_rate: float
    last_failure_at: str | None
    opened_at: str | None
    opens_until: str | None
    forced: str | None


def rules_of(fail_max: int, settings: BreakerSettings) -> Rules:
    """Return when it opens; raises ValueError."""
    return Rules(
        fail_max,
        settings.get("failure_rate"),
        settings.get("slow_rate"),
        settings.get("slow_call_s"),
        settings.get("window_calls"),
        settings.get("window_s"),
        settings.get("minimum_calls", 10),
    )


def timing_of(
    reset_timeout: float, permitted_probes: int, settings: BreakerSettings, *, shared: bool
) -> Timing:
    """Return how long it stays open, and how it comes back; raises ValueError and TypeError.

    A breaker of one process has no ramp unless it is given one: its own callers are few.
    """
    unknown = settings.keys() - BreakerSettings.__annotations__.keys()
    if unknown:
        raise TypeError(f"a breaker has no setting {min(unknown)!r}")
    ramp = settings.get("ramp", _RAMP if shared else ())
    ramp_s = settings.get("ramp_s", min(_LONGEST_RAMP_S, reset_timeout))
    probe_s = min(_MOST_PROBE_S, max(_LEAST_PROBE_S, reset_timeout))
    timing = Timing(
        reset_timeout * 1e3,
        settings.get("growth", 2.0),
        settings.get("longest_open_s", 600.0) * 1e3,
        settings.get("jitter", 0.1),
        permitted_probes,
        settings.get("probe_timeout_s", probe_s) * 1e3,
        ramp,
        ramp_s * 1e3 / max(1, len(ramp)),
        settings.get("quorum", 2),
    )
    _require(timing, settings.get("mode", "auto"))
    return timing


def moment(unix_s: float | None) -> str | None:
    """Return a moment in RFC 3339, to the millisecond."""
    if unix_s is None:
        return None
    then = dt.datetime.fromtimestamp(unix_s, dt.UTC)
    return then.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _require(timing: Timing, mode: str) -> None:
    faults = {
        "reset_timeout must be above 0 s": timing.reset_ms > 0,
        "permitted_probes must be at least 1": timing.permitted_probes >= 1,
        "growth must be at least 1": timing.growth >= 1,
        "longest_open_s must be above 0": timing.longest_ms > 0,
        "jitter must be in [0, 1)": 0 <= timing.jitter < 1,
        "probe_timeout_s must be above 0": timing.probe_ms > 0,
        "each step of the ramp must be above 0 and below 1": all(0 < s < 1 for s in timing.ramp),
        "ramp_s must be above 0": timing.step_ms > 0,
        "quorum must be at least 1": timing.quorum >= 1,
        f"mode must be one of {', '.join(MODES)}": mode in MODES,
    }
    wrong = [sentence for sentence, holds in faults.items() if not holds]
    if wrong:
        raise ValueError("; ".join(wrong))
