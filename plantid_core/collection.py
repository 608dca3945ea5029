"""What people keep: observations in the database, their photos on disk, and all of it together.

An observation and its photos are kept both or neither, and are forgotten together, with the answers
that caches hold. Answers of the sandbox never become a determination or an export unless asked for,
and are then marked.
"""

from __future__ import annotations

import datetime as dt
import threading
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from plantid_core.compare.determination import basis_of
from plantid_core.errors import (
    NothingToExport,
    ObservationNotFound,
    PhotoNotFound,
    PlantIDError,
    SandboxNotBotany,
)
from plantid_core.export.darwin_core.archive import write_archive
from plantid_core.export.mine import write_mine
from plantid_core.export.observations import save_csv
from plantid_core.export.release import Terms
from plantid_core.export.sensitive import Sensitive
from plantid_core.store.history.values import (
    Circumstances,
    Determination,
    Filter,
    KeptPhoto,
    Observed,
)
from plantid_core.store.turns import Turns
from plantid_core.store.whole import whole_file
from plantid_core.telemetry import shout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path
    from typing import Literal

    from plantid_core.compare.calibration import Calibration
    from plantid_core.compare.determination import Decision
    from plantid_core.compare.names.values import Reconciler
    from plantid_core.export.release import Exported
    from plantid_core.export.sensitive import Rule
    from plantid_core.plants import Organ, Outcome
    from plantid_core.resilience.cache import Cache
    from plantid_core.store.history.history import History
    from plantid_core.store.history.values import Forgotten, Page
    from plantid_core.store.photos import PhotoStore
    from plantid_core.upload.photo import Photo

    Format = Literal["csv", "dwca"]

SANDBOX_SUFFIX = "-sandbox"
EVERYTHING, NOWHERE = Filter(), Circumstances()

_EXPIRY_EVERY_S = 3600.0


@dataclass(frozen=True, slots=True)
class Stores:
    """Where a collection keeps things; ``folder`` is its own, for taking turns."""

    history: History
    photos: PhotoStore
    cache: Cache
    folder: Path


@dataclass(frozen=True, slots=True)
class Deleted:
    """What was deleted. ``still_cached`` answers could not be reached, and expire by themselves."""

    observations: int
    photos: int
    still_cached: int = 0


@dataclass(frozen=True, slots=True)
class Keeping:
    """An observation that is to be kept, with its photos' bytes.

    ``cache_keys`` tells, by provider, where its answer is cached.
    """

    observed: Observed
    photos: tuple[Photo, ...]
    cache_keys: Mapping[str, str]


