"""The one stage of the process: its switches, its people, its script, and who may press."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING

import structlog

from plantid_core.errors import PlantIDError
from plantid_core.web.stage.acts import Acts
from plantid_core.web.stage.rehearsal import Rehearsal
from plantid_core.web.stage.script import Performance

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from plantid_core.web.stage.switches import Switch
    from plantid_core.workbench import Workbench

# A browser lets a page that is out of sight ask no more than once a minute.
LEFT_ALONE_S = 90.0

_KEPT = 8


class Stage:
    """Breaks and mends the parts of one workbench; safe to use from any number of threads.

    One session has the stage at a time: whoever pressed first, until the stage is reset or the
    session was not `seen` for `LEFT_ALONE_S` seconds. A stage that is left resets itself. The ticker
    begins with each session, and stands still after the reset.
    """

    def __init__(self, workbench: Workbench) -> None:
        self.workbench = workbench
        self.acts = Acts(workbench, self._say)
        self.switches, self.traffic, self.ticker = (
            self.acts.switches,
            self.acts.traffic,
            self.acts.ticker,
        )
        self.rehearsal: Rehearsal | None = None
        self._performance: Performance | None = None
        # Stands for the show that may press; None once it was stopped.
        self._script: object | None = None
        self._events: deque[tuple[float, str]] = deque(maxlen=_KEPT)
        self._acting, self._claiming = threading.RLock(), threading.Lock()
        self._holder: str | None = None
        self._seen = 0.0
        # Grows with each claim and each release, so that one claim is told from the next.
        self._claims = 0
        self._closed = threading.Event()
        self._actions: Mapping[str, tuple[Switch | None, Callable[[], str]]] = {
            **self.acts.table(),
            "reset": (None, self._reset),
        }

    @property
    def actions(self) -> tuple[str, ...]:
        """Return everything that can be pressed."""
        return tuple(self._actions)

    @property
    def performance(self) -> Performance | None:
        """Return the show that is being played, None without one."""
        playing = self._performance
        return playing if playing is not None and playing.moment() is not None else None

    def events(self) -> list[tuple[float, str]]:
        """Return what happened last, the newest first: seconds since the epoch, and a sentence."""
        return list(self._events)[::-1]

    def free_for(self, session: str) -> bool:
        """Tell whether a session may press."""
        return self._holder in {None, session}

    def seen(self, session: str) -> None:
        """Note that a session's page is still open."""
        if session == self._holder:
            self._seen = time.monotonic()

    def press(self, action: str, session: str) -> bool:
        """Do it for a session; tell whether it was done. What came of it is an event, never an error."""
        if not self._claim(session):
            return False
        done = self._do(action)
        if done and action == "reset":
            self._release()
        return done

    def play(self, session: str, *, pace: float = 1.0) -> bool:
        """Begin the show, from a whole stage and a ticker at nothing; see `Performance`."""
        if self.switches.refusal("people") is not None or not self._claim(session):
            return False
        with self._acting:
            self._do("reset")
            self.ticker.begin()
            self._script = script = object()
            self._performance = Performance(
                lambda action: self._press_by_script(script, action), pace=pace
            )
        return True

    def rehearse(self, name: str, session: str) -> bool:
        """Begin a drill, on a stage that is quiet; its report is at `rehearsal`."""
        if self.switches.refusal("drills") is not None or not self._claim(session):
            return False
        with self._acting:
            if self.rehearsal is not None and self.rehearsal.running:
                return False
            self._do("reset")
            self.rehearsal = Rehearsal(name, lambda: self._leave_after_drill(session))
        return True

    def stop(self, session: str) -> None:
        """End the show where it is, or the drill; what is broken stays so until *Reset everything*."""
        if self.free_for(session):
            self._stop_playing()
            self._stop_rehearsing()

    def close(self) -> None:
        """Mend everything and end all threads, before the workbench closes."""
        self._closed.set()
        self.acts.close()
        self._do("reset")
        self._release()

    def _press_by_script(self, script: object, action: str) -> None:
        with self._acting:
            # It may have been stopped while this waited for another's press to end.
            if script is self._script and self._do(action) and action == "reset":
                self._release()

    def _claim(self, session: str) -> bool:
        with self._claiming:
            shut = self._closed.is_set() or self.switches.refusal() is not None
            if shut or not self.free_for(session):
                return False
            self._seen = time.monotonic()
            if self._holder is None:
                self._holder, self._claims = session, self._claims + 1
                self.ticker.begin()
                threading.Thread(
                    target=self._wait_for_leave,
                    args=(self._claims,),
                    name="stage-door",
                    daemon=True,
                ).start()
        return True

    def _release(self) -> None:
        with self._claiming:
            self._holder, self._claims = None, self._claims + 1

    def _leave_after_drill(self, session: str) -> None:
        if self._holder == session and not self.acts.busy and self.performance is None:
            self._release()

    def _wait_for_leave(self, claim: int) -> None:
        while self._claims == claim and not self._closed.wait(1.0):
            if time.monotonic() - self._seen > LEFT_ALONE_S:
                self._say("The stage was left alone.")
                if self._do("reset"):
                    self._release()

    def _do(self, action: str) -> bool:
        switch, act = self._actions[action]
        refusal = self.switches.refusal(switch)
        if refusal is not None:
            self._say(refusal)
            return False
        try:
            with self._acting:
                self._say(act())
        except PlantIDError as error:
            self._say(str(error))
        except Exception as error:  # noqa: BLE001 - a switch that fails is told of, not thrown
            structlog.get_logger().warning("switch failed", action=action, exc_info=error)
            self._say("That did not work, and has been logged. Press *Reset everything*.")
        else:
            return True
        return False

    def _say(self, sentence: str) -> None:
        if sentence:
            self._events.append((time.time(), sentence))

    def _reset(self) -> str:
        self._stop_playing()
        self._stop_rehearsing()
        self.acts.mend()
        return "Everything is reset."

    def _stop_playing(self) -> None:
        self._script = None
        if self._performance is not None:
            self._performance.stop()

    def _stop_rehearsing(self) -> None:
        if self.rehearsal is not None:
            self.rehearsal.stop()


_OPENING = threading.Lock()
_open: list[Stage] = []


def stage(workbench: Workbench) -> Stage:
    """Return the stage of this process's workbench; it closes with the workbench."""
    with _OPENING:
        if not _open or _open[0].workbench is not workbench:
            _open[:] = [Stage(workbench)]
            workbench.own(_open[0])
        return _open[0]
