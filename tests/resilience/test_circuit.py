"""A circuit that several processes change by compare-and-set, each by a copy that may be stale."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from plantid_core.resilience import circuit as circuits
from plantid_core.resilience.breaker_fleet import read
from plantid_core.resilience.circuit import MODES, Accusation, Circuit, Timing, stage

if TYPE_CHECKING:
    from collections.abc import Callable

NODES = ("a", "b", "c")
nodes = st.sampled_from(NODES)
mostly = st.sampled_from([True, True, True, False])


class Processes(RuleBasedStateMachine):
    """Three processes and what lies in Redis."""

    @initialize(
        probes=st.integers(1, 3),
        quorum=st.sampled_from([2, 3, 1]),
        ramp=st.sampled_from([(), (0.25, 0.5)]),
    )
    def begin(self, probes: int, quorum: int, ramp: tuple[float, ...]) -> None:
        self.timing = Timing(
            1000.0, jitter=0.0, permitted_probes=probes, probe_ms=700.0, ramp=ramp, step_ms=300.0,
            quorum=quorum, longest_ms=8000.0,
        )  # fmt: skip
        self.now = 0.0
        self.truth = Circuit()
        self.copies = dict.fromkeys(NODES, self.truth)
        self.probes: dict[str, tuple[str, int, float]] = {}  # token: node, epoch, deadline
        self.challenges: dict[str, tuple[str, int]] = {}
        self.tokens = 0
        self.seen: list[Circuit] = [self.truth]

    def change(self, node: str, transition: Callable[[Circuit, float], Circuit]) -> Circuit:
        """Do as `Share.change` does."""
        while True:
            base = self.copies[node]
            wanted = transition(base, self.now)
            if wanted is base:
                return base
            if base == self.truth:
                assert wanted.version == base.version + 1
                self.truth = self.copies[node] = wanted
                self.seen.append(wanted)
                return wanted
            self.copies[node] = self.truth

    def catch_up(self, node: str, hears: bool) -> None:  # noqa: FBT001
        """Let the news reach a process, or not."""
        if hears:
            self.copies[node] = self.truth

    def token(self) -> str:
        self.tokens += 1
        return f"t{self.tokens}"

    @property
    def live(self) -> int:
        """Return how many probes hold a permit of this epoch that has not expired."""
        return sum(
            epoch == self.truth.epoch and deadline > self.now
            for _, epoch, deadline in self.probes.values()
        )

    @property
    def name(self) -> str:
        return stage(self.truth, self.now, self.timing).name

    @precondition(lambda self: self.name == "open")
    @rule()
    def its_time_is_up(self) -> None:
        self.now = self.truth.until

    @rule(ms=st.sampled_from([1.0, 100.0, 300.0, 700.0, 1000.0, 4000.0]))
    def wait(self, ms: float) -> None:
        self.now += ms

    @rule(node=nodes, hears=mostly, named=st.sampled_from([None, None, None, 50.0, 9000.0]))
    def trip(self, node: str, hears: bool, named: float | None) -> None:  # noqa: FBT001
        self.catch_up(node, hears)
        before, name, seen = self.truth, self.name, self.copies[node].epoch
        why = Accusation(node, "down", 0.0, named)

        self.change(node, lambda c, now: circuits.trip(c, now, seen, why, self.timing))

        if name in {"half-open", "open"} or seen < before.epoch:
            assert self.truth.epoch == before.epoch
            assert self.truth.until >= before.until

    @precondition(lambda self: self.name in {"closed", "ramp"})
    @rule(order=st.permutations(NODES))
    def all_trip(self, order: list[str]) -> None:
        """All have met the failures of the same time, and none has heard of another."""
        before, name = self.truth, self.name
        for node in NODES:
            self.copies[node] = self.truth
        for node in order:
            why = Accusation(node, "down", 0.0)
            self.change(
                node, lambda c, now, w=why: circuits.trip(c, now, before.epoch, w, self.timing)
            )

        assert self.truth.epoch == before.epoch + (name in {"closed", "ramp"})
        if name == "closed":
            assert self.truth.strikes == 1
            assert self.truth.until == self.now + 1000
            assert self.truth.accusers == tuple(order)
        if name == "ramp":
            assert self.truth.strikes == before.strikes + 1

    @rule(node=nodes, hears=mostly)
    def permit(self, node: str, hears: bool) -> None:  # noqa: FBT001
        """Ask: who is up to date gets one if fewer than k are out, the dead not counted."""
        self.catch_up(node, hears)
        token, fresh = self.token(), self.copies[node] == self.truth
        free = self.live + self.truth.successes < self.timing.permitted_probes

        changed = self.change(node, lambda c, now: circuits.permit(c, now, token, self.timing))

        deadline = dict(changed.permits).get(token)
        if deadline is not None:
            self.probes[token] = (node, changed.epoch, deadline)
            assert deadline == self.now + 700
        if fresh:
            assert (deadline is not None) == (self.name == "half-open" and free)

    @precondition(lambda self: self.probes)
    @rule(data=st.data(), end=st.sampled_from(["good", "good", "bad", "nothing", "dead"]))
    def end_probe(self, data: st.DataObject, end: str) -> None:
        self.end(data.draw(st.sampled_from(sorted(self.probes))), end)

    def end(self, token: str, end: str) -> None:
        node, epoch, deadline = self.probes[token]
        before, counts = self.truth, epoch == self.truth.epoch and self.name == "half-open"
        why = Accusation(node, "probe", 0.0)
        if end == "dead":
            if deadline <= self.now:
                del self.probes[token]
            return
        del self.probes[token]
        if end == "good":
            self.change(
                node, lambda c, now: circuits.probe_succeeded(c, now, epoch, token, self.timing)
            )
        elif end == "bad":
            self.change(node, lambda c, now: circuits.probe_failed(c, now, epoch, why, self.timing))
        else:
            self.change(node, lambda c, _: circuits.withdraw(c, token))
        if not counts:
            assert (self.truth.phase, self.truth.epoch) == (before.phase, before.epoch)
            assert self.truth.until == before.until
        elif end == "bad":
            assert (self.truth.epoch, self.truth.strikes) == (before.epoch + 1, before.strikes + 1)
            lasts = min(1000 * 2 ** (self.truth.strikes - 1), 8000)
            assert self.truth.until == self.now + lasts

    @rule(node=nodes, hears=mostly)
    def challenge(self, node: str, hears: bool) -> None:  # noqa: FBT001
        """Only one who is no accuser, of an opening that is neither confirmed nor challenged."""
        self.catch_up(node, hears)
        token, fresh, before = self.token(), self.copies[node] == self.truth, self.truth

        changed = self.change(
            node, lambda c, now: circuits.challenge(c, now, node, token, self.timing)
        )

        if changed.challenger == token:
            self.challenges[token] = (node, changed.epoch)
            assert not before.confirmed
            assert before.challenger is None
            assert node not in before.accusers
        elif fresh and self.name == "open":
            sure = before.confirmed or before.challenger is not None
            assert sure or node in before.accusers

    @precondition(lambda self: circuits.may_be_challenged(self.truth, self.now, self.timing))
    @rule(node=nodes)
    def witness(self, node: str) -> None:
        self.challenge(node, hears=True)

    @precondition(lambda self: self.name == "half-open")
    @rule(node=nodes, ends=st.lists(st.sampled_from(["good", "good", "good", "bad"]), min_size=3))
    def probe(self, node: str, ends: list[str]) -> None:
        """Take what permits there are, and end all of them."""
        for _ in ends:
            self.permit(node, hears=True)
        for token, end in zip(sorted(self.probes), ends, strict=False):
            self.end(token, end)

    @precondition(lambda self: self.challenges)
    @rule(data=st.data(), good=st.sampled_from([True, False, None]))
    def end_challenge(self, data: st.DataObject, good: bool | None) -> None:  # noqa: FBT001
        token = data.draw(st.sampled_from(sorted(self.challenges)))
        node, epoch = self.challenges.pop(token)
        before, name = self.truth, self.name
        ours = before.challenger == token and before.epoch == epoch
        if good:
            self.change(node, lambda c, now: circuits.overrule(c, now, token, self.timing))
        elif good is None:
            self.change(node, lambda c, _: circuits.withdraw(c, token))
        else:
            why = Accusation(node, "down", 0.0)
            self.change(node, lambda c, now: circuits.confirm(c, now, why, token))
        if not ours:
            assert (self.truth.phase, self.truth.confirmed) == (before.phase, before.confirmed)
        elif good and name == "open" and not before.confirmed:
            assert (self.truth.phase, self.truth.overruled) == ("closed", before.accusers)
            assert self.truth.strikes == before.strikes - 1
        elif good is False:
            assert self.truth.confirmed
            assert node in self.truth.accusers

    @precondition(lambda self: self.name == "ramp")
    @rule(node=nodes)
    def by_hand(self, node: str) -> None:
        self.change(node, lambda c, now: circuits.open_by_hand(c, now, 0.0, self.timing))
        assert self.name == "open"
        assert self.truth.confirmed

    @precondition(lambda self: self.now % 3 == 0)
    @rule(node=nodes)
    def close(self, node: str) -> None:
        mode = self.truth.mode
        self.change(node, circuits.close)
        assert (self.name, self.truth.strikes, self.truth.mode) == ("closed", 0, mode)

    @rule(node=nodes, mode=st.sampled_from(MODES))
    def force(self, node: str, mode: circuits.Mode) -> None:
        before = self.truth
        self.change(node, lambda c, _: circuits.force(c, mode))
        assert (self.truth.phase, self.truth.until) == (before.phase, before.until)

    @invariant()
    def no_more_than_k_probe(self) -> None:
        held = [deadline for _, deadline in self.truth.permits if deadline > self.now]
        assert len(held) + self.truth.successes <= self.timing.permitted_probes
        assert self.live <= self.timing.permitted_probes
        assert len(self.truth.permits) <= self.timing.permitted_probes

    @invariant()
    def counts_go_up_by_one(self) -> None:
        """Versions never go back, an epoch grows by one, and so do strikes, once an opening."""
        for old, new in zip(self.seen, self.seen[1:], strict=False):
            assert new.version == old.version + 1
            assert new.epoch - old.epoch in {0, 1}
            assert new.strikes <= old.strikes + (new.epoch - old.epoch)
        del self.seen[:-1]

    @invariant()
    def nobody_knows_better(self) -> None:
        assert all(copy.version <= self.truth.version for copy in self.copies.values())

    @invariant()
    def it_can_be_written_down(self) -> None:
        """Its bytes read as the same circuit."""
        assert read(orjson.dumps(self.truth)) == self.truth

    @invariant()
    def moved_to_another_clock_it_means_the_same(self) -> None:
        moved = circuits.rebased(self.truth, 5000.0)
        here = stage(self.truth, self.now, self.timing)
        there = stage(moved, self.now + 5000.0, self.timing)
        assert (here.name, here.share) == (there.name, there.share)


TestProcesses = Processes.TestCase
TestProcesses.settings = settings(
    max_examples=250, stateful_step_count=50, deadline=None, derandomize=True
)


def test_the_open_time_is_bounded() -> None:
    """However often it has opened, it is open for no longer than the longest, and no float overflows."""
    timing = Timing(1000.0, growth=2.0, longest_ms=600_000.0, jitter=0.0)

    times = [timing.open_ms(strikes, 0.0) for strikes in (1, 2, 3, 11, 5000)]

    assert times == [1000, 2000, 4000, 600_000, 600_000]


def test_jitter_only_shortens() -> None:
    """A draw takes off up to the share that jitter allows."""
    timing = Timing(1000.0, jitter=0.25)

    assert (timing.open_ms(1, 0.0), timing.open_ms(1, 0.5), timing.open_ms(1, 1.0)) == (
        1000,
        875,
        750,
    )
