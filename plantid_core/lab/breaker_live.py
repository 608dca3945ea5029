"""A breaker for real: a private sandbox, a small steady traffic through a breaker, for a few minutes.

It ends by itself: after `LONGEST_S`, when nobody has looked at it for `UNSEEN_S`, or with the process;
and there are at most `MOST` of them in one process.
"""

from __future__ import annotations

import queue
import shutil
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import requests
from pybreaker import CircuitBreakerListener

from plantid_core.errors import PlantIDError, ProviderUnavailable
from plantid_core.lab.breaker_live_book import Book, Entry
from plantid_core.resilience.breaker import Breaker, BreakerOpen
from plantid_core.sandbox.embedded import open_sandbox

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from plantid_core.lab.breaker_sim.protection import Protection
    from plantid_core.resilience.breaker_alarm import Alert

MOST: Final = 3
LONGEST_S: Final = 300.0
UNSEEN_S: Final = 75.0
RATE: Final = 5.0
TIMEOUT_S: Final = 2.0

Phase: TypeAlias = Literal["starting", "running", "ended", "failed"]
Press: TypeAlias = Literal["forced-open", "disabled", "auto", "open", "close"]

_CALLERS = 12
_TICK_S = 0.05
_FOREVER_S = 86_400.0
_END_S = 6.0
_SLOTS = threading.BoundedSemaphore(MOST)
_PRESSED: dict[Press, str] = {
    "forced-open": "held open by hand",
    "disabled": "held closed by hand",
    "auto": "left to itself again",
    "open": "opened by hand",
    "close": "closed by hand",
}


class TooManyLive(PlantIDError):
    """As many breakers run for real as this server allows."""

    def __init__(self) -> None:
        super().__init__(
            f"{MOST} live breakers run on this server already. Each ends after"
            f" {LONGEST_S / 60:.0f} minutes at most; try again then."
        )


@dataclass(frozen=True, slots=True)
class Faults:
    """What is wrong with the service: share of failing calls, latency (median), an outage, Retry-After."""

    error_rate: float = 0.0
    latency_s: float = 0.05
    outage: bool = False
    retry_after_s: float | None = None

    def body(self) -> dict[str, object]:
        """Return it as ``POST /_faults`` takes it."""
        error = {"status": 503, "rate": self.error_rate, "retry_after_s": self.retry_after_s}
        ms = self.latency_s * 1e3
        return {
            "service": "plant_id",
            "latency_ms": {"p50": ms, "p99": ms * 1.5},
            "errors": [error] if self.error_rate else [],
            "outages": [{"start_s": 0, "end_s": _FOREVER_S}] if self.outage else [],
        }

    def __str__(self) -> str:
        if self.outage:
            return "the service is out"
        named = f", Retry-After {self.retry_after_s:g} s" if self.retry_after_s else ""
        return f"{self.error_rate:.0%} errors{named}, {self.latency_s * 1e3:.0f} ms"


