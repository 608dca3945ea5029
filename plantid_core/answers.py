"""What came of asking one provider, as its entry in the outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from plantid_core import errors
from plantid_core.derived import Derived
from plantid_core.plants import LOCAL, Answer, Reply
from plantid_core.telemetry import shout

if TYPE_CHECKING:
    from plantid_core.plants import AnswerError, AnswerStatus, Provider, Source
    from plantid_core.resilience.driver import Cached

_REPLY: TypeAdapter[Reply] = TypeAdapter(Reply)
# The cache hands out the same value for as long as it is near.
_read: Derived[object, Reply] = Derived(_REPLY.validate_python)


def answer(provider: Provider, outcome: Cached | BaseException, elapsed_ms: float) -> Answer:
    """Return the entry, whatever the outcome is: a provider's trouble is no exception."""
    if isinstance(outcome, BaseException):
        return failure(provider, outcome, elapsed_ms)
    try:
        reply = _read(outcome.value)
    except ValidationError:
        unread = errors.ProviderUnavailable(
            provider.name, "malformed", "The kept answer could not be read."
        )
        return failure(provider, unread, elapsed_ms)
    return Answer(
        provider=provider.name,
        status=reply.status,
        source="local" if provider.name in LOCAL else outcome.origin,
        sandbox=provider.sandbox,
        elapsed_ms=elapsed_ms,
        age_s=outcome.age_s,
        is_plant=reply.is_plant,
        suggestions=reply.suggestions,
        remaining=reply.remaining,
        project=reply.project,
    )


def failure(provider: Provider, error: BaseException, elapsed_ms: float) -> Answer:
    """Return the entry of a provider that gave no answer."""
    known = _known(provider, error)
    status: AnswerStatus = "unavailable"
    if isinstance(known, errors.ProviderQuotaExceeded):
        status = "quota"
    elif isinstance(known, errors.ProviderRejected):
        status = "rejected"
    told: AnswerError = {
        "code": getattr(known, "code", "deadline"),
        "message": str(known),
        "retry_after_s": getattr(known, "retry_after_s", None),
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


def _known(
    provider: Provider, error: BaseException
) -> errors.ProviderError | errors.DeadlineExceeded:
    if isinstance(error, errors.ProviderError | errors.DeadlineExceeded):
        return error
    if not isinstance(error, errors.RemoteError):
        return _unforeseen(provider, type(error).__name__)
    # The error that a call of another process met, as if it had been our own.
    kind = _KINDS_OF_FAILURE.get(error.type_name)
    if kind is None:
        return _unforeseen(provider, error.type_name)
    code, after = error.fields.get("code", "unknown"), error.fields.get("retry_after_s")
    retry_after_s = float(after) if isinstance(after, int | float) else None
    return kind(provider.name, str(code), error.message, retry_after_s=retry_after_s)


def _unforeseen(provider: Provider, type_name: str) -> errors.ProviderUnavailable:
    # Its text may hold anything, a path or a piece of the request: neither log nor answer get it.
    shout("provider_failed", provider=provider.name, error=type_name)
    return errors.ProviderUnavailable(
        provider.name, "internal", "Something went wrong here, and it has been logged."
    )
