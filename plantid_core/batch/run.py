"""One batch from its folder to its table: who is asked what and when, and when it is enough."""

from __future__ import annotations

import hashlib
import os
import time
from collections import Counter
from itertools import count
from typing import TYPE_CHECKING

from plantid_core.batch import table
from plantid_core.batch.folder import LeftOut, photos_in, read
from plantid_core.batch.journal import UNREADABLE
from plantid_core.batch.journal_values import Choice
from plantid_core.batch.order import Done, Estimate, Progress
from plantid_core.batch.standing import Standings
from plantid_core.batch.told import Job, final
from plantid_core.errors import UploadRejected
from plantid_core.parts import require_known
from plantid_core.upload.chain import precheck
from plantid_core.upload.policy import Policy

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from plantid_core.batch.journal import Journal
    from plantid_core.batch.journal_values import Waiting
    from plantid_core.batch.order import Order, Stopped
    from plantid_core.batch.table import Written
    from plantid_core.batch.team import Service, Team
    from plantid_core.batch.told import Told
    from plantid_core.plants import Answer
    from plantid_core.upload import Upload

_GUESSED_S = 1.0
_LOOK_AGAIN_S = 0.2
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0


def chosen(services: Sequence[Service], names: Sequence[str] | None) -> tuple[str, ...]:
    """Return the providers in the order of the columns; raises `PlantIDError` for an unknown one."""
    known = tuple(service.name for service in services)
    require_known(names or (), known)
    return tuple(name for name in known if not names or name in names)


def require_folder(directory: Path) -> None:
    """Raise `InputUnreadable` where there is no such folder."""
    next(photos_in(directory, LeftOut()), None)


def choice(order: Order, services: Sequence[Service]) -> Choice:
    """Return what the journal must have been begun with."""
    sandbox = (one.name for one in services if one.sandbox and one.name in order.providers)
    directory = str(order.directory.resolve())
    return Choice(directory, order.providers, tuple(sandbox), order.language)


def prepare(journal: Journal, order: Order, tell: Callable[[int], None] | None = None) -> Estimate:
    """Take down the folder's photos and return what is to be done; nobody is asked.

    Of files that may be the same, those of one size, the content is compared; ``tell`` hears how many
    have been. Raises `InputUnreadable`.
    """
    left_out, policy = LeftOut(), Policy()
    journal.note(photos_in(order.directory, left_out))
    for number, path in enumerate(journal.alike(), start=1):
        _keyed(journal, order.directory, path, policy)
        if tell is not None:
            tell(number)
    journal.commit()
    counts, calls = journal.counts(), Counter[str]()
    left = 0
    for answers in journal.unsettled():
        left += 1
        calls.update(_missing(order.providers, answers))
    seconds = left * (journal.took_s() or _GUESSED_S) / order.concurrency
    by_name = {name: calls[name] for name in order.providers}
    return Estimate(
        counts.photos, counts.distinct, counts.settled, counts.refused, left_out.files,
        by_name, journal.spent(), seconds,
    )  # fmt: skip


def run(
    team: Team,
    journal: Journal,
    order: Order,
    *,
    tell: Callable[[Progress], None] | None = None,
    stop: threading.Event,
) -> Done:
    """Ask every photo that is not settled, until all are, or nobody is left who would answer soon.

    Once ``stop`` is set none is begun any more, those under way end. Whatever raises, what ended before
    is kept. Raises what the team and the journal raise.
    """
    return _Run(team, journal, order, tell, stop).work()


def write(path: Path, journal: Journal, order: Order, done: Done) -> Written:
    """Write the table of all photos; raises `TableNotWritten`."""
    why = "nobody was asked"
    if done.stopped == "credits":
        why = f"not asked: the bound of {order.max_credits:,} credits was reached"
    return table.write(path, journal.lines(), order.providers, done.silent, why)


def _missing(providers: Iterable[str], answers: Iterable[Answer]) -> tuple[str, ...]:
    there = {answer.provider for answer in answers if final(answer)}
    return tuple(name for name in providers if name not in there)


def _keyed(
    journal: Journal, directory: Path, path: bytes, policy: Policy
) -> tuple[str, Upload] | None:
    """Return a photo's key and content, and take down the key; None where it is refused."""
    try:
        upload = read(directory, path, policy)
        promised = precheck(upload.data, upload.filename, policy)
    except UploadRejected as rejected:
        journal.refuse(path, rejected.code, str(rejected))
        return None
    except OSError as error:
        journal.refuse(path, UNREADABLE, f"It cannot be read: {error.strerror}.")
        return None
    key = f"{hashlib.sha256(upload.data).hexdigest()}:{promised}"
    journal.name(path, key)
    return key, upload


