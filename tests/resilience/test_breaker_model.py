"""The breaker of one process against a naive one that keeps every outcome and states the rules."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from plantid_core.resilience.breaker import Breaker, BreakerOpen
from plantid_core.resilience.outcome import IGNORED, Judgement

if TYPE_CHECKING:
    from collections.abc import Callable

Leave = Literal["usual", "probe", "ramp", "uncounted"]
SLOW_S, RESET_S, LONGEST_S, PROBE_S, STEP_S = 1.0, 8.0, 48.0, 16.0, 4.0


class Fails(Exception):
    """A failure; the service may have asked to be left alone."""

    def __init__(self, named_s: float | None = None) -> None:
        self.named_s = named_s
        super().__init__(named_s)


class Ours(Exception):
    """The caller's own fault."""


@dataclass(frozen=True)
class Rules:
    """What a breaker is made with."""

    fail_max: int
    failure_rate: float | None
    slow_rate: float | None
    window_calls: int
    minimum_calls: int
    probes: int
    ramp: tuple[float, ...]
    draw: float


@dataclass
class Call:
    """A call under way in the naive breaker."""

    leave: Leave
    period: int
    epoch: int
    began: float
    permit: object = None


@dataclass
class Naive:
    """Closed, open, half-open, on the ramp; a period ends whenever what was counted is forgotten."""

    rules: Rules
    now: float = 0.0
    mode: str = "auto"
    period: int = 0
    outcomes: list[tuple[bool, bool]] = field(default_factory=list)  # (failed, slow) of this period
    stands: Literal["closed", "open", "ramp"] = "closed"
    since: float = 0.0
    until: float = 0.0
    openings: int = 0
    strikes: int = 0
    permits: list[tuple[object, float]] = field(default_factory=list)
    good_probes: int = 0
    ramp_calls: list[bool] = field(default_factory=list)
    credit: float | None = None
    noted: str = "closed"

    # What it is

    @property
    def stage(self) -> str:
        if self.stands == "open":
            return "open" if self.now < self.until else "half-open"
        if self.stands == "ramp" and self.now - self.since >= STEP_S * len(self.rules.ramp):
            return "closed"
        return self.stands

    @property
    def state(self) -> str:
        if self.mode != "auto":
            return "open" if self.mode == "forced-open" else "closed"
        return "half-open" if self.stage == "ramp" else self.stage

    def note(self) -> None:
        """Begin a new period where it has just become closed."""
        if self.state != self.noted and self.state == "closed":
            self.forget()
        self.noted = self.state

    def forget(self) -> None:
        self.period += 1
        self.outcomes = []

    # A call

    def begin(self) -> Call | None:
        """Return the call, None where it is refused."""
        leave: Leave = "usual"
        permit = None
        if self.mode == "forced-open":
            return None
        if self.mode == "disabled":
            leave = "uncounted"
        elif self.mode == "auto":
            if self.stage == "open":
                return None
            if self.stage == "half-open":
                live = [held for held in self.permits if held[1] > self.now]
                if len(live) + self.good_probes >= self.rules.probes:
                    return None
                leave, permit = "probe", object()
                self.permits = [*live, (permit, self.now + PROBE_S)]
            if self.stage == "ramp":
                step = int((self.now - self.since) // STEP_S)
                share = self.rules.ramp[step]
                # As many pass as the share says, evenly, from a place that is drawn.
                self.credit = (self.rules.draw if self.credit is None else self.credit) + share
                if self.credit < 1:
                    return None
                self.credit -= 1
                leave = "ramp"
        self.note()
        return Call(leave, self.period, self.openings, self.now, permit)

    def end(self, call: Call, *, failed: bool, named: float | None, ignored: bool) -> None:
        slow = self.now - call.began >= SLOW_S
        if call.leave == "usual" and not ignored:
            self.end_usual(call, failed=failed, slow=slow, named=named)
        elif call.leave == "probe":
            bad = failed or (slow and self.rules.slow_rate is not None and not ignored)
            self.end_probe(call, bad=bad, named=named, ignored=ignored)
        elif call.leave == "ramp" and not ignored:
            bad = failed or (slow and self.rules.slow_rate is not None)
            self.end_ramp(call, bad=bad, named=named)

    def end_usual(self, call: Call, *, failed: bool, slow: bool, named: float | None) -> None:
        if call.period != self.period:
            return  # it began before the breaker opened
        self.outcomes.append((failed, slow))
        if not (self.in_a_row() or self.too_many(failed or slow) or named is not None):
            return
        self.forget()
        if self.mode == "auto":
            self.open(1, named)

    def end_probe(self, call: Call, *, bad: bool, named: float | None, ignored: bool) -> None:
        if call.epoch != self.openings or (self.stage != "half-open" and not ignored):
            return
        self.permits = [held for held in self.permits if held[0] is not call.permit]
        if ignored:
            return
        if bad:
            self.open(self.strikes + 1, named)
            return
        self.good_probes += 1
        if self.good_probes >= self.rules.probes:
            self.stands = "ramp" if self.rules.ramp else "closed"
            self.since, self.permits, self.good_probes = self.now, [], 0
            self.ramp_calls, self.credit = [], None

    def end_ramp(self, call: Call, *, bad: bool, named: float | None) -> None:
        if call.epoch != self.openings:
            return
        self.ramp_calls.append(bad)
        last = self.ramp_calls[-8:]
        failures = sum(last)
        many = failures >= 2 and failures > len(last) / 2
        if bad and (many or named is not None):
            self.open(self.strikes + 1 if self.stage == "ramp" else 1, named)

    # Why it opens

    def in_a_row(self) -> bool:
        most = self.rules.fail_max
        last = [failed for failed, _ in self.outcomes[-most:]] if most else []
        return bool(most) and len(last) == most and all(last)

    def too_many(self, trouble: bool) -> bool:  # noqa: FBT001
        last = self.outcomes[-self.rules.window_calls :]
        if not trouble or len(last) < self.rules.minimum_calls:
            return False
        failed = sum(f for f, _ in last) / len(last)
        slow = sum(s for _, s in last) / len(last)
        rules = self.rules
        return (rules.failure_rate is not None and failed >= rules.failure_rate) or (
            rules.slow_rate is not None and slow >= rules.slow_rate
        )

    def open(self, strikes: int, named: float | None) -> None:
        usual = min(RESET_S * 2 ** (strikes - 1), LONGEST_S) * (1 - 0.5 * self.rules.draw)
        self.stands, self.since, self.strikes = "open", self.now, strikes
        self.until = self.now + (usual if named is None else named)
        self.openings += 1
        self.permits, self.good_probes = [], 0
        self.ramp_calls, self.credit = [], None


def classify(error: BaseException, took_s: float) -> Judgement:
    del took_s
    if isinstance(error, Fails):
        return Judgement(fails=True, open_for_s=error.named_s)
    return IGNORED


class Held:
    """A call under way in the breaker, on a thread of its own."""

    def __init__(self, breaker: Breaker) -> None:
        self.entered, self.released = threading.Event(), threading.Event()
        self.error: BaseException | None = None
        self.refused = False
        self._thread = threading.Thread(target=self._run, args=(breaker,), daemon=True)
        self._thread.start()
        assert self.entered.wait(10)

    def _run(self, breaker: Breaker) -> None:
        try:
            breaker.call(self._work)
        except BreakerOpen:
            self.refused = True
        except (Fails, Ours):
            pass
        self.entered.set()

    def _work(self) -> None:
        self.entered.set()
        assert self.released.wait(30)
        if self.error is not None:
            raise self.error

    def end(self, error: BaseException | None) -> None:
        self.error = error
        self.released.set()
        self._thread.join(10)
        assert not self._thread.is_alive()


errors: dict[str, Callable[[], BaseException | None]] = {
    "good": lambda: None,
    "fails": Fails,
    "asks to wait": lambda: Fails(20.0),
    "our own fault": Ours,
}
ends = st.sampled_from(["good", "fails", "fails", "asks to wait", "our own fault"])


class BothBreakers(RuleBasedStateMachine):
    """Whatever is done to both, both are in the same state, and let the same calls through."""

    @initialize(
        rules=st.builds(
            Rules,
            st.integers(1, 3),
            st.sampled_from([None, 0.5, 0.75]),
            st.sampled_from([None, 0.5]),
            st.integers(2, 6),
            st.integers(1, 4),
            st.integers(1, 3),
            st.sampled_from([(), (0.25, 0.5)]),
            st.sampled_from([0.0, 0.5]),
        )
    )
    def make(self, rules: Rules) -> None:
        self.naive = Naive(rules)
        self.held: list[tuple[Held, Call]] = []
        self.breaker = Breaker(
            "svc",
            fail_max=rules.fail_max,
            failure_rate=rules.failure_rate,
            slow_rate=rules.slow_rate,
            slow_call_s=SLOW_S,
            window_calls=rules.window_calls,
            minimum_calls=rules.minimum_calls,
            permitted_probes=rules.probes,
            reset_timeout=RESET_S,
            longest_open_s=LONGEST_S,
            probe_timeout_s=PROBE_S,
            jitter=0.5,
            ramp=rules.ramp,
            ramp_s=STEP_S * max(1, len(rules.ramp)),
            classify=classify,
            clock=lambda: self.naive.now,
            draw=lambda: rules.draw,
        )

    def end_in_model(self, call: Call, end: str) -> None:
        named = 20.0 if end == "asks to wait" else None
        failed = end in {"fails", "asks to wait"}
        self.naive.end(call, failed=failed, named=named, ignored=end == "our own fault")

    @precondition(lambda self: self.naive.stage != "open" or self.naive.now % 2 == 0)
    @rule(end=ends, slow=st.booleans())
    def call(self, end: str, slow: bool) -> None:  # noqa: FBT001
        self.one_call(end, slow=slow)

    def one_call(self, end: str, *, slow: bool) -> None:
        theirs = self.naive.begin()
        entered = []

        def work() -> None:
            entered.append(1)
            self.naive.now += SLOW_S if slow else 0.0
            if (error := errors[end]()) is not None:
                raise error

        with contextlib.suppress(Fails, Ours, BreakerOpen):
            self.breaker.call(work)
        assert bool(entered) == (theirs is not None)
        if theirs is not None:
            self.end_in_model(theirs, end)

    @precondition(lambda self: len(self.held) < 4)
    @rule()
    def begin(self) -> None:
        theirs, ours = self.naive.begin(), Held(self.breaker)
        assert ours.refused == (theirs is None)
        if theirs is not None:
            self.held.append((ours, theirs))

    @precondition(lambda self: self.held)
    @rule(data=st.data(), end=ends)
    def end(self, data: st.DataObject, end: str) -> None:
        """End a call that began some time ago."""
        self.end_held(data.draw(st.sampled_from(self.held)), end)

    def end_held(self, held: tuple[Held, Call], end: str) -> None:
        self.held.remove(held)
        ours, theirs = held
        ours.end(errors[end]())
        self.end_in_model(theirs, end)

    @precondition(lambda self: self.naive.stage != "open")
    @rule(several=st.lists(ends, min_size=2, max_size=8))
    def calls(self, several: list[str]) -> None:
        for end in several:
            self.one_call(end, slow=False)

    @precondition(lambda self: self.naive.stage == "open")
    @rule()
    def its_time_is_up(self) -> None:
        self.naive.now = self.naive.until

    @precondition(lambda self: self.naive.stage == "half-open")
    @rule(slow=st.booleans())
    def recover(self, slow: bool) -> None:  # noqa: FBT001
        """Let all probes but those under way succeed, or be slow."""
        for _ in range(self.naive.rules.probes):
            self.one_call("good", slow=slow)

    @precondition(lambda self: self.naive.stage == "ramp")
    @rule(
        seconds=st.sampled_from([0.0, STEP_S - 1, STEP_S, 2 * STEP_S]),
        several=st.lists(ends, min_size=4, max_size=12),
    )
    def on_the_ramp(self, seconds: float, several: list[str]) -> None:
        self.naive.now += seconds
        self.calls(several)

    @precondition(lambda self: self.naive.permits)
    @rule(seconds=st.sampled_from([PROBE_S - 1, PROBE_S]))
    def a_probe_takes_long(self, seconds: float) -> None:
        self.naive.now += seconds

    @rule(seconds=st.sampled_from([0.5, 1.0, 2.0, 4.0, 50.0]))
    def wait(self, seconds: float) -> None:
        self.naive.now += seconds

    @rule(
        mode=st.sampled_from(["forced-open", "disabled", "metrics-only"]),
        several=st.lists(ends, max_size=6),
        seconds=st.sampled_from([0.0, 4.0]),
    )
    def force_for_a_while(self, mode: str, several: list[str], seconds: float) -> None:
        self.force(mode)
        self.calls(several)
        self.naive.now += seconds
        self.they_agree()
        self.force("auto")

    def force(self, mode: str) -> None:
        self.breaker.force(mode)  # type: ignore[arg-type]
        self.naive.mode = mode
        self.they_agree()

    @precondition(lambda self: self.naive.stage != "open")
    @rule()
    def open(self) -> None:
        self.breaker.open()
        self.naive.forget()
        self.naive.open(max(1, self.naive.strikes), None)

    @precondition(lambda self: self.naive.now % 3 == 0)
    @rule()
    def close(self) -> None:
        self.breaker.close()
        self.naive.stands, self.naive.strikes = "closed", 0
        self.naive.permits, self.naive.good_probes = [], 0
        self.naive.forget()

    @invariant()
    def they_agree(self) -> None:
        self.naive.note()
        assert self.breaker.state == self.naive.state

    @invariant()
    def a_check_refuses_where_a_call_surely_would(self) -> None:
        try:
            self.breaker.check()
        except BreakerOpen as refused:
            assert self.naive.state == "open"
            if self.naive.mode == "auto":
                assert refused.retry_after_s == self.naive.until - self.naive.now
        else:
            assert self.naive.state != "open"

    def teardown(self) -> None:
        for ours, _ in getattr(self, "held", ()):
            ours.end(None)


TestBothBreakers = BothBreakers.TestCase
TestBothBreakers.settings = settings(
    max_examples=250, stateful_step_count=50, deadline=None, derandomize=True
)
