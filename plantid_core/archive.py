"""What outlasts a request: the collection, the people, and what writes to it behind everybody's back."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, TypedDict

from plantid_core import parts
from plantid_core.store.history.values import Circumstances

if TYPE_CHECKING:
    from concurrent.futures import Future

    from plantid_core.access.registry import Registry
    from plantid_core.at_hand import Answered
    from plantid_core.collection import Collection
    from plantid_core.compare.calibration import Calibration
    from plantid_core.compare.names.values import Reconciler
    from plantid_core.keeper import Keeper
    from plantid_core.resilience.cache import Cache
    from plantid_core.settings import Settings
    from plantid_core.store.history.engine import Database


class HistoryState(TypedDict):
    """Observations that wait to be written, and those that could not be kept."""

    queued: int
    failed: int


class Archive:
    """One database and what is in it, each part opened on its first use; safe to use from any thread."""

    def __init__(
        self, settings: Settings, cache: Cache, names: Reconciler, calibration: Calibration
    ) -> None:
        self._settings, self._cache = settings, cache
        self._names, self._calibration = names, calibration
        self._lock = threading.RLock()
        self._stack = ExitStack()
        self._collection: Collection | None = None
        self._access: Registry | None = None
        self._database: Database | None = None
        self._keeper: Keeper | None = None

    def close(self) -> None:
        """Write what waits, and let go of every part."""
        self._stack.close()

    @property
    def collection(self) -> Collection:
        """Return what people keep."""
        with self._lock:
            if self._collection is None:
                self._collection = parts.make_collection(
                    self._settings, self._cache, self._names, self._calibration, self._shared()
                )
                self._stack.callback(self._collection.close)
            return self._collection

    @property
    def access(self) -> Registry:
        """Return who people are, their tokens and the keys."""
        # Asked with each request: mostly without a lock.
        if self._access is None:
            with self._lock:
                if self._access is None:
                    registry = parts.make_registry(self._settings, self._shared())
                    self._stack.callback(registry.close)
                    self._access = registry
        return self._access

    @property
    def keeper(self) -> Keeper:
        """Return what writes to the collection without anybody's waiting."""
        if self._keeper is None:
            from plantid_core.keeper import Keeper

            with self._lock:
                if self._keeper is None:
                    keeper = Keeper(self.collection)
                    self._stack.callback(keeper.close)
                    self._keeper = keeper
        return self._keeper

    @property
    def keeps_at_once(self) -> bool:
        """Tell whether `keep_soon` has nothing to load or to open."""
        return self._keeper is not None

    @property
    def troubled(self) -> bool:
        """Tell whether what waits to be written cannot be."""
        return self._keeper is not None and self._keeper.troubled

    def state(self) -> HistoryState:
        """Return how many observations wait to be written, and how many could not be."""
        if self._keeper is None:
            return {"queued": 0, "failed": 0}
        return {"queued": self._keeper.queued, "failed": self._keeper.failed}

    def keep_soon(self, answered: Answered, owner: str) -> Future[None] | None:
        """Keep an answer without waiting for it.

        Returns what to wait for before the answer is told: it was paid for, or nobody knows yet whether
        its photos can be kept. None where it will be durable in a moment; see `keeper`. Raises what
        `Keeper.put` raises.
        """
        asked = answered.asked
        keeping = self.collection.keeping(
            owner,
            answered.outcome,
            answered.photos,
            [picture.organ for picture in asked.pictures],
            circumstances=Circumstances(
                asked.date, asked.place, None, self._settings.recorded_by, self._settings.licence
            ),
            language=asked.language,
            cache_keys=answered.cache_keys,
        )
        awaited = answered.paid or self.keeper.crowded or not self.keeper.knows(keeping)
        kept = self.keeper.put(keeping, awaited=awaited)
        return kept if awaited else None

    def _shared(self) -> Database:
        if self._database is None:
            self._database = parts.make_database(self._settings)
            self._stack.callback(self._database.close)
        return self._database
