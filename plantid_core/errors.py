"""Every error that the workbench raises on purpose.

::

    PlantIDError
    ├── ConfigurationError      (faults)                      settings cannot be used
    ├── UploadRejected          (code, layer, limit, value, detected)
    ├── StoreUnavailable        (ways)                        no Redis to be found or started
    ├── DeadlineExceeded        (budget_s)                    the request's time is used up
    ├── RemoteError             (type_name, fields)           another process's computation failed
    ├── LeaseLost                                             another process computes it now
    ├── ValueNotCacheable       (type_name)                   a computed value JSON cannot hold
    ├── LockNotAcquired         (name, waited_s)              somebody else holds the lock
    ├── LockLost                (name)                        the lock expired while it was held
    ├── BulkheadFull            (name, size, queued)          too many calls are under way
    ├── ModelUnavailable        (path)                        the offline weights cannot be used
    ├── PhotoNotFound                                         this owner keeps no such photo
    ├── PhotoDamaged            (photo_id)                    a kept photo's bytes have changed
    ├── QuotaExceeded           (limit, used, asked)          the owner's photos would take too much
    ├── StorageFailed           (reason)                      the disk of photos cannot be used
    ├── ObservationNotFound                                   this owner keeps no such observation
    ├── ObservationRefused      (field, limit, value)         a part of an observation cannot be kept
    ├── NotSuggested            (provider, name)              what was confirmed was suggested by nobody
    ├── NothingToExport         (left_out)                    no observation may or can be given out
    ├── SandboxNotBotany        (providers)                   a sandbox's answer where botany is wanted
    ├── HistoryUnavailable      (reason)                      the database of observations cannot be used
    ├── NameUnparsable          (name)                        a text that is no scientific name
    ├── InputUnreadable         (path, reason)                a file that is not what a command needs
    ├── HerbariumUnusable       (reason)                      the local herbarium cannot be used or made
    ├── TooFewPhotos            (photos, right)               a calibration on too little
    ├── SignInRequired          (action)                      nobody in particular may not do that
    ├── PermissionDenied        (action, scope)               this person or token may not do that
    ├── TokenRefused            (reason)                      a token that is unknown, expired or revoked
    ├── TokenUnknown            (token_id)                    there is no token of this id
    ├── AccessUnfit             (field, limit, value)         a person or token that cannot be made so
    ├── PersonUnknown           (who)                         nobody of this name has signed in
    ├── Throttled               (limit, retry_after_s)        too many requests of one person or address
    └── ProviderError           (provider, code, retry_after_s, uncounted, transient)
        ├── ProviderUnavailable     could not be reached, or failed
        ├── ProviderQuotaExceeded   no credits left, or asked to slow down
        │   └── UserQuotaExceeded       this user's calls of a minute are used up, not others'
        └── ProviderRejected        refused this request: asking again will not help

``str(error)`` is a sentence for people; the fields are for programs. No message holds an API key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class PlantIDError(Exception):
    """Base of every error above."""


class ConfigurationError(PlantIDError):
    """The settings hold faults; ``faults`` has one sentence for each."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults
        super().__init__("Settings cannot be used: " + " · ".join(faults))


class UploadRejected(PlantIDError):
    """A file was refused by the upload chain.

    ``code`` names the rule, ``layer`` the gate that stopped it (name, size, type, header, decode,
    re-encode), ``limit`` and ``value`` the bound and what was found, ``detected`` what the file
    really is ("a PDF document"). ``transient`` tells that the refusal says nothing of the file.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        layer: str,
        limit: float | str | None = None,
        value: float | str | None = None,
        detected: str | None = None,
        transient: bool = False,
    ) -> None:
        self.code = code
        self.transient = transient
        self.layer = layer
        self.limit = limit
        self.value = value
        self.detected = detected
        super().__init__(message)


class StoreUnavailable(PlantIDError):
    """No Redis or Valkey could be found or started."""


class DeadlineExceeded(PlantIDError):
    """The request's time budget of ``budget_s`` seconds is used up."""

    def __init__(self, budget_s: float) -> None:
        self.budget_s = budget_s
        super().__init__(f"No answer within the {budget_s:.1f} s allowed for this request.")


class RemoteError(PlantIDError):
    """The computation was under way in another process, and failed there.

    ``type_name`` names the error's type, ``fields`` has what it told programs (code, provider,
    retry_after_s), as far as it had them.
    """

    def __init__(self, type_name: str, message: str, fields: Mapping[str, object]) -> None:
        self.type_name = type_name
        self.message = message
        self.fields = fields
        super().__init__(f"{type_name}: {message}")