class _Run:
    def __init__(
        self,
        team: Team,
        journal: Journal,
        order: Order,
        tell: Callable[[Progress], None] | None,
        stop: threading.Event,
    ) -> None:
        self._team, self._journal, self._order, self._tell = team, journal, order, tell
        self._stop = stop
        self._policy = Policy()
        self._standings = Standings.of(order.providers, order.patience_s)
        self._under_way: dict[str, int] = {}
        self._held: Job | None = None
        self._out_of_credits = False
        self._spent = self._spent_before = journal.spent()
        self._began = time.monotonic()
        counts = journal.counts()
        self._total, self._done = counts.photos, counts.photos - counts.left
        self._done_before, self._asked, self._settled = self._done, 0, 0

    def work(self) -> Done:
        fruitless, settled_at = 0, time.monotonic()
        for turn in count(1):
            self._settled = 0
            self._take_turn(turn)
            now = time.monotonic()
            if self._settled:
                fruitless, settled_at = 0, now
            waiting = self._waited_for()
            rest_s = self._standings.rest_s(waiting, now)
            if rest_s is None or now - settled_at > self._order.patience_s:
                break
            if not rest_s and not self._settled:
                # Nobody asked for a pause, but something here was too busy.
                rest_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2**fruitless)
                fruitless += 1
            if not self._ended():
                self._stop.wait(rest_s)
            if self._ended():
                break
        return self._told()

    def _ended(self) -> bool:
        return self._stop.is_set() or self._out_of_credits

    def _take_turn(self, turn: int) -> None:
        following = self._jobs(turn)
        while True:
            begun = self._fill(following, turn)
            # Durable before it is asked, and what ended before it counts.
            self._journal.commit()
            for job in begun:
                self._team.submit(job)
            self._say()
            if not self._under_way:
                return
            told = self._team.next(_LOOK_AGAIN_S)
            while told is not None:
                self._take(told)
                told = self._team.next(0)

    def _fill(self, following: Iterator[Job], turn: int) -> list[Job]:
        """Return jobs until the window is full, their calls reserved."""
        begun: list[Job] = []
        while len(self._under_way) < self._team.window and not self._ended():
            self._held = self._held or next(following, None)
            if self._held is None:
                break
            job = self._held
            if not self._affordable(job.calls):
                # What is under way may turn out to cost less than was reserved for it.
                self._out_of_credits = not self._under_way
                break
            self._held = None
            self._journal.reserve(job.key, job.calls, turn)
            self._under_way[job.key] = job.calls
            self._asked += 1
            begun.append(job)
        return begun

    def _affordable(self, calls: int) -> bool:
        most = self._order.max_credits
        reserved = sum(self._under_way.values())
        return not calls or most is None or self._spent + reserved + calls <= most

    def _jobs(self, turn: int) -> Iterator[Job]:
        for photo in self._journal.waiting(turn):
            if self._ended():
                return
            job = self._job(photo, turn)
            if job is not None:
                yield job

    def _job(self, photo: Waiting, turn: int) -> Job | None:
        if photo.key is not None and not self._wanted(photo.key, turn):
            return None
        keyed = _keyed(self._journal, self._order.directory, photo.path, self._policy)
        if keyed is None:
            self._done += 1
            return None
        key, upload = keyed
        wanted = self._wanted(key, turn)
        if wanted is None:
            # Where its content has just turned out to be that of a settled photo, it is done.
            kept = self._journal.kept(key) if key != photo.key else None
            self._done += kept is not None and kept.settled
            return None
        ask, known = wanted
        earlier = tuple(answer for answer in known if answer.provider not in ask)
        name = os.path.basename(upload.filename)  # noqa: PTH119 - a name, not a path
        order = self._order
        return Job(
            key, name, upload.data, ask, order.providers, order.language, earlier, order.user
        )

    def _wanted(self, key: str, turn: int) -> tuple[tuple[str, ...], tuple[Answer, ...]] | None:
        """Return who is to be asked, and what is known; None where it is not to be asked now."""
        kept = self._journal.kept(key)
        # What is under way was reserved in this turn.
        if kept is not None and (kept.settled or kept.turn >= turn):
            return None
        known = kept.answers if kept is not None else ()
        ask = self._standings.askable(_missing(self._order.providers, known), time.monotonic())
        return (ask, known) if ask else None

    def _take(self, told: Told) -> None:
        settled = self._journal.settle(told)
        del self._under_way[told.key]
        self._spent += told.cost
        self._standings.take(
            (answer for answer in told.answers if answer.provider in told.new), time.monotonic()
        )
        if settled:
            self._settled += 1
            self._done += self._journal.photos_of(told.key)

    def _waited_for(self) -> set[str]:
        waiting: set[str] = set()
        for answers in self._journal.unsettled():
            waiting.update(_missing(self._order.providers, answers))
            if len(waiting) == len(self._order.providers):
                break
        return waiting

    def _say(self) -> None:
        if self._tell is None:
            return
        elapsed_s = time.monotonic() - self._began
        done = self._done - self._done_before
        left_s = elapsed_s / done * (self._total - self._done) if done else None
        now = time.monotonic()
        silent = tuple(
            name for name, one in self._standings.each.items() if not one.may_be_asked(now)
        )
        self._tell(
            Progress(
                self._done, self._total, elapsed_s, left_s,
                self._spent, len(self._under_way), silent,
            )
        )  # fmt: skip

    def _told(self) -> Done:
        waiting = self._waited_for()
        silent = {
            name: one.last
            for name, one in self._standings.each.items()
            if one.last is not None and name in waiting
        }
        stopped: Stopped | None = None
        if self._out_of_credits:
            stopped = "credits"
        elif self._stop.is_set() and waiting:
            stopped = "interrupted"
        return Done(
            self._journal.counts(), self._spent, self._spent - self._spent_before,
            time.monotonic() - self._began, self._asked, stopped, silent,
        )  # fmt: skip
