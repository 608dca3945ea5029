"""A circuit breaker for one service, decided in this process, shared by all of them.

States, listeners and the error are pybreaker's. A call through a closed breaker costs one step of a
counter and takes no lock; while it runs nobody waits for anybody. With ``client`` every breaker of the
same name, in any process on that Redis, is one breaker: it hears of changes and asks for nothing but
the permit to probe. Without Redis, or while it is away, each process goes by its own circuit.
"""

from __future__ import annotations

import math
import os
import random
import secrets
import threading
import time
import weakref
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, ParamSpec, Protocol, TypeVar

from pybreaker import CircuitBreakerError

from plantid_core.resilience import breaker_fleet
from plantid_core.resilience import circuit as circuits
from plantid_core.resilience.breaker_alarm import Alarm
from plantid_core.resilience.breaker_circuits import Circuits
from plantid_core.resilience.breaker_permit import Gate, Refused
from plantid_core.resilience.breaker_settings import (
    BreakerReport,
    BreakerSettings,
    State,
    moment,
    rules_of,
    timing_of,
)
from plantid_core.resilience.circuit import Accusation, Circuit
from plantid_core.resilience.link import LinkError
from plantid_core.resilience.listeners import Listeners, StateName, complain
from plantid_core.resilience.outcome import FAILURE, Judgement, by_meaning
from plantid_core.resilience.window import Window
from plantid_core.telemetry import metrics, tell
from plantid_core.telemetry.outages import OUTAGES

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Unpack

    import redis
    from pybreaker import CircuitBreakerListener

    from plantid_core.resilience.breaker_fleet import Transition
    from plantid_core.resilience.breaker_permit import Grant
    from plantid_core.resilience.circuit import Mode

P = ParamSpec("P")
T = TypeVar("T")

_FIRST_WAIT_S = 0.25
_WITNESS_S = 10.0
_SHORTLY_S = 0.05


class BreakerOpen(CircuitBreakerError):
    """The call was refused; ``retry_after_s`` is when the next one may be let through."""

    # Both are read from ``args``, which costs a refusal less than a constructor of our own.

    @property
    def name(self) -> str:
        """Return the breaker's name."""
        return str(self.args[0])

    @property
    def retry_after_s(self) -> float:
        """Return the seconds after which to ask again."""
        return float(self.args[1])

    def __str__(self) -> str:
        return f"{self.name} is left alone after failures; ask again in {self.retry_after_s:.1f} s."


class _Guard(Protocol):
    """Calls a function, or refuses to."""

    def __call__(
        self, func: Callable[..., T], args: tuple[object, ...], kwargs: dict[str, object]
    ) -> T: ...