class Live(CircuitBreakerListener):
    """One live breaker and what is sent through it. Safe to use from any thread.

    ``models`` is a folder of the sandbox's models, if they have been built. Raises `TooManyLive`.
    """

    def __init__(
        self, protection: Protection, faults: Faults | None = None, *, models: Path | None = None
    ) -> None:
        if not _SLOTS.acquire(blocking=False):
            raise TooManyLive
        try:
            self._begin(protection, faults, models)
        except BaseException:
            _SLOTS.release()
            raise

    def _begin(self, protection: Protection, faults: Faults | None, models: Path | None) -> None:
        self.phase: Phase = "starting"
        self.error = ""
        self.book = Book()
        self.protection = protection
        self._faults, self._told = faults or Faults(), Faults(error_rate=-1.0)
        self._models = models
        self._breaker = self._made(protection)
        self._over = threading.Event()
        self._seen = time.monotonic()
        self._work: queue.Queue[None] = queue.Queue(_CALLERS)
        self._thread = threading.Thread(target=self._run, name="breaker-live", daemon=True)
        self._thread.start()

    def seen(self) -> None:
        """Tell that somebody still looks."""
        self._seen = time.monotonic()

    def stop(self) -> None:
        """End it, and wait until the sandbox is gone."""
        self._over.set()
        self._thread.join(_END_S)

    @property
    def running(self) -> bool:
        """Tell whether it has not ended."""
        return self.phase in {"starting", "running"}

    @property
    def left_s(self) -> float:
        """Return the seconds until it ends by itself."""
        return max(0.0, LONGEST_S - self.book.now())

    @property
    def state(self) -> str:
        """Return the breaker's state."""
        return self._breaker.state

    @property
    def mode(self) -> str:
        """Return whether it is held by hand; "auto" where it is not."""
        return self._breaker.mode

    def suffer(self, faults: Faults) -> None:
        """Have the service suffer from other faults, at the next tick."""
        self._faults = faults

    def use(self, protection: Protection) -> None:
        """Go on with a new breaker of other settings; it begins closed."""
        if protection != self.protection:
            self.protection, self._breaker = protection, self._made(protection)
            self.book.write("settings", "a new breaker, closed")
            self.book.turn("closed")

    def press(self, what: Press) -> None:
        """Take the breaker by hand: hold it open or closed, release it, open or close it once."""
        self.book.write("by hand", _PRESSED[what])
        if what == "open":
            self._breaker.open()
        elif what == "close":
            self._breaker.close()
        else:
            self._breaker.force(what)
        self.book.turn(self._breaker.state)

    def timeline(self) -> pd.DataFrame:
        """Return a row a second, as a simulated `Run` has them."""
        return self.book.timeline()

    def states(self) -> pd.DataFrame:
        """Return the states so far: ``begin_s``, ``end_s``, ``state``."""
        return self.book.states()

    def entries(self) -> list[Entry]:
        """Return the event log, the latest first."""
        return self.book.entries()

    def state_change(self, cb: object, old_state: object, new_state: object) -> None:
        """Hear of a change of state."""
        del old_state
        if cb is self._breaker:
            self.book.write("state", f"now {new_state}")
            self.book.turn(str(new_state))

    def _made(self, protection: Protection) -> Breaker:
        breaker = protection.breaker(alert=self._alerted)
        breaker.add_listener(self)
        return breaker

    def _alerted(self, alert: Alert) -> None:
        self.book.write("opened", f"{alert.cause}; for {alert.open_for_s:.1f} s")

    def _run(self) -> None:
        folder = None
        try:
            folder = Path(tempfile.mkdtemp(prefix="breaker-lab-"))
            if self._models is not None and self._models.is_dir():
                (folder / "models").symlink_to(self._models.absolute())
            with open_sandbox(folder) as sandbox:
                if not self._over.is_set():
                    self._play(sandbox.url)
            self.phase = "ended"
        except Exception as error:  # noqa: BLE001 - whatever it was, the page is told, and the slot is free
            known = isinstance(error, OSError | PlantIDError)  # requests' errors are OSErrors
            self.phase = "failed"
            self.error = str(error) if known else "Something unforeseen happened."
            self.book.write("failed", "the sandbox could not be had")
        finally:
            self._over.set()
            if folder is not None:
                _remove(folder)
            _SLOTS.release()

    def _play(self, url: str) -> None:
        callers = [
            threading.Thread(target=self._serve, args=(url,), name="breaker-caller", daemon=True)
            for _ in range(_CALLERS)
        ]
        for caller in callers:
            caller.start()
        self.book.begin()
        self.phase = "running"
        due = 0.0
        why = "its time is up"
        with requests.Session() as session:
            session.trust_env = False
            while not self._over.wait(_TICK_S) and self.book.now() < LONGEST_S:
                if time.monotonic() - self._seen > UNSEEN_S:
                    why = "nobody was looking"
                    break
                self._tell(session, url)
                while due <= self.book.now():
                    due += 1 / RATE
                    # All callers are waiting for answers: the request is one too many.
                    with suppress(queue.Full):
                        self._work.put_nowait(None)
                self.book.turn(self._breaker.state)
        self.book.write("end", "stopped" if self._over.is_set() else why)
        self.book.end()
        self._over.set()
        for caller in callers:
            caller.join(_END_S)

    def _tell(self, session: requests.Session, url: str) -> None:
        wanted = self._faults
        if wanted == self._told:
            return
        session.post(f"{url}/_faults", json=wanted.body(), timeout=TIMEOUT_S).raise_for_status()
        self._told = wanted
        self.book.write("service", str(wanted))

    def _serve(self, url: str) -> None:
        with requests.Session() as session:
            session.trust_env = False
            while not self._over.is_set():
                with suppress(queue.Empty):
                    self._work.get(timeout=_TICK_S)
                    self._request(lambda: _ask(session, url))

    def _request(self, ask: Callable[[], None]) -> None:
        came = self.book.now()
        try:
            self._breaker.call(ask)
        except BreakerOpen:
            self.book.count(came, "refused")
        except ProviderUnavailable:
            self.book.count(came, "failed")
        else:
            self.book.count(came, "ok")


def _remove(folder: Path) -> None:
    """Remove it; a sandbox that is just ending may still write into it."""
    until = time.monotonic() + _END_S
    while folder.exists() and time.monotonic() < until:
        shutil.rmtree(folder, ignore_errors=True)
        time.sleep(_TICK_S)


def _ask(session: requests.Session, url: str) -> None:
    try:
        # An empty question is refused by a service that is well, which is an answer.
        response = session.post(
            f"{url}/api/v3/identification", headers={"Api-Key": "sandbox"}, timeout=TIMEOUT_S
        )
    except requests.RequestException as error:
        raise ProviderUnavailable("plant_id", "connection", "No answer.") from error
    if response.status_code >= requests.codes.server_error:
        after = response.headers.get("Retry-After")
        raise ProviderUnavailable(
            "plant_id", "http", "The service failed.", retry_after_s=float(after) if after else None
        )
