"""Callers of the app's API: what is known, what is new, what is hostile, and what was kept."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import requests

from plantid_core.drill.photos import photo

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from plantid_core.lab.attacks import Attack

_KNOWN, _NEW = 20, 400
_FIRST_NEW = 6000
_DAY_ONE, _DAYS = dt.date(2000, 1, 1), 9000
_SHARES = {"known": 0.55, "new": 0.15, "hostile": 0.1, "read": 0.15, "delete": 0.05}
# One caller's history; the app's is as large as all of theirs, and no larger.
_MOST_KEPT = 100
_PATIENCE_S = 40.0
_PAGE = 100


class Book:
    """What came of all requests; written by any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.requests: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.unanswered: list[str] = []
        self.kept: set[str] = set()
        self.degraded: Counter[str] = Counter()
        self.slowest_ms = 0.0

    def note(self, kind: str, fault: str | None, seconds: float) -> None:
        """Write down one request; ``fault`` is why it counts as not answered."""
        with self._lock:
            self.requests[kind] += 1
            self.slowest_ms = max(self.slowest_ms, seconds * 1e3)
            if fault is None:
                self.answered[kind] += 1
            else:
                self.unanswered.append(f"{kind}: {fault}")

    def keep(self, answer: dict[str, object]) -> str | None:
        """Write down an identification that was acknowledged as kept; return its id."""
        found = answer.get("degraded")
        degraded = [str(part) for part in found] if isinstance(found, list) else []
        with self._lock:
            self.degraded.update(degraded)
            if "history" in degraded:
                return None
            self.kept.add(str(answer["id"]))
        return str(answer["id"])

    def forget(self, one: str) -> None:
        """Write down that an identification was deleted."""
        with self._lock:
            self.kept.discard(one)

    def total(self) -> int:
        """Return how many requests there were."""
        with self._lock:
            return self.requests.total()


class Callers:
    """Threads that ask at a steady rate together, until they are ended."""

    def __init__(self, url: str, token: str, *, threads: int, rate: float, seed: int) -> None:
        self.book = Book()
        self._url, self._token = url, token
        self._over = threading.Event()
        seeds = np.random.SeedSequence(seed).spawn(threads)
        self._threads = [
            threading.Thread(
                target=self._run, args=(np.random.default_rng(one), threads / rate), daemon=True
            )
            for one in seeds
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.end()

    def end(self) -> None:
        """Let every request under way come to its end, and begin no other."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def lost(self) -> list[str]:
        """Return the ids that were acknowledged as kept, not deleted since, and are not there."""
        with _session(self._token) as session:
            found: set[str] = set()
            after: str | None = ""
            while after is not None:
                query = {"limit": str(_PAGE)} | ({"after": after} if after else {})
                answer = session.get(
                    f"{self._url}/api/v1/identifications", params=query, timeout=_PATIENCE_S
                )
                answer.raise_for_status()
                page = answer.json()
                found |= {str(one["id"]) for one in page["identifications"]}
                after = page["after"]
        return sorted(self.book.kept - found)

    def _run(self, random: np.random.Generator, every_s: float) -> None:
        with _session(self._token) as session:
            caller = _Caller(self._url, session, self.book, random)
            due = time.monotonic() + random.uniform(0, every_s)
            while not self._over.wait(max(0.0, due - time.monotonic())):
                caller.ask()
                due = max(due + every_s, time.monotonic() - 2 * every_s)


class _Caller:
    """One of them, with a history of its own making."""

    def __init__(
        self, url: str, session: requests.Session, book: Book, random: np.random.Generator
    ) -> None:
        from plantid_core.lab.attacks import ATTACKS

        self._url, self._session, self._book, self._random = f"{url}/api/v1", session, book, random
        # A client of HTTP writes a line break in a name in other words, and then it is none.
        self._attacks: list[Attack] = [
            one for one in ATTACKS if one.expect == "reject" and one.filename.isprintable()
        ]
        self._mine: list[str] = []

    def ask(self) -> None:
        """Do one of the things that callers do."""
        kind = str(self._random.choice(list(_SHARES), p=list(_SHARES.values())))
        if len(self._mine) > _MOST_KEPT:
            kind = "delete"
        elif kind in {"read", "delete"} and not self._mine:
            kind = "known"
        acts: dict[str, Callable[[], str | None]] = {
            "known": self._known,
            "new": self._new,
            "hostile": self._hostile,
            "read": self._read,
            "delete": self._delete,
        }
        began = time.monotonic()
        try:
            fault = acts[kind]()
        except (requests.RequestException, ValueError, KeyError) as error:
            fault = type(error).__name__
        self._book.note(kind, fault, time.monotonic() - began)

    def _known(self) -> str | None:
        return self._identify(int(self._random.integers(_KNOWN)), {})

    def _new(self) -> str | None:
        day = _DAY_ONE + dt.timedelta(days=int(self._random.integers(_DAYS)))
        number = _FIRST_NEW + int(self._random.integers(_NEW))
        return self._identify(number, {"date": day.isoformat()})

    def _identify(self, number: int, fields: dict[str, str]) -> str | None:
        file = photo(number)
        answer = self._session.post(
            f"{self._url}/identify",
            files={"images": (file.filename, file.data, "image/jpeg")},
            data=fields,
            timeout=_PATIENCE_S,
        )
        if not answer.ok:
            return _said(answer)
        if (kept := self._book.keep(answer.json())) is not None:
            self._mine.append(kept)
        return None

    def _hostile(self) -> str | None:
        attack = self._attacks[int(self._random.integers(len(self._attacks)))]
        file = attack.upload()
        tail = self._random.bytes(8)  # so that no kept verdict spares the chain
        answer = self._session.post(
            f"{self._url}/identify",
            files={"images": (file.filename, file.data + tail, "image/jpeg")},
            timeout=_PATIENCE_S,
        )
        refused = requests.codes.bad_request <= answer.status_code < requests.codes.server_error
        return None if refused else f"{attack.id} {_said(answer)}"

    def _read(self) -> str | None:
        one = self._mine[int(self._random.integers(len(self._mine)))]
        answer = self._session.get(f"{self._url}/identifications/{one}", timeout=_PATIENCE_S)
        if not answer.ok:
            return _said(answer)
        return None if answer.json()["id"] == one else "another identification"

    def _delete(self) -> str | None:
        one = self._mine[0]
        # Before it is asked for: an answer that got lost leaves open whether it is still there.
        self._book.forget(one)
        answer = self._session.delete(f"{self._url}/identifications/{one}", timeout=_PATIENCE_S)
        if not answer.ok:
            return _said(answer)
        self._mine.pop(0)
        return None


def _said(answer: requests.Response) -> str:
    with_detail = answer.headers.get("content-type", "").endswith("json")
    body = answer.json() if with_detail else {}
    return f"{answer.status_code} {str(body.get('detail') or body.get('rung') or '')[:120]}".strip()


def _session(token: str) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    session.headers["Authorization"] = f"Bearer {token}"
    return session
