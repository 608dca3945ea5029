"""A photo goes in at the top, ranked species come out.

``begin``: photos (already admitted) → a key a provider → cache → provider → one outcome. Whoever
asks may take each answer as it comes, or wait for them all. A provider that fails is one entry of the
answers, never an exception.
"""

from __future__ import annotations

import hashlib
import threading
import time
import uuid
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import orjson

from plantid_core.answers import answer, failure
from plantid_core.compare.consensus import consensus
from plantid_core.errors import BulkheadFull, DeadlineExceeded
from plantid_core.ladder import nobody, rung
from plantid_core.plants import (
    LOCAL,
    Answer,
    Outcome,
    PhotoSummary,
    Picture,
    Reply,
    earliest_retry_s,
)
from plantid_core.resilience.at_hand import at_hand, last_resort
from plantid_core.resilience.driver import Cached
from plantid_core.resilience.heartbeat import lease_lost
from plantid_core.telemetry import metrics, request, tell

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from plantid_core.credits import Credits
    from plantid_core.crew import Crew
    from plantid_core.deadline import Deadline
    from plantid_core.guards import Guards
    from plantid_core.plants import Consensus, Observation, Organ, Provider
    from plantid_core.resilience.cache import Cache
    from plantid_core.resilience.envelope import Kind
    from plantid_core.telemetry import Note, Trace
    from plantid_core.upload.photo import Photo

_KEY_VERSION = 1
_GRACE_S = 0.25


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of each provider, by whom, and how long the answer may take."""

    observation: Observation
    deadline: Deadline
    fresh: bool
    user: str


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The parts one request passes through; ``local`` caches what this machine computes itself.

    Each provider has threads of its own, so that one that is stuck keeps nobody else waiting. What
    lies near is answered on the caller's own thread, so that it waits for none of them. ``join`` makes
    the joint verdict of all answers.
    """

    shared: Cache
    local: Cache
    crews: Mapping[str, Crew]
    guards: Mapping[str, Guards]
    credits: Credits
    join: Callable[[Sequence[Answer]], Consensus] = consensus

    def begin(
        self,
        photos: Sequence[Photo],
        observation: Observation,
        providers: Sequence[Provider],
        deadline: Deadline,
        trace: Trace,
        *,
        fresh: bool = False,
        user: str = "local",
    ) -> Asking:
        """Ask every provider at once; never raises for a provider's sake."""
        question = Question(observation, deadline, fresh, user)
        keys = {provider.name: cache_key(provider, observation) for provider in providers}
        tell_asked(keys)
        asked = {one.name: self._ask(one, keys[one.name], question, trace) for one in providers}
        return Asking(self, tuple(summary(photo) for photo in photos), asked, trace)

    def cache_of(self, provider: str) -> Cache:
        """Return where a provider's answers are kept."""
        return self.local if provider in LOCAL else self.shared

    def _ask(self, provider: Provider, key: str, question: Question, trace: Trace) -> _Asked:
        cache = self.cache_of(provider.name)
        guards = self.guards.get(provider.name)
        asked = _Asked(provider, question, trace, cache, key, guards, self.credits)
        found = None if question.fresh else at_hand(cache, key)
        if found is not None:
            asked.take(found)
        else:
            self.crews[provider.name].ask(f"{key}\0fresh" if question.fresh else key, asked)
        return asked


class Asking:
    """One request under way: its answers as they come, or the outcome; from any number of threads."""

    def __init__(
        self,
        pipeline: Pipeline,
        photos: tuple[PhotoSummary, ...],
        asked: Mapping[str, _Asked],
        trace: Trace,
    ) -> None:
        self._pipeline, self._photos, self._asked, self._trace = pipeline, photos, asked, trace
        self._lock = threading.Lock()
        self._outcome: Outcome | None = None

    @property
    def providers(self) -> tuple[str, ...]:
        """Return the names of those that are asked, in the order of the outcome's answers."""
        return tuple(self._asked)

    def answer(self, provider: str) -> Answer:
        """Return one provider's answer, once it is there or the time is up; the same each time."""
        return self._asked[provider].collect()

    def outcome(self) -> Outcome:
        """Return the outcome, once every answer is there or the time is up; the same each time."""
        with self._lock:
            if self._outcome is None:
                self._outcome = self._joined()
            return self._outcome

    def _joined(self) -> Outcome:
        answers = tuple(self.answer(name) for name in self._asked)
        step = rung(answers)
        with self._trace.stage("consensus") as note:
            note.facts = {"rung": step}
            retry_s = earliest_retry_s(answers)
            agreed = nobody(retry_s) if step == "none" else self._pipeline.join(answers)
        metrics.identified(step, answers)
        return Outcome(
            id=uuid.uuid4().hex,
            photos=self._photos,
            answers=answers,
            consensus=agreed,
            rung=step,
            degraded=() if self._pipeline.shared.available() else ("redis",),
            trace=self._trace.stages(),
        )