class LeaseLost(PlantIDError):
    """This computation's lease is lost: what it would make is refused, another process makes it."""

    def __init__(self) -> None:
        super().__init__("The lease was lost; the answer is being fetched by another process.")


class ValueNotCacheable(PlantIDError, TypeError):
    """A computed value that JSON cannot hold; ``type_name`` is its type."""

    def __init__(self, type_name: str, reason: str) -> None:
        self.type_name = type_name
        super().__init__(
            f"A computed value of type {type_name} cannot be cached ({reason})."
            " Return bytes, or what JSON can hold."
        )


class LockNotAcquired(PlantIDError):
    """The lock ``name`` was held by somebody else for all of the ``waited_s`` seconds allowed."""

    def __init__(self, name: str, waited_s: float) -> None:
        self.name = name
        self.waited_s = waited_s
        super().__init__(f"The lock {name!r} was not free within {waited_s:.2f} s.")


class LockLost(PlantIDError):
    """The lock ``name`` expired, or was taken away, while this holder believed to hold it."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"The lock {name!r} was lost before the work under it was done.")


class BulkheadFull(PlantIDError):
    """All ``size`` slots called ``name`` are in use, and ``queued`` callers wait for one already."""

    def __init__(self, name: str, size: int, queued: int) -> None:
        self.name = name
        self.size = size
        self.queued = queued
        super().__init__(f"{size} calls of {name} are under way and {queued} wait; try again soon.")


class ModelUnavailable(PlantIDError):
    """The offline model's weights are missing or are not the pinned ones."""


class PhotoNotFound(PlantIDError):
    """This owner keeps no such photo.

    The same for an id that is malformed, unknown or another owner's, so that nobody can ask whether
    someone else keeps a photo.
    """

    def __init__(self) -> None:
        super().__init__("No such photo is kept for you: it was deleted, or never stored.")


class PhotoDamaged(PlantIDError):
    """The bytes kept under ``photo_id`` are no longer those that were stored."""

    def __init__(self, photo_id: str) -> None:
        self.photo_id = photo_id
        super().__init__(
            f"The kept photo {photo_id[:12]}… is damaged on disk. Store it again, or delete it."
        )


class QuotaExceeded(PlantIDError):
    """An owner's photos take ``used`` of ``limit``, and the new one's ``asked`` do not fit.

    ``unit`` tells what is counted: bytes or photos.
    """

    def __init__(self, limit: int, used: int, asked: int, unit: str = "bytes") -> None:
        self.limit = limit
        self.used = used
        self.asked = asked
        self.unit = unit
        super().__init__(
            f"You may keep {limit:,} {unit}; {used:,} are kept, and this photo needs {asked:,}."
            " Delete photos first."
        )


class StorageFailed(PlantIDError):
    """The disk that keeps the photos cannot be used.

    ``reason`` is a short stable word: full, read_only, busy (another process holds the lock) or
    io (anything else).
    """

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)


class ObservationNotFound(PlantIDError):
    """This owner keeps no such observation; the same for one that is another owner's."""

    def __init__(self) -> None:
        super().__init__("No such observation is kept for you: it was deleted, or never kept.")


class ObservationRefused(PlantIDError):
    """A part of an observation cannot be kept as it is.

    ``field`` names it ("place.latitude"), ``limit`` is what is allowed, ``value`` what was found.
    """

    def __init__(self, field: str, limit: str, value: str) -> None:
        self.field = field
        self.limit = limit
        self.value = value
        super().__init__(f"This cannot be kept: {field} must be {limit}, and is {value}.")


class NotSuggested(PlantIDError):
    """A determination names a suggestion that ``provider`` did not make of this observation."""

    def __init__(self, provider: str, name: str, reason: str) -> None:
        self.provider = provider
        self.name = name
        super().__init__(f"{provider} did not suggest {name[:80]!r} here: {reason}")


class NothingToExport(PlantIDError):
    """No file was written, since nothing would be in it; ``left_out`` counts observations by reason."""

    def __init__(self, left_out: Mapping[str, int]) -> None:
        self.left_out = dict(left_out)
        why = "; ".join(f"{count:,} left out, since {reason}" for reason, count in left_out.items())
        super().__init__(f"There is nothing to export: {why or 'nothing that is wanted is kept'}.")


class SandboxNotBotany(PlantIDError):
    """Answers of the sandbox were about to become a determination, an export or an evaluation.

    ``providers`` are the names of those that the sandbox answered for.
    """

    def __init__(self, providers: tuple[str, ...], message: str) -> None:
        self.providers = providers
        super().__init__(message)


