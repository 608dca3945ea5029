"""The states of a breaker as one value, and what may become of it: no clock, thread or socket in it.

::

    closed ──trip──▶ open ──its time is up──▶ half-open ──k probes succeed──▶ ramp 1, 5, 25 % ──▶ closed
                      ▲  ◀──a probe fails (longer)──┘                            │
                      └──────────────too many of its calls fail──────────────────┘
    open ──overruled by one who sees the service work──▶ closed

A process keeps one circuit of its own, and one that it shares with others through Redis; the same
functions change both. Times are milliseconds of the clock a circuit is kept by. "Half-open" and the
end of a ramp are no events: everybody sees them come by the clock. States and the single probe are
those of Nygard, "Release It!", 2nd ed. 2018, chapter 5.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Phase = Literal["closed", "open", "ramp"]
Mode = Literal["auto", "forced-open", "disabled", "metrics-only"]
MODES: tuple[Mode, ...] = ("auto", "forced-open", "disabled", "metrics-only")

MANUAL = "manual"
CLOSED_BY_HAND = "closed by hand"


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a breaker is open, and how it comes back; times in ms.

    The first time it opens for ``reset_ms``, then ``growth`` times as long with every failed probe, up
    to ``longest_ms``; of which a share of up to ``jitter`` is drawn off. ``ramp`` has the share of the
    calls let through in each step, of ``step_ms``, between the last probe and the closed state.
    ``quorum`` processes that accuse the service are believed without being put to the proof.
    """

    reset_ms: float
    growth: float = 2.0
    longest_ms: float = 600_000.0
    jitter: float = 0.1
    permitted_probes: int = 1
    probe_ms: float = 30_000.0
    ramp: tuple[float, ...] = (0.01, 0.05, 0.25)
    step_ms: float = 1000.0
    quorum: int = 2

    def open_ms(self, strikes: int, draw: float) -> float:
        """Return the time of the ``strikes``-th opening in a row; ``draw`` is uniform in [0, 1)."""
        longest = max(self.longest_ms, self.reset_ms)
        try:
            grown = self.reset_ms * self.growth ** (strikes - 1)
        except OverflowError:
            grown = longest
        return min(grown, longest) * (1 - self.jitter * draw)


@dataclass(frozen=True, slots=True)
class Circuit:
    """``epoch`` counts openings, ``version`` changes; ``strikes`` openings without a recovery between.

    ``since`` is when the phase began and ``until`` when an open one ends; ``permits`` are probes under
    way (token, deadline), ``challenger`` the token of who puts the accusers to the proof.
    ``overruled`` names those whose accusation was found wrong.
    """

    epoch: int = 0
    version: int = 0
    phase: Phase = "closed"
    since: float = 0.0
    until: float = 0.0
    troubled_since: float = 0.0
    strikes: int = 0
    cause: str = ""
    accusers: tuple[str, ...] = ()
    confirmed: bool = False
    challenger: str | None = None
    overruled: tuple[str, ...] = ()
    permits: tuple[tuple[str, float], ...] = ()
    successes: int = 0
    mode: Mode = "auto"


@dataclass(frozen=True, slots=True)
class Stage:
    """What a circuit means at one moment; ``share`` of calls let through, ``ends`` when it changes."""

    name: Literal["closed", "open", "half-open", "ramp"]
    share: float
    ends: float


@dataclass(frozen=True, slots=True)
class Accusation:
    """A breaker's reason to open: whose, why, and the ms the service itself named (None: none)."""

    node: str
    cause: str
    draw: float
    named_ms: float | None = None


_CLOSED = Stage("closed", 1.0, float("inf"))


