"""People who ask: two a second for as long as the demo lasts, and a thousand at once.

They bring a few photos that are soon known. Now and then one asks something that nobody has asked
before: the same plant on another day, which costs the emulated services no model time.
"""

from __future__ import annotations

import datetime as dt
import itertools
import secrets
import threading
import time
from typing import TYPE_CHECKING

from plantid_core.errors import PlantIDError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from plantid_core.upload import Upload
    from plantid_core.web.stage.ticker import Ticker
    from plantid_core.workbench import Workbench

PEOPLE = 1000
PER_S = 2.0
LONGEST_S = 900.0
# One in so many asks something new. What is known is answered whatever is broken, so a fault is met by
# newcomers alone; but a service's free plan has 500 requests a day, and a show must not use them up.
ALL_NEW, MANY_NEW, FEW_NEW = 1, 4, 24

_PHOTOS = 6
_AT_ONCE, _CROWD_THREADS = 16, 24
_SAME_NEW_EVERY = 5
_DAY_ONE, _DAYS = dt.date(1000, 1, 1), 300_000


class Traffic:
    """Asks the workbench from threads of its own; every answer goes to the ticker.

    ``new_every`` tells how many come for each that asks something new, at the moment.
    """

    def __init__(
        self, workbench: Workbench, ticker: Ticker, new_every: Callable[[], int] = lambda: FEW_NEW
    ) -> None:
        self._workbench, self._ticker, self._new_every = workbench, ticker, new_every
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._over.set()
        self._crowd_over = threading.Event()
        self._left = 0
        self._days = itertools.count(secrets.randbelow(_DAYS))

    @property
    def running(self) -> bool:
        """Tell whether the steady traffic is on."""
        return not self._over.is_set()

    @property
    def left(self) -> int:
        """Return how many of the crowd are not yet answered."""
        return self._left

    def begin(self, longest_s: float = LONGEST_S) -> None:
        """Begin the steady traffic, for ``longest_s`` seconds at most; nothing new where it is on."""
        with self._lock:
            if self.running:
                return
            over = self._over = threading.Event()
        until = time.monotonic() + longest_s
        threading.Thread(
            target=self._flow, args=(over, until), name="stage-traffic", daemon=True
        ).start()

    def crowd(self, people: int = PEOPLE) -> None:
        """Have so many ask at once; raises `PlantIDError` while an earlier crowd is there."""
        with self._lock:
            if self._left:
                raise PlantIDError(f"{self._left:,} of the last crowd still wait; let them finish.")
            self._left = people
            over = self._crowd_over = threading.Event()
        same = self._new_day()
        queue = iter(range(people))
        for _ in range(min(people, _CROWD_THREADS)):
            threading.Thread(
                target=self._stand_in_line,
                args=(queue, same, over),
                name="stage-crowd",
                daemon=True,
            ).start()

    def end(self) -> None:
        """Let nobody ask any more; who has asked is still answered, and counted."""
        with self._lock:
            self._over.set()
            self._crowd_over.set()
            self._left = 0

    def _flow(self, over: threading.Event, until: float) -> None:
        seats = threading.BoundedSemaphore(_AT_ONCE)
        photos = itertools.cycle(_photos())
        for number in itertools.count():
            if over.wait(1 / PER_S) or time.monotonic() > until:
                break
            # Everybody is known once before the first newcomer.
            new = number >= _PHOTOS and number % self._new_every() == 0
            if seats.acquire(blocking=False):
                day = self._new_day() if new else None
                threading.Thread(
                    target=self._seated, args=(seats, next(photos), day), daemon=True
                ).start()
        over.set()

    def _seated(
        self, seats: threading.BoundedSemaphore, photo: Upload, day: dt.date | None
    ) -> None:
        try:
            self._ask(photo, day)
        finally:
            seats.release()

    def _stand_in_line(self, queue: Iterator[int], same: dt.date, over: threading.Event) -> None:
        photos = _photos()
        while not over.is_set():
            with self._lock:
                number = next(queue, None)
            if number is None:
                return
            day = same if number % _SAME_NEW_EVERY == 0 else None
            self._ask(photos[0 if day else number % _PHOTOS], day)
            with self._lock:
                if not over.is_set():
                    self._left -= 1

    def _ask(self, photo: Upload, day: dt.date | None) -> None:
        began = time.perf_counter()
        try:
            rung = self._workbench.identify([photo], date=day, user="stage").rung
        except Exception:  # noqa: BLE001 - whatever it was, somebody got no answer: that is counted
            rung = "none"
        self._ticker.count(rung, (time.perf_counter() - began) * 1e3)

    def _new_day(self) -> dt.date:
        return _DAY_ONE + dt.timedelta(days=next(self._days) % _DAYS)


def _photos() -> list[Upload]:
    from plantid_core.drill.photos import photo

    return [photo(number) for number in range(_PHOTOS)]
