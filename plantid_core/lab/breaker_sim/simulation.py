"""One run: a Poisson load, a service that falls ill, and what stands between the two."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, TypedDict

import numpy as np
import pandas as pd

from plantid_core.errors import ProviderUnavailable
from plantid_core.lab.breaker_sim.guards import Refusal, guard
from plantid_core.lab.simulate.clock import EPOCH_S, Clock
from plantid_core.telemetry import quiet

if TYPE_CHECKING:
    from plantid_core.lab.breaker_sim.protection import Protection
    from plantid_core.lab.breaker_sim.scenario import Scenario

# How often the state is looked at: what comes by the clock alone is seen so much later at most.
LOOK_S: Final = 0.1
_ENDS: Final = ("ok", "late", "failed", "refused")
# A breaker that lets calls queue may need long to be done with them.
_LATEST_S: Final = 1e6


class OutcomeRow(TypedDict):
    """What a run came to; seconds, counts of calls, shares of them. See `run`."""

    protection: str
    scenario: str
    seed: int
    offered: int
    upstream_calls: int
    bad_calls_sent: int
    good_calls_refused: int
    opened: bool
    openings: int
    time_to_open_s: float
    recovered: bool
    time_to_recover_s: float
    availability: float
    latency_mean_s: float


@dataclass(frozen=True, slots=True)
class Run:
    """What one run left behind.

    ``scenario`` is as it was drawn for this run. ``timeline``: a row a second: ``second``, ``state`` at
    its beginning, ``offered``, ``ok``, ``late``, ``failed``, ``refused`` (by when the request came),
    ``error_rate`` (failed or late, of those not refused; NaN where there were none). ``states``:
    ``begin_s``, ``end_s``, ``state``. ``calls``: a row a request: ``t_s``, ``end`` (ok, late, failed,
    refused), ``wait_s`` until it ended, ``ill`` (whether the service was when its call began, or was
    refused), ``took_s`` upstream (NaN: it was not called).
    """

    protection: Protection
    scenario: Scenario
    seed: int
    timeline: pd.DataFrame
    states: pd.DataFrame
    calls: pd.DataFrame

    @property
    def outcome(self) -> OutcomeRow:
        """Return the run's figures."""
        calls, scenario = self.calls, self.scenario
        sent = calls["took_s"].notna()
        bad = (calls["end"] == "failed") | (calls["took_s"] >= scenario.patience_s)
        open_at = self.states.loc[self.states["state"] == "open", "begin_s"]
        in_trouble = open_at[open_at >= scenario.begin_s]
        closed = self.states.loc[self.states["state"] == "closed"]
        closed_again = closed.loc[closed["end_s"] > scenario.end_s, "begin_s"]
        recovered = len(closed_again) > 0
        return {
            "protection": self.protection.name,
            "scenario": scenario.name,
            "seed": self.seed,
            "offered": len(calls),
            "upstream_calls": int(sent.sum()),
            "bad_calls_sent": int((sent & bad & calls["ill"]).sum()),
            "good_calls_refused": int(((calls["end"] == "refused") & ~calls["ill"]).sum()),
            "opened": len(in_trouble) > 0,
            "openings": len(open_at),
            "time_to_open_s": (
                float(in_trouble.iloc[0]) - scenario.begin_s if len(in_trouble) else float("nan")
            ),
            "recovered": recovered,
            "time_to_recover_s": (
                max(0.0, float(closed_again.iloc[0]) - scenario.end_s)
                if recovered
                else float("nan")
            ),
            "availability": float((calls["end"] == "ok").mean()) if len(calls) else 1.0,
            "latency_mean_s": float(calls["wait_s"].mean()) if len(calls) else 0.0,
        }


def run(protection: Protection, scenario: Scenario, seed: int) -> Run:
    """Return what became of every request of one run.

    Two runs of one seed meet the same requests, and the same luck with each, whatever stands before the
    service. Of the `Run.outcome`: *bad calls sent* failed or took ``patience_s`` while the service was
    ill; *good calls refused* found no way through while it was well; *time to open* is from the first
    illness's begin to the first opening after it; *time to recover* from the last one's end until it is
    closed (0: it was, NaN: not within the run); *availability* is the share answered in time;
    *latency* the mean time until a request ended, a refusal included.
    """
    return _Stage(protection, scenario, seed).play()


def outcome(protection: Protection, scenario: Scenario, seed: int) -> OutcomeRow:
    """Return a run's figures alone: a job for any process."""
    return run(protection, scenario, seed).outcome