@dataclass(slots=True)
class _Asked:
    """One provider that one request has asked, and its answer to come."""

    provider: Provider
    question: Question
    trace: Trace
    cache: Cache
    key: str
    guards: Guards | None
    credits: Credits
    began: float = field(default_factory=time.perf_counter)
    paid: bool = False
    _future: Future[Answer] = field(default_factory=Future)
    _stage: ExitStack = field(default_factory=ExitStack)
    _note: Note = field(init=False)
    _collecting: threading.Lock = field(default_factory=threading.Lock)
    _collected: Answer | None = None

    def __post_init__(self) -> None:
        self._note = self._stage.enter_context(self.trace.stage(self.provider.name))

    def ask(self) -> Cached:
        """Return the answer from the cache, or the provider's own."""
        # Said here: the thread is the crew's, and knows of no request.
        with request.bound(self.trace.request_id):
            return self._found()

    def _found(self) -> Cached:
        deadline, fresh, guards = self.question.deadline, self.question.fresh, self.guards
        deadline.require()
        # A call whose lease is lost is broken off at its next look at the clock.
        bounded = replace(deadline, cancelled=lease_lost)
        asking = threading.get_ident()

        def identify() -> Reply:
            # A refresh behind this caller runs in another thread: its own answer cost nothing.
            self.paid |= threading.get_ident() == asking
            with metrics.called(self.provider.name, self.trace) as call:
                reply = self.provider.identify(self.question.observation, bounded)
                call.status = reply.status
            return reply

        if guards is None:
            return self.cache.get(self.key, identify, deadline, fresh=fresh)
        return self.cache.get(
            self.key,
            lambda: guards.call(identify, bounded, self.question.user),
            deadline,
            fresh=fresh,
            prefer_stale=guards.refuses(),
        )

    def take(self, outcome: Cached | BaseException) -> None:
        """Take what came of it, unless the time was up before."""
        if isinstance(outcome, BulkheadFull) and self.guards is not None:
            outcome = self.guards.turned_away()
        if self._future.done() or not self._future.set_running_or_notify_cancel():
            return
        given = self._given(outcome)
        if given.error is None and self.guards is not None and not self.paid:
            self.credits.add(self.provider.name, "saved")
        self._future.set_result(given)

    def collect(self) -> Answer:
        """Return the answer, or that there was none in time; the same each time."""
        with self._collecting:
            if self._collected is None:
                self._collected = self._in_time()
            return self._collected

    def _in_time(self) -> Answer:
        deadline = self.question.deadline
        # One end for all providers, so that several that are late cost the grace once.
        left = min(deadline.at + _GRACE_S - time.monotonic(), threading.TIMEOUT_MAX)
        try:
            return self._future.result(max(0.0, left))
        except FutureTimeout:
            if not self._future.cancel():
                return self._future.result()
            kept = None if self.question.fresh else last_resort(self.cache, self.key)
            return self._given(kept or DeadlineExceeded(deadline.budget_s))

    def _given(self, outcome: Cached | BaseException) -> Answer:
        try:
            given = answer(self.provider, outcome, self._elapsed_ms())
        except Exception as error:  # noqa: BLE001 - one provider's surprise is not the request's end
            outcome = error
            given = failure(self.provider, error, self._elapsed_ms())
        self._note.text = given.error["message"] if given.error else ""
        self._note.facts = {"status": given.status, "source": given.source}
        if isinstance(outcome, Cached) and given.error is None:
            happened = "".join(f", {event.replace('_', ' ')}" for event in outcome.events)
            self._note.text = f"{given.status} ({given.source}{happened})"
        self._stage.close()
        return given

    def _elapsed_ms(self) -> float:
        return (time.perf_counter() - self.began) * 1e3


def reply_kind(reply: object) -> Kind | None:
    """Tell the cache that "no such plant" is kept for less time than a name."""
    return "negative" if isinstance(reply, Reply) and reply.status != "ok" else None


def tell_asked(keys: Mapping[str, str]) -> None:
    """Log which answers are wanted now, by provider: what the laboratory replays.

    The digests of the cache's keys tell them apart, and nothing of what was asked.
    """
    tell("identify.asked", keys={name: key.rpartition(":")[2] for name, key in keys.items()})


def cache_key(provider: Provider, observation: Observation) -> str:
    """Return the key of one provider's answer: a digest of all that shapes it, and no secret."""
    place = observation.place
    parts = [
        _KEY_VERSION,
        provider.name,
        provider.cache_scope,
        provider.sandbox,
        [[picture.sha256, picture.organ] for picture in observation.pictures],
        None if place is None else [place.latitude, place.longitude],
        observation.date,
        observation.language,
    ]
    return f"plantid:identify:{hashlib.sha256(orjson.dumps(parts)).hexdigest()}"


def pictures(photos: Sequence[Photo], organs: Sequence[Organ]) -> tuple[Picture, ...]:
    """Return what is sent of the photos."""
    return tuple(
        Picture(photo.jpeg, photo.sha256, organ)
        for photo, organ in zip(photos, organs, strict=True)
    )


def summary(photo: Photo) -> PhotoSummary:
    """Return what is told of a photo."""
    return PhotoSummary(
        photo.sha256, photo.width, photo.height, photo.source_format, photo.stripped
    )
