"""A request that this process alone can answer, on the caller's own thread, without waiting.

Where every verdict, every answer and their joint verdict lie near, what is left to do is a look-up of
each: less than it costs to hand the request to another thread.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from plantid_core.answers import answer
from plantid_core.ladder import nobody, rung
from plantid_core.pipeline import cache_key, summary, tell_asked
from plantid_core.plants import Outcome, earliest_retry_s
from plantid_core.resilience.at_hand import glimpse
from plantid_core.telemetry import metrics

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from plantid_core.pipeline import Pipeline
    from plantid_core.plants import Answer, Consensus, Observation, PhotoSummary, Provider
    from plantid_core.resilience.driver import Cached
    from plantid_core.telemetry import Trace
    from plantid_core.upload.photo import Photo

_JOINED = 512

_Joint = tuple[tuple[object, ...], "Consensus"]


@dataclass(frozen=True, slots=True)
class Answered:
    """An outcome with what is needed to keep it: the photos, what was asked, where each answer lies."""

    outcome: Outcome
    photos: tuple[Photo, ...]
    asked: Observation
    cache_keys: Mapping[str, str]

    @property
    def paid(self) -> bool:
        """Tell whether any answer came from a service just now, and may have cost a credit."""
        return any(one.source == "upstream" for one in self.outcome.answers)


@dataclass(frozen=True, slots=True)
class Nearby:
    """What this process has at hand of a pipeline's answers; for one thread at a time."""

    pipeline: Pipeline
    _joined: dict[tuple[object, ...], _Joint] = field(default_factory=dict)

    def answer(
        self,
        photos: Sequence[Photo],
        asked: Observation,
        providers: Sequence[Provider],
        trace: Trace,
    ) -> Answered | None:
        """Return what `Pipeline.begin` would come to, None where anything of it is not at hand."""
        began = time.perf_counter()
        keys = {provider.name: cache_key(provider, asked) for provider in providers}
        found: list[Cached] = []
        # All are looked at before any is counted: else what then goes the long way counts twice.
        for name, key in keys.items():
            kept = glimpse(self.pipeline.cache_of(name), key)
            if kept is None:
                return None
            found.append(kept)
        elapsed_ms = (time.perf_counter() - began) * 1e3
        answers = tuple(
            answer(provider, kept, elapsed_ms)
            for provider, kept in zip(providers, found, strict=True)
        )
        if any(one.error is not None for one in answers):
            return None
        tell_asked(keys)
        for one in answers:
            self._count(one)
            facts = {"status": one.status, "source": one.source}
            trace.passed(one.provider, began, f"{one.status} ({one.source})", facts)
        told = tuple(summary(photo) for photo in photos)
        return Answered(self._outcome(told, answers, trace), tuple(photos), asked, keys)

    def _count(self, answer: Answer) -> None:
        self.pipeline.cache_of(answer.provider).counters.add("near_hit")
        if answer.provider in self.pipeline.guards:
            self.pipeline.credits.add(answer.provider, "saved")

    def _outcome(
        self, photos: tuple[PhotoSummary, ...], answers: tuple[Answer, ...], trace: Trace
    ) -> Outcome:
        began = time.perf_counter()
        step = rung(answers)
        agreed = nobody(earliest_retry_s(answers)) if step == "none" else self._join(answers)
        trace.passed("consensus", began, facts={"rung": step})
        metrics.identified(step, answers)
        return Outcome(
            id=uuid.uuid4().hex,
            photos=photos,
            answers=answers,
            consensus=agreed,
            rung=step,
            degraded=() if self.pipeline.shared.available() else ("redis",),
            trace=trace.stages(),
        )

    def _join(self, answers: tuple[Answer, ...]) -> Consensus:
        """Return the joint verdict, the same object for the same suggestions; see `Derived`."""
        key = tuple((one.provider, one.status, id(one.suggestions)) for one in answers)
        kept = self._joined.get(key)
        if kept is not None:
            return kept[1]
        agreed = self.pipeline.join(answers)
        if len(self._joined) >= _JOINED:
            self._joined.pop(next(iter(self._joined)), None)
        self._joined[key] = tuple(one.suggestions for one in answers), agreed
        return agreed


def keys_of(
    providers: Mapping[str, Provider], outcome: Outcome, asked: Observation
) -> dict[str, str]:
    """Return, by the provider of each answer, where it may be cached."""
    return {
        one.provider: cache_key(providers[one.provider], asked)
        for one in outcome.answers
        if one.provider in providers
    }
