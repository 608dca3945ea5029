"""The circuits that one breaker goes by: its own, and its part in the fleet's.

Its own is what counts without a fleet, while Redis is away (then it begins as a copy of the fleet's),
for the moment between a trip and the fleet's word on it, and for a process whose accusation the others
have overruled: that one stays away from the service alone, until its own probe succeeds.
"""

from __future__ import annotations

import math
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from plantid_core.resilience import circuit as circuits
from plantid_core.resilience.breaker_permit import OwnCircuit
from plantid_core.resilience.circuit import Circuit, stage

if TYPE_CHECKING:
    from collections.abc import Callable

    from plantid_core.resilience.breaker_fleet import Share
    from plantid_core.resilience.breaker_permit import Keeper
    from plantid_core.resilience.breaker_settings import State
    from plantid_core.resilience.circuit import Accusation, Mode, Stage, Timing

_WITNESS_S = 10.0


class Circuits:
    """Both circuits. ``lock`` is held by whoever changes which of them counts."""

    def __init__(
        self, node: str, timing: Timing, clock: Callable[[], float], start: Circuit
    ) -> None:
        self.lock = threading.RLock()
        self.own = OwnCircuit(clock)
        self.own.circuit = start
        self.share: Share | None = None
        self.outcast = False
        self._node, self._timing, self._clock = node, timing, clock
        self._lent = False
        self._opening = (0, -math.inf)
        self._overruled_in = -1
        self._witness_until = -math.inf

    @property
    def mode(self) -> Mode:
        """Return what is done whatever happens; "auto" for nothing."""
        own = self.own.circuit.mode
        return self.share.circuit.mode if own == "auto" and self.share is not None else own

    @property
    def witness(self) -> bool:
        """Tell whether this process has seen the service work just before the fleet opened."""
        return self._clock() < self._witness_until

    def shared(self) -> Share | None:
        """Return the part in the fleet, where the fleet is to be reached and listens to this one."""
        share = self.share
        return share if share is not None and share.up and not self.outcast else None

    def keepers(self) -> list[Keeper]:
        """Return the keepers of all circuits that count, its own first."""
        share = self.share
        return [self.own] if share is None or not share.up else [self.own, share]

    def worst(self) -> Keeper:
        """Return the keeper of a circuit that is not closed, if there is one."""
        troubled = (keeper for keeper in self.keepers() if self._stage(keeper).name != "closed")
        return next(troubled, self.own)

    def state(self) -> State:
        """Return the state that both come to."""
        mode = self.mode
        if mode != "auto":
            return "open" if mode == "forced-open" else "closed"
        stages = {self._stage(keeper).name for keeper in self.keepers()}
        if "open" in stages:
            return "open"
        return "closed" if stages == {"closed"} else "half-open"

    def refused_until(self) -> float | None:
        """Return until when calls are refused for sure, None where there is nothing to decide."""
        mode = self.mode
        if mode != "auto":
            return math.inf if mode == "forced-open" else -math.inf
        clock, until, closed = self._clock(), -math.inf, True
        for keeper in self.keepers():
            at = self._stage(keeper)
            closed = closed and at.name == "closed"
            if at.name == "open" and not self._contestable(keeper):
                until = max(until, clock + (at.ends - keeper.now()) / 1e3)
        return None if closed else until

    def trip(self, accusation: Accusation) -> None:
        """Open its own circuit."""
        self.own.change(lambda c, now: circuits.trip(c, now, c.epoch, accusation, self._timing))

    def forget(self) -> None:
        """Close its own circuit."""
        self.own.change(_forgotten)

    def take(self, circuit: Circuit, accusation: Accusation, *, saw_it_work: bool) -> bool:
        """Go by the fleet's new circuit; tell whether it has opened anew.

        ``accusation`` is what its own circuit opens with, should the others have overruled it.
        """
        opening = (circuit.epoch, circuit.since if circuit.phase == "open" else self._opening[1])
        opened = opening != self._opening
        if opened:
            self._opening = opening
            self._witness_until = self._clock() + _WITNESS_S if saw_it_work else -math.inf
        if circuit.cause == circuits.CLOSED_BY_HAND:
            self.outcast = False
            self.forget()
        elif circuit.phase != "closed":
            if not self.outcast:
                self.forget()
        elif self._node in circuit.overruled and self._overruled_in != circuit.epoch:
            self._overruled_in, self.outcast = circuit.epoch, True
            self.trip(accusation)
        return opened

    def reach(self, share: Share) -> None:
        """Go with the fleet, which can be reached again, or alone, since it cannot."""
        shared = self._stage(share).name
        if share.up:
            if self._lent or (shared != "closed" and not self.outcast):
                self.forget()
            self._lent = False
        elif shared != "closed" and self._stage(self.own).name == "closed":
            offset = self.own.now() - share.now()
            self.own.change(
                lambda c, _: replace(circuits.rebased(share.circuit, offset), mode=c.mode)
            )
            self._lent = True

    def _stage(self, keeper: Keeper) -> Stage:
        return stage(keeper.circuit, keeper.now(), self._timing)

    def _contestable(self, keeper: Keeper) -> bool:
        circuit, now = keeper.circuit, keeper.now()
        return self.witness and circuits.may_be_challenged(circuit, now, self._timing)


def _forgotten(circuit: Circuit, now: float) -> Circuit:
    return Circuit(circuit.epoch, circuit.version + 1, since=now, mode=circuit.mode)