class HistoryUnavailable(PlantIDError):
    """The database of observations cannot be used; ``reason`` is a short stable word.

    unreachable, locked, full, read_only, newer (its schema is of a newer version) or damaged.
    """

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)


class NameUnparsable(PlantIDError):
    """``name`` is no scientific name of a plant."""

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        super().__init__(f"{name[:80]!r} is no scientific name: {reason}.")


class InputUnreadable(PlantIDError):
    """The file or folder at ``path`` is not what was needed; ``reason`` is a sentence."""

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{path}: {reason}")


class TooFewPhotos(PlantIDError):
    """A calibration was to be fitted on ``photos``, ``right`` of them named right: too few to tell."""

    def __init__(self, photos: int, right: int, least: int, least_of_each: int) -> None:
        self.photos = photos
        self.right = right
        super().__init__(
            f"{photos} labelled photos, {right} of them named right, are too few to calibrate on:"
            f" it takes {least}, with at least {least_of_each} right and {least_of_each} wrong."
        )


class HerbariumUnusable(PlantIDError):
    """The local herbarium cannot be used or made; ``reason`` is a short stable word.

    missing, damaged, foreign (another file), newer (of a newer version), model (made with another image
    model), empty (no photo was left to learn from), busy (another build is under way) or disk.
    """

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)


class SignInRequired(PlantIDError):
    """Somebody unknown asked for what takes a sign-in; ``action`` names it (see `access.rules`)."""

    def __init__(self, action: str) -> None:
        self.action = action
        super().__init__("This needs a sign-in. Sign in, or send a token.")


class PermissionDenied(PlantIDError):
    """A person or token asked for what it may not do.

    ``action`` names it (see `access.rules`); ``scope`` is what a token lacks, None where its owner
    may not do it either.
    """

    def __init__(self, action: str, *, scope: str | None = None) -> None:
        self.action = action
        self.scope = scope
        super().__init__(
            "You may not do this here. Ask whoever runs this app."
            if scope is None
            else f"This token has not the scope {scope!r}. Make one that has."
        )


class TokenRefused(PlantIDError):
    """A token that lets nobody in: ``reason`` is unknown, expired, revoked or deactivated."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(
            "The token is not valid: it is unknown, has expired or was revoked. Make a new one."
        )


class TokenUnknown(PlantIDError):
    """There is no token of this id; it is what `plantid token list` shows, not the token's word."""

    def __init__(self, token_id: str) -> None:
        self.token_id = token_id
        super().__init__(f"There is no token {token_id!r}. `plantid token list` tells which are.")


class AccessUnfit(PlantIDError):
    """A person or token that cannot be made like this.

    ``field`` names what is unfit, ``limit`` is what is allowed, ``value`` what was found.
    """

    def __init__(self, field: str, limit: str, value: str) -> None:
        self.field = field
        self.limit = limit
        self.value = value
        super().__init__(f"This cannot be: {field} must be {limit}, and is {value}.")


class PersonUnknown(PlantIDError):
    """Nobody of this id or subject has signed in here; ``who`` is what was asked for."""

    def __init__(self, who: str) -> None:
        self.who = who
        super().__init__(
            f"Nobody known here is called {who!r}. `plantid person list` tells who is."
        )


class Throttled(PlantIDError):
    """One person, token or address asks too often; ``limit`` is like ``60 per 1 minute``."""

    def __init__(self, limit: str, retry_after_s: float) -> None:
        self.limit = limit
        self.retry_after_s = retry_after_s
        super().__init__(f"Too many requests: {limit} are allowed. Try again in a moment.")


class ProviderError(PlantIDError):
    """An identification service gave no answer.

    ``code`` is a short stable word, ``retry_after_s`` the seconds after which the service itself
    said it may be asked again (None: it did not say). ``uncounted`` tells that the service cannot
    have counted the call, ``transient`` that we refused it ourselves: to find that out again costs
    nothing, so it is not remembered.
    """

    def __init__(
        self,
        provider: str,
        code: str,
        message: str,
        *,
        retry_after_s: float | None = None,
        uncounted: bool = False,
        transient: bool = False,
    ) -> None:
        self.provider = provider
        self.code = code
        self.retry_after_s = retry_after_s
        self.uncounted = uncounted
        self.transient = transient
        super().__init__(message)


class ProviderUnavailable(ProviderError):
    """The service could not be reached, timed out, failed, or answered nonsense."""


class ProviderQuotaExceeded(ProviderError):
    """The service's quota is used up, or it asked for fewer requests."""


class UserQuotaExceeded(ProviderQuotaExceeded):
    """This user has made as many calls as one may; another user may still call."""


class ProviderRejected(ProviderError):
    """The service refused this request (bad key, bad picture): the same request will fail again."""