class Collection:
    """The observations of all owners; safe to use from any threads and processes.

    Every method names the owner, and reaches that owner's only. ``keep_days`` is how long observations
    are kept (None: until they are deleted); ``rules`` returns which places others are not told exactly,
    ``calibration`` is what joint rankings are made with. ``settle`` is called with the owner before
    anything of theirs is looked at: what somebody has been promised to be kept is then to be there.
    """

    def __init__(
        self,
        stores: Stores,
        names: Reconciler,
        rules: Callable[[], Iterable[Rule]],
        *,
        keep_days: int | None = None,
        calibration: Calibration | None = None,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self.settle: Callable[[str], object] = _nothing_to_settle
        self._history, self._photos, self._cache = stores.history, stores.photos, stores.cache
        self._turns = Turns(stores.folder, self._sweep)
        self._names, self._rules = names, rules
        self._keep_days, self._now, self._calibration = keep_days, now, calibration
        self._expiring = threading.Lock()
        self._expired_at: float | None = None

    def close(self) -> None:
        """Close the database."""
        self._history.close()

    def keep(
        self,
        owner: str,
        outcome: Outcome,
        photos: Sequence[Photo],
        organs: Sequence[Organ],
        *,
        circumstances: Circumstances = NOWHERE,
        language: str = "en",
        cache_keys: Mapping[str, str] | None = None,
    ) -> Observed:
        """Keep an outcome with its photos, and return the observation; its id is the outcome's.

        The same outcome is kept once, however often it is asked for. ``cache_keys`` tells, by provider,
        where its answer is cached. Raises `QuotaExceeded`, `StorageFailed`, `HistoryUnavailable` or
        `ObservationRefused`: then nothing of it is kept.
        """
        with suppress(ObservationNotFound):
            return self.get(owner, outcome.id)
        keeping = self.keeping(
            owner,
            outcome,
            photos,
            organs,
            circumstances=circumstances,
            language=language,
            cache_keys=cache_keys,
        )
        self.expire_if_due()
        with self._turns.take([owner]):
            for photo in photos:
                self._photos.put(owner, photo.jpeg)
            self._history.add(keeping.observed, keeping.cache_keys)
        return self._history.get(owner, outcome.id)

    def keeping(
        self,
        owner: str,
        outcome: Outcome,
        photos: Sequence[Photo],
        organs: Sequence[Organ],
        *,
        circumstances: Circumstances = NOWHERE,
        language: str = "en",
        cache_keys: Mapping[str, str] | None = None,
    ) -> Keeping:
        """Return what `keep` would keep, as of now, for `keep_all` to keep with others."""
        kept = tuple(
            KeptPhoto(photo.sha256, organ, photo.width, photo.height, photo.source_format)
            for photo, organ in zip(photos, organs, strict=True)
        )
        observed = Observed(
            outcome.id,
            owner,
            self._now(),
            circumstances,
            language,
            kept,
            outcome.answers,
            outcome.consensus,
            outcome.rung,
        )
        return Keeping(observed, tuple(photos), dict(cache_keys or {}))

    def keep_all(self, keepings: Sequence[Keeping]) -> None:
        """Keep many in one turn and one transaction: all of them or none.

        Of an outcome that is kept already nothing changes. A photo that is there already is not read
        again. Raises what `keep` raises.
        """
        self.expire_if_due()
        photos = {
            (one.observed.owner, photo.sha256): photo for one in keepings for photo in one.photos
        }
        with self._turns.take(sorted({one.observed.owner for one in keepings})):
            for (owner, photo_id), photo in photos.items():
                if not self._photos.holds(owner, photo_id, len(photo.jpeg)):
                    self._photos.put(owner, photo.jpeg)
            self._history.add_many([(one.observed, one.cache_keys) for one in keepings])

    def get(self, owner: str, observation_id: str) -> Observed:
        """Return an observation; raises `ObservationNotFound`."""
        self.settle(owner)
        return self._history.get(owner, observation_id)

    def find(
        self, owner: str, wanted: Filter = EVERYTHING, *, limit: int = 50, after: str | None = None
    ) -> Page:
        """Return those wanted, newest first; ``after`` is the page's before."""
        self.settle(owner)
        self.expire_if_due()
        return self._history.find(owner, wanted, limit=limit, after=after)

    def describe(self, owner: str, observation_id: str, circumstances: Circumstances) -> None:
        """Replace where, when and by whom it was seen; raises `ObservationNotFound`."""
        self.settle(owner)
        self._history.describe(owner, observation_id, circumstances)

    def photo(self, owner: str, photo_id: str) -> bytes:
        """Return a kept photo's JPEG; raises `PhotoNotFound` or `PhotoDamaged`."""
        self.settle(owner)
        return self._photos.get(owner, photo_id)

    def determine(
        self,
        owner: str,
        observation_id: str,
        decision: Decision,
        *,
        include_sandbox: bool = False,
    ) -> Determination:
        """Add what a person decided, and return it as it is kept.

        What rests on a sandbox's answer raises `SandboxNotBotany` unless ``include_sandbox`` asks for
        it, and is then marked. Raises `NotSuggested` where the provider did not suggest that,
        `NameUnparsable` for a name of the person's own that is none, `ObservationNotFound`.
        """
        observed = self.get(owner, observation_id)
        basis = basis_of(observed, decision)
        if basis.sandbox and decision.action != "rejected" and not include_sandbox:
            raise SandboxNotBotany(
                basis.sandbox,
                "This name comes from the sandbox, which knows no botany."
                " Ask for sandbox answers to be included, to practise with it; it stays marked.",
            )
        made = Determination(
            id=uuid.uuid4().hex,
            made_at=self._now(),
            made_by=decision.made_by or observed.circumstances.recorded_by or owner,
            action=decision.action,
            taxon=basis.taxon,
            provider=None if decision.action == "rejected" else decision.provider,
            score=basis.score,
            sandbox=bool(basis.sandbox),
            note=decision.note,
        )
        self._history.determine(owner, observation_id, made)
        return made

    def forget(self, owner: str, ids: Iterable[str]) -> Deleted:
        """Delete these observations, the photos that no other one of the owner's needs, cached answers."""
        self.settle(owner)
        with self._turns.take([owner]):
            forgotten = self._history.delete(owner, ids)
            gone = self._drop_photos(owner, forgotten.photo_ids)
        return self._deleted(forgotten, gone)

    def forget_all(self, owner: str) -> Deleted:
        """Delete all that is the owner's: observations, every photo, cached answers."""
        self.settle(owner)
        with self._turns.take([owner]):
            forgotten = self._history.delete_all(owner)
            gone = self._photos.delete_all(owner)
        return self._deleted(forgotten, gone)

    def expire(self) -> Deleted:
        """Delete everybody's observations that are older than is kept."""
        if self._keep_days is None:
            return Deleted(0, 0)
        before = self._now() - dt.timedelta(days=self._keep_days)
        observations = photos = still_cached = 0
        with self._turns.take(self._history.owners()):
            for owner, forgotten in self._history.expire(before).items():
                observations += forgotten.observations
                photos += self._drop_photos(owner, forgotten.photo_ids)
                still_cached += len(self._cache.forget(forgotten.cache_keys))
        return Deleted(observations, photos, still_cached)

    def expire_if_due(self) -> None:
        """Do `expire` the first time, and then at most once an hour; where it fails, it is logged.

        A disk that takes no change is no reason not to read what is there.
        """
        if self._keep_days is None or not self._expiring.acquire(blocking=False):
            return
        try:
            last = self._expired_at
            if last is None or time.monotonic() - last >= _EXPIRY_EVERY_S:
                self._expired_at = time.monotonic()
                self.expire()
        except PlantIDError as error:
            shout("expiry_failed", reason=type(error).__name__)
        finally:
            self._expiring.release()

    def export(
        self,
        owner: str,
        path: Path,
        file_format: Format,
        *,
        wanted: Filter = EVERYTHING,
        include_sandbox: bool = False,
        with_photos: bool = False,
    ) -> tuple[Path, Exported]:
        """Write the owner's observations for others to read; return where they are, and what is there.

        ``csv`` is `export.observations`, ``dwca`` a Darwin Core Archive, with photos in it where they
        are asked for. Places of sensitive plants are not told exactly. With sandbox answers the file's
        name ends in ``-sandbox``. The file appears whole or not at all; raises `NothingToExport`,
        and `PlantIDError` where it cannot be written.
        """
        if include_sandbox and not path.stem.endswith(SANDBOX_SUFFIX):
            path = path.with_stem(f"{path.stem}{SANDBOX_SUFFIX}")
        self.settle(owner)
        sensitive = Sensitive(self._rules(), self._names)
        terms = Terms(self._names, sensitive, include_sandbox, self._calibration)
        observations = self._history.all(owner, wanted)
        if wanted.verified is not None and not include_sandbox:
            # Practice on the sandbox verifies nothing, though it is the last word in the history.
            everyone = self._history.all(owner, replace(wanted, verified=None))
            observations = (one for one in everyone if _is_verified(one) is wanted.verified)
        load = (lambda photo_id: self.photo(owner, photo_id)) if with_photos else None
        with whole_file(path) as file:
            if file_format == "csv":
                done = save_csv(file, observations, terms)
            else:
                done = write_archive(file, observations, terms, now=self._now(), load_photo=load)
            if not done.observations:
                raise NothingToExport(done.left_out)
        return path, done

    def export_mine(self, owner: str, path: Path) -> Exported:
        """Write all that is the owner's, exactly as it is kept, into one ZIP for its owner."""
        self.settle(owner)
        with whole_file(path) as file:
            return write_mine(
                file,
                self._history.all(owner),
                Terms(self._names, None, include_sandbox=True),
                [photo.photo_id for photo in self._photos.owned(owner)],
                lambda photo_id: self.photo(owner, photo_id),
            )

    def _deleted(self, forgotten: Forgotten, photos: int) -> Deleted:
        left = self._cache.forget(forgotten.cache_keys)
        return Deleted(forgotten.observations, photos, len(left))

    def _drop_photos(self, owner: str, photo_ids: Iterable[str]) -> int:
        gone = 0
        for photo_id in photo_ids:
            try:
                self._photos.delete(owner, photo_id)
            except PhotoNotFound:
                continue
            gone += 1
        return gone

    def _sweep(self, owner: str) -> None:
        """Delete the owner's photos that no observation needs: what a crash left."""
        needed = self._history.photo_ids(owner)
        owned = [photo.photo_id for photo in self._photos.owned(owner)]
        self._drop_photos(owner, [photo_id for photo_id in owned if photo_id not in needed])


def _nothing_to_settle(owner: str) -> None:
    del owner


def _is_verified(observed: Observed) -> bool:
    """Tell whether a person's confirmation or correction stands, were there no sandbox."""
    decided = [one for one in observed.determinations if not one.sandbox]
    return bool(decided) and decided[-1].action != "rejected"
