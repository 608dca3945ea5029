"""How a service falls ill: three stories, each a list of spells in which its calls fail or drag on."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from plantid_core.errors import PlantIDError

if TYPE_CHECKING:
    import numpy as np

_MOST_CALLS = 200_000


class BadScenario(PlantIDError):
    """A scenario's setting that cannot be: which one, its value, and what it may be."""

    def __init__(self, setting: str, value: object, allowed: str) -> None:
        super().__init__(f"{setting} must be {allowed}; it is {value}.")
        self.setting, self.value, self.allowed = setting, value, allowed


@dataclass(frozen=True, slots=True)
class Illness:
    """From ``begin_s`` to ``end_s`` calls fail by chance ``fail_rate`` and take ``latency_s`` (median)."""

    begin_s: float
    end_s: float
    fail_rate: float
    latency_s: float
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """A load and its service; seconds, calls per second, shares in [0, 1].

    Latencies are log-normal with median ``latency_s`` (an illness has its own) and ``sigma``, the
    standard deviation of the logarithm. A call is given up after ``timeout_s``; an answer that takes
    ``patience_s`` or longer comes too late for whoever asked. ``fail_rate`` is that of a service that is
    well. The spells of a run last 1 ± ``stretch`` times as long as told, drawn once a run: else a breaker
    could be tuned to one outage's length. Raises `BadScenario`.
    """

    name: str
    title: str
    story: str
    spells: tuple[Illness, ...]
    duration_s: float = 300.0
    rate: float = 10.0
    latency_s: float = 0.4
    sigma: float = 0.4
    fail_rate: float = 0.005
    timeout_s: float = 5.0
    patience_s: float = 2.0
    stretch: float = 0.5

    def __post_init__(self) -> None:
        for name in ("duration_s", "rate", "latency_s", "timeout_s", "patience_s"):
            value = getattr(self, name)
            if not 0 < value < math.inf:
                raise BadScenario(name, value, "above 0")
        if self.rate * self.duration_s > _MOST_CALLS:
            calls = f"{self.rate * self.duration_s:,.0f}"
            raise BadScenario("rate × duration_s", calls, f"at most {_MOST_CALLS:,} calls")
        if not 0 <= self.sigma <= 3:  # noqa: PLR2004 - far wider than any service's
            raise BadScenario("sigma", self.sigma, "from 0 to 3")
        rates = [self.fail_rate, *(ill.fail_rate for ill in self.spells)]
        if not all(0 <= rate <= 1 for rate in rates):
            raise BadScenario("fail_rate", rates, "from 0 to 1")
        if not 0 <= self.stretch < 1:
            raise BadScenario("stretch", self.stretch, "from 0 to below 1")
        edges = [edge for ill in self.spells for edge in (ill.begin_s, ill.end_s)]
        longest = max((self._stretched(edge, 1 + self.stretch) for edge in edges), default=0.0)
        if edges != sorted(edges) or not self.spells or longest >= self.duration_s:
            raise BadScenario("spells", edges, "in order, and over before the run is")

    @property
    def begin_s(self) -> float:
        """Return when the first spell begins."""
        return self.spells[0].begin_s

    @property
    def end_s(self) -> float:
        """Return when the last spell ends."""
        return self.spells[-1].end_s

    def illness(self, at_s: float) -> Illness | None:
        """Return what the service suffers from at a time, None where it is well."""
        return next((ill for ill in self.spells if ill.begin_s <= at_s < ill.end_s), None)

    def drawn(self, rng: np.random.Generator) -> Scenario:
        """Return the scenario of one run, its spells of the lengths they have in it."""
        factor = 1 + self.stretch * float(rng.uniform(-1, 1))
        spells = tuple(
            replace(
                ill,
                begin_s=self._stretched(ill.begin_s, factor),
                end_s=self._stretched(ill.end_s, factor),
            )
            for ill in self.spells
        )
        return replace(self, spells=spells, stretch=0.0)

    def _stretched(self, edge: float, factor: float) -> float:
        return self.begin_s + (edge - self.begin_s) * factor


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario(
            "outage",
            "Outage",
            "For a minute or so every call fails, after a second or so.",
            (Illness(60.0, 120.0, fail_rate=1.0, latency_s=1.0),),
        ),
        Scenario(
            "brownout",
            "Brownout",
            "For a minute or so three calls in ten fail, and about half of the others come too late.",
            (Illness(60.0, 120.0, fail_rate=0.3, latency_s=2.0),),
        ),
        Scenario(
            "flapping",
            "Flapping",
            "Five times in a row the service fails for six seconds and is well for six.",
            tuple(
                Illness(begin, begin + 6.0, fail_rate=1.0, latency_s=0.5)
                for begin in (60.0, 72.0, 84.0, 96.0, 108.0)
            ),
        ),
    )
}
