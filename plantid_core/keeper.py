"""Keeps outcomes without anybody's waiting: one thread writes what has gathered, all at once.

A disk's flush costs the same for one observation and for a hundred, so that those of some milliseconds
share one transaction (group commit: DeWitt et al., "Implementation Techniques for Main Memory Database
Systems", SIGMOD 1984, section 5.2).

What is promised. An answer that cost a credit is told to its person only once it is durable: whoever
`put`s it waits for the future. One that came wholly from memory, and can be had again for nothing, is
told at once; it is durable within 100 ms, and a crash within them loses it. A shutdown in order loses
nothing, and no reader of this process overtakes what is queued (`Collection.settle`).
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from plantid_core.errors import HistoryUnavailable, PlantIDError, StorageFailed
from plantid_core.store.history.limits import require_observed
from plantid_core.telemetry import shout

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plantid_core.collection import Collection, Keeping

# Half of what is promised: the other half is for the writing.
WINDOW_S = 0.05
PATIENCE_S = 30.0

_MOST, _MOST_BYTES = 1000, 64 << 20
_A_BATCH, _KNOWN = 500, 4096
_AGAIN_S = 0.5
_FLUSH_S = 10.0


@dataclass(frozen=True, slots=True)
class _Queued:
    """One observation that waits to be written; ``at`` is when it came, monotonic."""

    keeping: Keeping
    number: int
    at: float
    done: Future[None] = field(default_factory=Future)

    @property
    def owner(self) -> str:
        return self.keeping.observed.owner


class Keeper:
    """Writes to a collection on a thread of its own; safe to use from any threads.

    What has gathered for ``window_s`` seconds is written together, sooner where somebody waits for it.
    Where the disk or the database cannot be used it is tried again for ``patience_s`` seconds. One
    observation that cannot be kept takes none of the others with it.
    """

    def __init__(
        self,
        collection: Collection,
        *,
        window_s: float = WINDOW_S,
        patience_s: float = PATIENCE_S,
        most: int = _MOST,
        most_bytes: int = _MOST_BYTES,
    ) -> None:
        self._collection = collection
        self._window_s, self._patience_s = window_s, patience_s
        self._most, self._most_bytes = most, most_bytes
        self._queue: deque[_Queued] = deque()
        self._photos: Counter[str] = Counter()
        self._bytes = 0
        self._known: dict[tuple[str, str], None] = {}
        self._owners: Counter[str] = Counter()
        lock = threading.Lock()
        # Two reasons to wait: something is to be done (the writer's), something was done (everybody's).
        self._changed, self._settled = threading.Condition(lock), threading.Condition(lock)
        self._put = self._failed = self._writing = 0
        self._hurried = self._closing = self._troubled = False
        self._thread: threading.Thread | None = None
        collection.settle = self.flush

    @property
    def queued(self) -> int:
        """Return how many observations are not written yet."""
        return self._owners.total()

    @property
    def failed(self) -> int:
        """Return how many observations could not be kept."""
        return self._failed

    @property
    def troubled(self) -> bool:
        """Tell whether the last attempt to write found the disk or the database unusable."""
        return self._troubled

    @property
    def crowded(self) -> bool:
        """Tell whether so much is queued that whoever adds to it should wait for what they add."""
        return len(self._queue) >= self._most or self._bytes >= self._most_bytes

    def knows(self, keeping: Keeping) -> bool:
        """Tell whether photos like these were kept for the owner, as far as this process remembers."""
        owner = keeping.observed.owner
        return all((owner, photo.sha256) in self._known for photo in keeping.photos)

    def put(self, keeping: Keeping, *, awaited: bool = False) -> Future[None]:
        """Queue an observation; the future tells when it is durable, or why it cannot be kept.

        ``awaited`` says that somebody waits for the future. Raises `ObservationRefused`,
        `StorageFailed` where nothing can be written and the queue is full, `PlantIDError` once closed.
        """
        require_observed(keeping.observed)
        with self._changed:
            if self._closing:
                raise PlantIDError("The app is closing: nothing more is kept.")
            if self._troubled and self.crowded:
                raise StorageFailed("busy", "Too much waits to be kept: try again in a moment.")
            self._put += 1
            queued = _Queued(keeping, self._put, time.monotonic())
            first = not self._queue
            # From now on nobody who waits in vain can cancel it.
            queued.done.set_running_or_notify_cancel()
            self._queue.append(queued)
            self._count(queued, 1)
            self._hurried |= awaited
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)
                self._thread.start()
            elif first or awaited:
                self._changed.notify()
        return queued.done

    def flush(self, owner: str | None = None, within_s: float = _FLUSH_S) -> bool:
        """Wait until all that is queued now is written; tell whether it is.

        With an owner there is nothing to wait for unless something of theirs is queued. Nobody waits
        for a disk or a database that cannot be used.
        """
        if not (self._owners[owner] if owner is not None else self._owners.total()):
            return True
        if threading.current_thread() is self._thread:
            return False
        with self._settled:
            wanted = self._put
            self._hurried = True
            self._changed.notify()
            self._settled.wait_for(lambda: self._troubled or self._oldest() > wanted, within_s)
            return self._oldest() > wanted

    def close(self) -> None:
        """Write what is queued, and take nothing more; what cannot be written now is lost, and told."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _oldest(self) -> int:
        """Return the number of the first that is not settled; the lock is held."""
        if self._writing:
            return self._writing
        return self._queue[0].number if self._queue else self._put + 1

    def _run(self) -> None:
        while batch := self._gathered():
            again = self._write(batch)
            with self._changed:
                self._queue.extendleft(reversed(again))
                self._writing = 0
                self._settled.notify_all()
                if again and not self._closing:
                    self._changed.wait(_AGAIN_S)

    def _gathered(self) -> list[_Queued]:
        """Return what is to be written together, once it has gathered; nothing at the end."""
        with self._changed:
            while not self._queue and not self._closing:
                self._changed.wait()
            if not self._queue:
                return []
            until = self._queue[0].at + self._window_s
            while not self._hurried and not self._closing:
                left = until - time.monotonic()
                if left <= 0 or len(self._queue) >= _A_BATCH:
                    break
                self._changed.wait(left)
            batch = [self._queue.popleft() for _ in range(min(_A_BATCH, len(self._queue)))]
            self._hurried = self._hurried and bool(self._queue)
            self._writing = batch[0].number
            return batch

    def _write(self, batch: Sequence[_Queued]) -> list[_Queued]:
        """Write them, together or else one by one; return those that are to be tried again."""
        try:
            self._collection.keep_all([one.keeping for one in batch])
        except (HistoryUnavailable, StorageFailed) as error:
            return self._later(batch, error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the others' rows go on
            if len(batch) > 1:
                return [left for one in batch for left in self._write([one])]
            self._give_up(batch[0], error)
            return []
        self._troubled = False
        for one in batch:
            for photo in one.keeping.photos:
                self._known[one.owner, photo.sha256] = None
            self._settle(one)
            one.done.set_result(None)
        while len(self._known) > _KNOWN:
            del self._known[next(iter(self._known))]
        return []

    def _later(self, batch: Sequence[_Queued], error: PlantIDError) -> list[_Queued]:
        self._troubled = True
        before = time.monotonic() - self._patience_s
        late = [one for one in batch if self._closing or one.at <= before]
        for one in late:
            self._give_up(one, error)
        return [] if self._closing else [one for one in batch if one.at > before]

    def _give_up(self, one: _Queued, error: Exception) -> None:
        self._failed += 1
        shout("keep_failed", error=type(error).__name__, reason=getattr(error, "reason", ""))
        self._settle(one)
        one.done.set_exception(error)

    def _settle(self, one: _Queued) -> None:
        with self._changed:
            self._count(one, -1)

    def _count(self, one: _Queued, step: int) -> None:
        """Count what is queued; a photo that many have is there once."""
        self._owners[one.owner] += step
        if not self._owners[one.owner]:
            del self._owners[one.owner]
        for photo in one.keeping.photos:
            before = self._photos[photo.sha256]
            self._photos[photo.sha256] += step
            if not (before and self._photos[photo.sha256]):
                self._bytes += step * len(photo.jpeg)
            if not self._photos[photo.sha256]:
                del self._photos[photo.sha256]
