"""A photo goes in at the top, ranked species come out.

``identify``: photos (already admitted) → a key a provider → cache → provider → one outcome. A
provider that fails is one entry of the answers, never an exception.
"""

from __future__ import annotations

import hashlib
import threading
import time
import uuid
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import orjson
from pydantic import TypeAdapter, ValidationError

from plantid_core import errors
from plantid_core.compare.consensus import consensus
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
from plantid_core.resilience.heartbeat import lease_lost

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from concurrent.futures import Executor, Future

    from plantid_core.credits import Credits
    from plantid_core.deadline import Deadline
    from plantid_core.guards import Guards
    from plantid_core.plants import (
        AnswerError,
        AnswerStatus,
        Observation,
        Organ,
        Provider,
        Source,
    )
    from plantid_core.resilience.cache import Cache
    from plantid_core.resilience.driver import Cached
    from plantid_core.resilience.envelope import Kind
    from plantid_core.telemetry import Note, Trace
    from plantid_core.upload.photo import Photo

_KEY_VERSION = 1
_GRACE_S = 0.25
_REPLY: TypeAdapter[Reply] = TypeAdapter(Reply)


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

    Each provider has threads of its own, so that one that is stuck keeps nobody else waiting.
    """

    shared: Cache
    local: Cache
    executors: Mapping[str, Executor]
    guards: Mapping[str, Guards]
    credits: Credits

    def identify(
        self,
        photos: Sequence[Photo],
        observation: Observation,
        providers: Sequence[Provider],
        deadline: Deadline,
        trace: Trace,
        *,
        fresh: bool = False,
        user: str = "local",
    ) -> Outcome:
        """Return every provider's answer, all asked at once; never raises for a provider's sake."""
        question = Question(observation, deadline, fresh, user)
        asked = [
            (
                provider,
                self.executors[provider.name].submit(self._ask, provider, question, trace),
            )
            for provider in providers
        ]
        answers = tuple(self._collect(provider, future, deadline) for provider, future in asked)
        step = rung(answers)
        with trace.stage("consensus"):
            agreed = nobody(earliest_retry_s(answers)) if step == "none" else consensus(answers)
        return Outcome(
            id=uuid.uuid4().hex,
            photos=tuple(summary(photo) for photo in photos),
            answers=answers,
            consensus=agreed,
            rung=step,
            degraded=() if self.shared.available() else ("redis",),
            trace=trace.stages(),
        )

    def _collect(self, provider: Provider, future: Future[Answer], deadline: Deadline) -> Answer:
        try:
            return future.result(deadline.remaining() + _GRACE_S)
        except FutureTimeout:
            future.cancel()
            late = errors.DeadlineExceeded(deadline.budget_s)
            return _failure(provider, late, deadline.budget_s * 1e3)

    def _ask(self, provider: Provider, question: Question, trace: Trace) -> Answer:
        began = time.perf_counter()
        with trace.stage(provider.name) as note:
            try:
                cached = self._cached(provider, question)
                reply = _REPLY.validate_python(cached.value)
            except errors.RemoteError as error:
                note.text = str(error)
                return _failure(provider, _revived(provider, error), _ms_since(began))
            except (errors.ProviderError, errors.DeadlineExceeded) as error:
                note.text = str(error)
                return _failure(provider, error, _ms_since(began))
            except ValidationError:
                unread = errors.ProviderUnavailable(
                    provider.name, "malformed", "The kept answer could not be read."
                )
                return _failure(provider, unread, _ms_since(began))
            return _answer(provider, reply, cached, _ms_since(began), note)

    def _cached(self, provider: Provider, question: Question) -> Cached:
        key = cache_key(provider, question.observation)
        deadline, fresh = question.deadline, question.fresh
        # A call whose lease is lost is broken off at its next look at the clock.
        bounded = replace(deadline, cancelled=lease_lost)
        guards = self.guards.get(provider.name)
        called_by: list[int] = []

        def identify() -> Reply:
            called_by.append(threading.get_ident())
            return provider.identify(question.observation, bounded)

        if guards is None:
            cache = self.local if provider.name in LOCAL else self.shared
            return cache.get(key, identify, deadline, fresh=fresh)
        cached = self.shared.get(
            key,
            lambda: guards.call(identify, bounded, question.user),
            deadline,
            fresh=fresh,
            prefer_stale=guards.refuses(),
        )
        # A refresh behind this caller runs in another thread: its own answer cost nothing.
        if threading.get_ident() not in called_by:
            self.credits.add(provider.name, "saved")
        return cached


def reply_kind(reply: object) -> Kind | None:
    """Tell the cache that "no such plant" is kept for less time than a name."""
    return "negative" if isinstance(reply, Reply) and reply.status != "ok" else None


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


def _answer(
    provider: Provider, reply: Reply, cached: Cached, elapsed_ms: float, note: Note
) -> Answer:
    source: Source = "local" if provider.name in LOCAL else cached.origin
    happened = "".join(f", {event.replace('_', ' ')}" for event in cached.events)
    note.text = f"{reply.status} ({source}{happened})"
    return Answer(
        provider=provider.name,
        status=reply.status,
        source=source,
        sandbox=provider.sandbox,
        elapsed_ms=elapsed_ms,
        age_s=cached.age_s,
        is_plant=reply.is_plant,
        suggestions=reply.suggestions,
        remaining=reply.remaining,
        project=reply.project,
    )


def _failure(
    provider: Provider, error: errors.ProviderError | errors.DeadlineExceeded, elapsed_ms: float
) -> Answer:
    status: AnswerStatus = "unavailable"
    if isinstance(error, errors.ProviderQuotaExceeded):
        status = "quota"
    elif isinstance(error, errors.ProviderRejected):
        status = "rejected"
    told: AnswerError = {
        "code": getattr(error, "code", "deadline"),
        "message": str(error),
        "retry_after_s": getattr(error, "retry_after_s", None),
    }
    source: Source = "local" if provider.name in LOCAL else "upstream"
    return Answer(provider.name, status, source, provider.sandbox, elapsed_ms, error=told)


_KINDS_OF_FAILURE = {
    kind.__name__: kind
    for kind in (
        errors.ProviderUnavailable,
        errors.ProviderQuotaExceeded,
        errors.ProviderRejected,
    )
}


def _revived(provider: Provider, error: errors.RemoteError) -> errors.ProviderError:
    """Return the error that a call of another process met, as if it had been our own."""
    kind = _KINDS_OF_FAILURE.get(error.type_name, errors.ProviderUnavailable)
    code, after = error.fields.get("code", "unknown"), error.fields.get("retry_after_s")
    retry_after_s = float(after) if isinstance(after, int | float) else None
    return kind(provider.name, str(code), error.message, retry_after_s=retry_after_s)


def _ms_since(began: float) -> float:
    return (time.perf_counter() - began) * 1e3