class _Stage:
    def __init__(self, protection: Protection, scenario: Scenario, seed: int) -> None:
        self.protection, self.seed = protection, seed
        self.scenario = scenario = scenario.drawn(np.random.default_rng([seed, 3]))
        load, luck = (np.random.default_rng([seed, stream]) for stream in (0, 1))
        count = int(load.poisson(scenario.rate * scenario.duration_s))
        self.arrivals = np.sort(load.random(count) * scenario.duration_s)
        self.dice, self.latency = luck.random(count), luck.standard_normal(count)
        self.end = np.zeros(count, dtype=np.int64)
        self.wait, self.took = np.zeros(count), np.full(count, np.nan)
        self.ill = np.zeros(count, dtype=bool)
        self.clock = Clock()
        self.guard = guard(protection, self.clock, np.random.default_rng([seed, 2]))
        self.changes: list[tuple[float, str]] = [(0.0, self.guard.state())]

    @property
    def now(self) -> float:
        return self.clock.now - EPOCH_S

    def play(self) -> Run:
        for number, at in enumerate(self.arrivals):
            self.clock.spawn(EPOCH_S + at, partial(self._request, number))
        for look in np.arange(0.0, self.scenario.duration_s, LOOK_S):
            self.clock.at(EPOCH_S + look, self._look)
        with quiet():
            self.clock.drain(EPOCH_S + _LATEST_S)
        states = self._states()
        return Run(
            self.protection, self.scenario, self.seed, self._timeline(states), states, self._calls()
        )

    def _request(self, number: int) -> None:
        came = self.now
        self._look()
        try:
            self.guard.call(self._ask, number)
        except Refusal:
            word, self.ill[number] = "refused", self.scenario.illness(self.now) is not None
        except ProviderUnavailable:
            word = "failed"
        else:
            word = "ok" if self.now - came < self.scenario.patience_s else "late"
        self.end[number], self.wait[number] = _ENDS.index(word), self.now - came
        self._look()

    def _ask(self, number: int) -> None:
        self._look()
        scenario = self.scenario
        ill = scenario.illness(self.now)
        median = scenario.latency_s if ill is None else ill.latency_s
        took = min(
            scenario.timeout_s, median * float(np.exp(scenario.sigma * self.latency[number]))
        )
        fails = self.dice[number] < (scenario.fail_rate if ill is None else ill.fail_rate)
        self.ill[number], self.took[number] = ill is not None, took
        self.clock.sleep(took)
        if took >= scenario.timeout_s:
            raise ProviderUnavailable("lab", "timeout", "The service did not answer in time.")
        if fails:
            named = None if ill is None else ill.retry_after_s
            raise ProviderUnavailable("lab", "http", "The service failed.", retry_after_s=named)

    def _look(self) -> None:
        state = self.guard.state()
        if state != self.changes[-1][1] and self.now < self.scenario.duration_s:
            self.changes.append((self.now, state))

    def _states(self) -> pd.DataFrame:
        begins = [at for at, _ in self.changes]
        return pd.DataFrame(
            {
                "begin_s": begins,
                "end_s": [*begins[1:], self.scenario.duration_s],
                "state": [state for _, state in self.changes],
            }
        )

    def _calls(self) -> pd.DataFrame:
        return pd.DataFrame(
            {
                "t_s": self.arrivals,
                "end": pd.Categorical.from_codes(self.end, categories=pd.Index(_ENDS)),
                "wait_s": self.wait,
                "ill": self.ill,
                "took_s": self.took,
            }
        )

    def _timeline(self, states: pd.DataFrame) -> pd.DataFrame:
        seconds = np.arange(int(np.ceil(self.scenario.duration_s)))
        came = self.arrivals.astype(np.int64)
        counts = {
            word: np.bincount(came[self.end == code], minlength=len(seconds))
            for code, word in enumerate(_ENDS)
        }
        sent = counts["ok"] + counts["late"] + counts["failed"]
        errors = counts["failed"] + counts["late"]
        places = np.searchsorted(states["begin_s"].to_numpy(), seconds, side="right") - 1
        return pd.DataFrame(
            {
                "second": seconds,
                "state": states["state"].to_numpy()[places],
                "offered": sent + counts["refused"],
                **counts,
                "error_rate": np.divide(
                    errors, sent, out=np.full(len(seconds), np.nan), where=sent > 0
                ),
            }
        )
