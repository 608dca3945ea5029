"""What stands before the service: a breaker of ours in some settings, pybreaker, or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from plantid_core.errors import PlantIDError
from plantid_core.resilience.breaker import Breaker
from plantid_core.settings import Settings

if TYPE_CHECKING:
    from typing import Unpack

    from plantid_core.resilience.breaker_settings import BreakerSettings

Kind: TypeAlias = Literal["ours", "pybreaker", "pybreaker-unlocked", "none"]

_RAMP = (0.01, 0.05, 0.25)
_LONGEST_RAMP_S = 3.0


class BadProtection(PlantIDError):
    """A breaker's settings that cannot be; the sentence says which, and what they may be."""


@dataclass(frozen=True, slots=True)
class Protection:
    """A breaker's settings by `plantid_core.resilience.Breaker`'s names; seconds, shares in (0, 1].

    pybreaker knows ``fail_max``, ``reset_timeout`` and ``permitted_probes`` alone, ``none`` nothing; as
    published it holds a lock while it calls, ``pybreaker-unlocked`` shows its rule without that. With
    ``ramp`` the traffic comes back in steps of 1, 5 and 25 %, as it does in a breaker shared through
    Redis. Raises `BadProtection`.
    """

    name: str = "yours"
    kind: Kind = "ours"
    fail_max: int = 5
    reset_timeout: float = 60.0
    failure_rate: float | None = 0.5
    slow_rate: float | None = 0.5
    slow_call_s: float | None = 15.0
    window_s: float | None = 60.0
    minimum_calls: int = 10
    growth: float = 2.0
    longest_open_s: float = 600.0
    jitter: float = 0.1
    permitted_probes: int = 1
    ramp: bool = True

    def __post_init__(self) -> None:
        if self.kind.startswith("pybreaker") and min(self.fail_max, self.permitted_probes) < 1:
            raise BadProtection("pybreaker needs a fail_max and permitted_probes of at least 1.")
        if not 0 < self.reset_timeout < float("inf"):
            raise BadProtection(f"reset_timeout must be above 0 s; it is {self.reset_timeout:g}.")
        try:
            self.breaker()
        except ValueError as error:
            raise BadProtection(f"No breaker can be set so: {error}.") from error

    def breaker(self, **more: Unpack[BreakerSettings]) -> Breaker:
        """Return a breaker of ours with these settings, of this process alone."""
        settings: BreakerSettings = {
            "failure_rate": self.failure_rate,
            "slow_rate": self.slow_rate,
            "slow_call_s": self.slow_call_s,
            "window_s": self.window_s,
            "minimum_calls": self.minimum_calls,
            "growth": self.growth,
            "longest_open_s": self.longest_open_s,
            "jitter": self.jitter,
            "ramp": _RAMP if self.ramp else (),
            "ramp_s": min(_LONGEST_RAMP_S, self.reset_timeout),
        }
        settings.update(more)
        return Breaker(
            "lab",
            fail_max=self.fail_max,
            reset_timeout=self.reset_timeout,
            permitted_probes=self.permitted_probes,
            **settings,
        )


def _app() -> Protection:
    default = {name: field.default for name, field in Settings.model_fields.items()}
    return Protection(
        "app's defaults",
        fail_max=default["breaker_fail_max"],
        reset_timeout=default["breaker_reset_s"],
        failure_rate=default["breaker_failure_rate"],
        slow_rate=default["breaker_slow_rate"],
        slow_call_s=default["breaker_slow_call_s"],
        window_s=default["breaker_window_s"],
        minimum_calls=default["breaker_minimum_calls"],
        longest_open_s=default["breaker_open_max_s"],
    )


CONTESTANTS = {
    contestant.name: contestant
    for contestant in (
        Protection("no breaker", "none"),
        Protection("pybreaker", "pybreaker"),
        Protection("pybreaker, unlocked", "pybreaker-unlocked"),
        Protection(
            "in a row only",
            failure_rate=None, slow_rate=None, slow_call_s=None, window_s=None, ramp=False,
        ),
        _app(),
        Protection(
            "quick and by rates",
            reset_timeout=5.0, slow_call_s=2.0, window_s=10.0, growth=1.5, longest_open_s=30.0,
        ),
    )
}  # fmt: skip

_VARIABLES = {
    "FAIL_MAX": "fail_max",
    "RESET_S": "reset_timeout",
    "FAILURE_RATE": "failure_rate",
    "SLOW_CALL_S": "slow_call_s",
    "SLOW_RATE": "slow_rate",
    "WINDOW_S": "window_s",
    "MINIMUM_CALLS": "minimum_calls",
    "OPEN_MAX_S": "longest_open_s",
}


def environment(protection: Protection) -> str:
    """Return the settings as lines of the app's environment, ``PLANTID_BREAKER_FAIL_MAX=5`` and so on.

    A rule that is switched off has no line: the app's default holds. Raises `BadProtection` for what is
    no breaker of ours.
    """
    if protection.kind != "ours":
        raise BadProtection(f"{protection.name} has no settings of the app.")
    lines = [
        f"PLANTID_BREAKER_{variable}={value:g}"
        for variable, name in _VARIABLES.items()
        if (value := getattr(protection, name)) is not None
    ]
    return "\n".join(lines) + "\n"