def stage(circuit: Circuit, now: float, timing: Timing) -> Stage:
    """Return the stage at ``now``."""
    if circuit.phase == "closed":
        return _CLOSED
    if circuit.phase == "open":
        if now < circuit.until:
            return Stage("open", 0.0, circuit.until)
        return Stage("half-open", 0.0, float("inf"))
    step = int(max(0.0, now - circuit.since) // timing.step_ms)
    if step >= len(timing.ramp):
        return _CLOSED
    return Stage("ramp", timing.ramp[step], circuit.since + (step + 1) * timing.step_ms)


def trip(
    circuit: Circuit, now: float, seen_epoch: int, accusation: Accusation, timing: Timing
) -> Circuit:
    """Open it, or join the accusers of an open one: however many trip at once, it is one opening.

    ``seen_epoch`` is the epoch in which the failures were met; those of an earlier one open nothing.
    """
    at = stage(circuit, now, timing)
    if at.name == "open":
        return _joined(circuit, now, accusation, timing)
    if at.name == "half-open" or seen_epoch < circuit.epoch:
        return circuit
    strikes = 1 if at.name == "closed" else circuit.strikes + 1
    return _opened(circuit, now, strikes, accusation, timing)


def permit(circuit: Circuit, now: float, token: str, timing: Timing) -> Circuit:
    """Hand out a permit to probe; the same circuit where there is none to be had."""
    if stage(circuit, now, timing).name != "half-open":
        return circuit
    if circuit.successes >= timing.permitted_probes:
        return _recovering(circuit, now, timing)  # enough for this process, if not for another
    live = tuple(held for held in circuit.permits if held[1] > now)
    if len(live) + circuit.successes >= timing.permitted_probes:
        return circuit
    held = (*live, (token, now + timing.probe_ms))
    return _changed(circuit, permits=held)


def probe_succeeded(
    circuit: Circuit, now: float, epoch: int, token: str, timing: Timing
) -> Circuit:
    """Count a good probe; enough of them begin the ramp."""
    permits = _without(circuit.permits, token)
    if permits == circuit.permits or not _probing(circuit, now, epoch, timing):
        return circuit
    successes = circuit.successes + 1
    if successes < timing.permitted_probes:
        return _changed(circuit, successes=successes, permits=permits)
    return _recovering(circuit, now, timing)


def probe_failed(
    circuit: Circuit, now: float, epoch: int, accusation: Accusation, timing: Timing
) -> Circuit:
    """Open it for longer."""
    if not _probing(circuit, now, epoch, timing):
        return circuit
    return _opened(circuit, now, circuit.strikes + 1, accusation, timing)


def withdraw(circuit: Circuit, token: str) -> Circuit:
    """Give back a permit, or the right to challenge, whose call told nothing of the service."""
    if circuit.challenger == token:
        return _changed(circuit, challenger=None)
    if all(held != token for held, _ in circuit.permits):
        return circuit
    return _changed(circuit, permits=_without(circuit.permits, token))


def challenge(circuit: Circuit, now: float, node: str, token: str, timing: Timing) -> Circuit:
    """Let one who has seen the service work put the accusers to the proof; once an opening."""
    contestable = may_be_challenged(circuit, now, timing) and node not in circuit.accusers
    return _changed(circuit, challenger=token) if contestable else circuit


def may_be_challenged(circuit: Circuit, now: float, timing: Timing) -> bool:
    """Tell whether it is open on so few accusers' word that a witness may be heard."""
    unsure = not circuit.confirmed and circuit.challenger is None
    return unsure and stage(circuit, now, timing).name == "open"


def overrule(circuit: Circuit, now: float, token: str, timing: Timing) -> Circuit:
    """Close it again: the challenger's call succeeded, so the trouble is its accusers' own."""
    if circuit.challenger != token or stage(circuit, now, timing).name != "open":
        return circuit
    if circuit.confirmed:
        return _changed(circuit, challenger=None)
    return _changed(
        circuit, phase="closed", since=now, strikes=circuit.strikes - 1, challenger=None,
        accusers=(), overruled=circuit.accusers,
    )  # fmt: skip


def confirm(circuit: Circuit, now: float, accusation: Accusation, token: str) -> Circuit:
    """Believe the accusers: the challenger's call failed, too."""
    if circuit.challenger != token:
        return circuit
    accusers = tuple(dict.fromkeys((*circuit.accusers, accusation.node)))
    until = max(circuit.until, now + (accusation.named_ms or 0.0))
    return _changed(circuit, confirmed=True, challenger=None, accusers=accusers, until=until)


def open_by_hand(circuit: Circuit, now: float, draw: float, timing: Timing) -> Circuit:
    """Open it for the time that is due, whatever its stage."""
    by_hand = Accusation(MANUAL, "opened by hand", draw)
    return _opened(circuit, now, max(1, circuit.strikes), by_hand, timing)


def close(circuit: Circuit, now: float) -> Circuit:
    """Close it by hand, with all forgotten but how often it was open."""
    return Circuit(
        circuit.epoch, circuit.version + 1, since=now, mode=circuit.mode, cause=CLOSED_BY_HAND
    )


def force(circuit: Circuit, mode: Mode) -> Circuit:
    """Set what is done whatever happens ("auto": nothing)."""
    return circuit if circuit.mode == mode else _changed(circuit, mode=mode)


def rebased(circuit: Circuit, offset: float) -> Circuit:
    """Return it by a clock that shows ``offset`` ms more."""
    permits = tuple((token, deadline + offset) for token, deadline in circuit.permits)
    return replace(
        circuit, since=circuit.since + offset, until=circuit.until + offset, permits=permits,
        troubled_since=circuit.troubled_since + offset,
    )  # fmt: skip


def _recovering(circuit: Circuit, now: float, timing: Timing) -> Circuit:
    phase: Phase = "ramp" if timing.ramp else "closed"
    return _changed(circuit, phase=phase, since=now, permits=(), successes=0, accusers=())


def _joined(circuit: Circuit, now: float, accusation: Accusation, timing: Timing) -> Circuit:
    until = max(circuit.until, now + (accusation.named_ms or 0.0))
    accusers = tuple(dict.fromkeys((*circuit.accusers, accusation.node)))
    if until == circuit.until and accusers == circuit.accusers:
        return circuit
    sure = circuit.confirmed or len(accusers) >= timing.quorum or bool(accusation.named_ms)
    return _changed(circuit, accusers=accusers, confirmed=sure, until=until)


def _opened(
    circuit: Circuit, now: float, strikes: int, accusation: Accusation, timing: Timing
) -> Circuit:
    named = accusation.named_ms
    lasts = timing.open_ms(strikes, accusation.draw) if named is None else named
    believed = named is not None or accusation.node == MANUAL or timing.quorum <= 1
    return _changed(
        circuit, epoch=circuit.epoch + 1, phase="open", since=now, until=now + lasts,
        troubled_since=now if strikes == 1 else circuit.troubled_since, strikes=strikes,
        cause=accusation.cause, accusers=(accusation.node,), confirmed=believed, challenger=None,
        overruled=(), permits=(), successes=0,
    )  # fmt: skip


def _probing(circuit: Circuit, now: float, epoch: int, timing: Timing) -> bool:
    return circuit.epoch == epoch and stage(circuit, now, timing).name == "half-open"


def _without(permits: tuple[tuple[str, float], ...], token: str) -> tuple[tuple[str, float], ...]:
    return tuple(held for held in permits if held[0] != token)


def _changed(circuit: Circuit, **fields: object) -> Circuit:
    return replace(circuit, version=circuit.version + 1, **fields)  # type: ignore[arg-type]