class Breaker:
    """Opens after ``fail_max`` failures in a row, or by rates, for ``reset_timeout`` seconds.

    Then ``permitted_probes`` calls probe, over all processes; their success begins a ramp that ends
    closed, a failure opens it for longer. The caller whose failure opens it gets its own error, later
    ones `BreakerOpen`, a `CircuitBreakerError`. Raises ValueError for settings that cannot be.
    """

    def __init__(
        self,
        name: str,
        *,
        client: redis.Redis | None = None,
        fail_max: int = 5,
        reset_timeout: float = 60.0,
        permitted_probes: int = 1,
        **settings: Unpack[BreakerSettings],
    ) -> None:
        if not name.isprintable() or not name:
            raise ValueError(f"a breaker's name must be printable and not empty; it is {name!r}")
        self.name, self.fail_max, self.reset_timeout = name, fail_max, reset_timeout
        self.rules = rules_of(fail_max, settings)
        self.timing = timing_of(
            reset_timeout, permitted_probes, settings, shared=client is not None
        )
        self._classify = settings.get("classify", by_meaning)
        self._alert = settings.get("alert")
        self._clock = settings.get("clock", time.monotonic)
        self._draw = settings.get("draw", random.random)
        self._listeners = Listeners(settings.get("listeners", ()))
        self._client = client
        self._inside = threading.local()
        self._known_as = ":".join(filter(None, (name, settings.get("scope", ""))))
        self._last_failure: float | None = None
        self._noted: State = "closed"
        self._begin(Circuit(mode=settings.get("mode", "auto")))
        _BREAKERS.add(self)

    def _begin(self, start: Circuit) -> None:
        self.node = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._circuits = Circuits(self.node, self.timing, self._clock, start)
        self._passage = Gate(self.node, self.timing, self._draw)
        self._window = Window(self.rules, self._clock())
        self._opened_with = self._window.figures(self._clock())
        self._alarm = Alarm(self.name, self.node, self._alert)
        self._gate: _Guard | None = None
        self._refuse_until = -math.inf
        if self._client is None:
            self._refresh()
            return
        self._gate = self._first
        self._circuits.share = share = breaker_fleet.join(self._client, self._known_as, self._hear)
        weakref.finalize(self, share.leave_later).atexit = False

    def call(self, func: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call the function; raises what it raises, and `BreakerOpen` where it is not called."""
        if self._gate is not None:
            return self._gate(func, args, kwargs)
        # Every call comes this way, so it is written out.
        for heard in self._listeners.before:
            try:
                if args or kwargs:
                    heard(self, func, *args, **kwargs)
                else:
                    heard(self, func)
            except Exception as error:  # noqa: BLE001 - a listener's trouble is its own
                complain(error)
        window, clock = self._window, self._clock
        began = clock()
        try:
            result = func(*args, **kwargs)
        except BaseException as error:
            self._failed(window, error, clock() - began)
            raise
        ended = clock()
        if ended - began < window.slow_from and ended < window.roll_at:
            window.tick()
            window.last_success = ended
        elif why := window.succeeded(ended - began, ended):
            self._trip(window, why, None)
        for heard in self._listeners.succeeded:
            try:
                heard(self)
            except Exception as error:  # noqa: BLE001 - as above
                complain(error)
        return result

    @property
    def state(self) -> State:
        """Return ``closed``, ``open`` or ``half-open``: probing, or on the ramp."""
        self._meet_fleet()
        state = self._circuits.state()
        if state != self._noted:
            self._note()
        return state

    @property
    def mode(self) -> Mode:
        """Return what is done whatever happens; "auto" for nothing."""
        return self._circuits.mode

    def check(self) -> None:
        """Raise `BreakerOpen` where a call made now would surely be refused; takes no permit."""
        self._meet_fleet()
        if self._gate is not None and (left := self._refuse_until - self._clock()) > 0:
            raise BreakerOpen(self.name, self.reset_timeout if math.isinf(left) else left)

    def open(self) -> None:
        """Open it now, everywhere, for its usual time."""
        draw = self._draw()
        with self._circuits.lock:
            self._begin_window()
        self._by_hand(lambda c, now: circuits.open_by_hand(c, now, draw, self.timing))

    def close(self) -> None:
        """Close it now, everywhere, and forget its failures."""
        with self._circuits.lock:
            self._window = Window(self.rules, self._clock())
            self._circuits.forget()
            self._circuits.outcast = False
        self._by_hand(circuits.close)

    def force(self, mode: Mode) -> None:
        """Set, everywhere, what is done whatever happens: "forced-open", "disabled", "metrics-only".

        "auto" lets it decide again. Metrics-only counts, and logs where it would have opened.
        """
        if mode not in circuits.MODES:
            raise ValueError(f"there is no mode {mode!r}; use {', '.join(circuits.MODES)}")
        self._circuits.own.change(lambda c, _: circuits.force(c, "auto"))
        self._by_hand(lambda c, _: circuits.force(c, mode))

    @property
    def shared(self) -> Circuit | None:
        """Return the fleet's circuit, by Redis' clock; None where there is no fleet to be reached."""
        share = self._circuits.share
        return share.circuit if share is not None and share.up else None

    @property
    def listeners(self) -> tuple[CircuitBreakerListener, ...]:
        """Return the listeners, in the order they came."""
        return self._listeners.members()

    def add_listener(self, listener: CircuitBreakerListener) -> None:
        """Tell a listener of calls and changes; raises TypeError for what is none, as a function."""
        self._listeners.add(listener)

    def remove_listener(self, listener: CircuitBreakerListener) -> None:
        """Tell it no more."""
        self._listeners.remove(listener)

    def report(self) -> BreakerReport:
        """Return how it stands."""
        now, keeper = self._clock(), self._circuits.worst()
        at = keeper.circuit
        # While it is not closed, what it opened with says more than the new window's nothing.
        figures = self._window.figures(now) if self.state == "closed" else self._opened_with
        open_since = at.since if at.phase == "open" else None
        behind_s = keeper.now() / 1e3 - time.time()
        return {
            "name": self.name,
            "state": self.state,
            "failures": figures.in_a_row,
            "failure_rate": round(figures.failure_rate, 4),
            "slow_rate": round(figures.slow_rate, 4),
            "last_failure_at": moment(self._last_failure),
            "opened_at": moment(None if open_since is None else open_since / 1e3 - behind_s),
            "opens_until": moment(None if open_since is None else at.until / 1e3 - behind_s),
            "forced": None if self.mode == "auto" else self.mode,
        }

    def leave(self) -> None:
        """Leave the fleet, for good: from now on this one goes by itself."""
        with self._circuits.lock:
            share, self._circuits.share, self._client = self._circuits.share, None, None
            self._gate = self._guard
            self._refresh()
        OUTAGES.end(self)
        if share is not None:
            share.leave()

    def _first(
        self, func: Callable[..., T], args: tuple[object, ...], kwargs: dict[str, object]
    ) -> T:
        """Learn, before the first call, what the fleet knows; also in a child after a fork."""
        self._meet_fleet()
        return self.call(func, *args, **kwargs)

    def _meet_fleet(self) -> None:
        if self._gate != self._first:
            return
        with _MEETING:
            if self._circuits.share is None and self._client is not None:
                self._begin(self._circuits.own.circuit)
        if self._circuits.share is not None:
            self._circuits.share.await_first(_FIRST_WAIT_S)
        with self._circuits.lock:
            self._gate = self._guard
            self._refresh()

    def _guard(
        self, func: Callable[..., T], args: tuple[object, ...], kwargs: dict[str, object]
    ) -> T:
        now = self._clock()
        if now < self._refuse_until:
            left = self._refuse_until - now
            raise BreakerOpen(self.name, left if left < math.inf else self.reset_timeout)
        if getattr(self._inside, "probe", False):
            return func(*args, **kwargs)  # a part of the call that was let through
        mode = self.mode
        if mode == "disabled":
            return func(*args, **kwargs)
        try:
            grants = [] if mode == "metrics-only" else self._ask()
        except Refused as refused:
            self._refresh()
            raise BreakerOpen(self.name, refused.left_s) from None
        if not grants:
            self._refresh()
        self._note()
        return self._under(grants, func, args, kwargs)

    def _ask(self) -> list[Grant]:
        """Return leave to call, none where every circuit is closed; raises `Refused`."""
        try:
            return self._passage.pass_(self._circuits.keepers(), witness=self._circuits.witness)
        except LinkError as error:
            if self._circuits.shared() is not None:
                raise Refused(_SHORTLY_S) from error
            return self._passage.pass_([self._circuits.own], witness=False)

    def _under(
        self,
        grants: list[Grant],
        func: Callable[..., T],
        args: tuple[object, ...],
        kwargs: dict[str, object],
    ) -> T:
        """Do as `call` does, and let the grants know how it ended."""
        self._listeners.tell(self._listeners.before, self, func, *args, **kwargs)
        window, began = self._window, self._clock()
        self._inside.probe = any(grant.kind == "probe" for grant in grants)
        try:
            result = func(*args, **kwargs)
        except BaseException as error:
            self._inside.probe = False
            took = self._clock() - began
            if grants:
                judgement = self._judge(error, took)
                self._count_failure(judgement, error)
                self._conclude(grants, judgement, f"a probe failed: {type(error).__name__}")
            else:
                self._failed(window, error, took)
            raise
        self._inside.probe = False
        ended = self._clock()
        slow = ended - began >= window.slow_from
        if grants:
            bad = slow and self.rules.slow_rate is not None
            self._conclude(grants, FAILURE if bad else None, "a probe was slow")
        elif why := window.succeeded(ended - began, ended):
            self._trip(window, why, None)
        self._listeners.tell(self._listeners.succeeded, self)
        return result

    def _conclude(self, grants: list[Grant], judgement: Judgement | None, cause: str) -> None:
        named = judgement.open_for_s if judgement is not None else None
        accusation = self._accusation(cause, named)
        for grant in grants:
            try:
                self._report_to(grant, judgement, accusation)
            except LinkError:
                # Redis went while the call ran: what it told is still worth knowing here.
                self._report_to(replace(grant, keeper=self._circuits.own), judgement, accusation)
        self._refresh()
        self._note()
        self._alarm.sound(self._circuits.own.circuit)

    def _report_to(self, grant: Grant, judgement: Judgement | None, accusation: Accusation) -> None:
        if judgement is None:
            grant.succeeded(self._passage.ramp, self.timing)
        elif judgement.fails:
            grant.failed(self._passage.ramp, accusation, self.timing)
        else:
            grant.withdraw()

    def _failed(self, window: Window, error: BaseException, took_s: float) -> None:
        judgement = self._judge(error, took_s)
        if not judgement.fails:
            return
        self._count_failure(judgement, error)
        why = window.failed(took_s, self._clock())
        if judgement.open_for_s is not None:
            why = f"it asked to be left alone for {judgement.open_for_s:g} s"
        if why is not None:
            self._trip(window, why, judgement.open_for_s)

    def _judge(self, error: BaseException, took_s: float) -> Judgement:
        try:
            return self._classify(error, took_s)
        except Exception as own:  # noqa: BLE001 - the call's own error is the one to be raised
            complain(own)
            return FAILURE

    def _count_failure(self, judgement: Judgement, error: BaseException) -> None:
        if judgement.fails:
            self._last_failure = time.time()
            self._listeners.tell(self._listeners.failed, self, error)

    def _trip(self, window: Window, cause: str, named_s: float | None) -> None:
        accusation = self._accusation(cause, named_s)
        with self._circuits.lock:
            if window is not self._window:
                return  # it has opened since: these are the last calls of the time before
            self._begin_window()
            if (mode := self.mode) == "auto":
                self._circuits.trip(accusation)
                self._refresh()
            share = self._circuits.shared()
            seen, at = (0, 0.0) if share is None else (share.circuit.epoch, share.now())
        if mode != "auto":
            tell("breaker_would_open", name=self.name, cause=cause)
            return
        if share is None:
            self._note()
            self._alarm.sound(self._circuits.own.circuit)
            return

        def accuse() -> None:
            try:
                timing = self.timing
                if timing.quorum > 1:
                    majority = share.members() // 2 + 1
                    timing = replace(timing, quorum=max(timing.quorum, majority))
                # By the time of the trip: it may have waited to be told.
                share.change(lambda c, _: circuits.trip(c, at, seen, accusation, timing))
            except LinkError:
                share.apart(partial(self._alarm.sound, self._circuits.own.circuit))

        # The others first: a listener may take its time.
        share.later(accuse)
        self._note()

    def _accusation(self, cause: str, named_s: float | None) -> Accusation:
        named_ms = None if named_s is None else named_s * 1e3
        return Accusation(self.node, cause, self._draw(), named_ms)

    def _hear(self, circuit: Circuit | None) -> None:
        """Take the fleet's new circuit, or note (None) that Redis has come or gone."""
        with self._circuits.lock:
            share = self._circuits.share
            if share is None:
                return
            if circuit is None:
                self._circuits.reach(share)
            elif self._circuits.take(circuit, self._overruled(), saw_it_work=self._saw_it_work()):
                self._begin_window()
            self._refresh()
        share.apart(partial(self._heard, circuit))

    def _heard(self, circuit: Circuit | None) -> None:
        self._note()
        if circuit is not None:
            self._alarm.sound(circuit)

    def _begin_window(self) -> None:
        """Count anew, and remember what the old window held; one that held nothing is no memory."""
        figures = self._window.figures(self._clock())
        if figures.calls or self._circuits.state() == "closed":
            self._opened_with = figures
        self._window = Window(self.rules, self._clock())

    def _saw_it_work(self) -> bool:
        """Tell whether as many calls have just succeeded here as it takes failures to open it."""
        enough = self.fail_max or self.rules.minimum_calls
        lately = self._clock() - self._window.last_success <= _WITNESS_S
        return lately and self._window.successes_in_a_row() >= enough

    def _overruled(self) -> Accusation:
        return self._accusation("others see the service work: the trouble is here", None)

    def _refresh(self) -> None:
        """Work out what the next call meets."""
        with self._circuits.lock:
            if self._gate == self._first:
                return
            until = self._circuits.refused_until()
            self._refuse_until = -math.inf if until is None else until
            self._gate = None if until is None else self._guard

    def _note(self) -> None:
        """Tell listeners of a change of state, once."""
        with self._circuits.lock:
            old, new = self._noted, self._circuits.state()
            if old == new:
                return
            self._noted = new
            if new == "closed":
                self._circuits.outcast = False
                self._window = Window(self.rules, self._clock())
                self._refresh()
        tell("breaker_state", name=self.name, was=old, now=new)
        metrics.moved(self.name, new, self)
        self._listeners.tell(self._listeners.changed, self, StateName(old), StateName(new))

    def _by_hand(self, transition: Transition) -> None:
        self._meet_fleet()
        share = self._circuits.share
        try:
            (self._circuits.own if share is None else share).change(transition)
        except LinkError:
            self._circuits.own.change(transition)
        self._refresh()
        self._note()

    def forked(self) -> None:
        """Begin anew in a child: locks may be held, and threads and sockets are its parent's."""
        if self._client is None:
            self._begin(self._circuits.own.circuit)
            return
        mode = self._circuits.own.circuit.mode
        self._circuits = Circuits(self.node, self.timing, self._clock, Circuit(mode=mode))
        self._gate = self._first


_MEETING = threading.Lock()
_BREAKERS: weakref.WeakSet[Breaker] = weakref.WeakSet()


def _after_fork() -> None:
    global _MEETING  # noqa: PLW0603 - the parent may have held it
    _MEETING = threading.Lock()
    breaker_fleet.forget_all_after_fork()
    for breaker in list(_BREAKERS):
        breaker.forked()


os.register_at_fork(after_in_child=_after_fork)
