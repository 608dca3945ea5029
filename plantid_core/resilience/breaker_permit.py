"""Who may pass a breaker that is not closed, and what their calls then say of it."""

from __future__ import annotations

import secrets
import threading
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Protocol

from plantid_core.resilience import circuit as circuits
from plantid_core.resilience.circuit import Accusation, Circuit, Timing, stage
from plantid_core.resilience.link import LinkError

if TYPE_CHECKING:
    from collections.abc import Callable

    from plantid_core.resilience.breaker_fleet import Transition

_SHORTLY_S = 0.05
_RAMP_FAILURES = 2
# Few enough that a service that fails again is noticed as soon as a closed breaker would.
_RAMP_REMEMBERS = 8


class Refused(Exception):
    """No way through; ``left_s`` is when there may be one."""

    def __init__(self, left_s: float) -> None:
        self.left_s = left_s
        super().__init__(left_s)


class Keeper(Protocol):
    """Keeps a circuit: this process's own, or its part in the fleet's."""

    @property
    def circuit(self) -> Circuit:
        """Return the circuit as it is known."""

    def now(self) -> float:
        """Return the ms of the circuit's clock."""

    def change(self, transition: Transition) -> Circuit:
        """Change the circuit; returns what it is then. May raise `LinkError`."""


class OwnCircuit:
    """A circuit of this process alone."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.circuit = Circuit()
        self._clock = clock
        self._lock = threading.Lock()

    def now(self) -> float:
        """Return the ms of the clock."""
        return self._clock() * 1e3

    def change(self, transition: Transition) -> Circuit:
        """Change the circuit; returns what it is then."""
        with self._lock:
            self.circuit = transition(self.circuit, self.now())
            return self.circuit


@dataclass(frozen=True, slots=True)
class Grant:
    """Leave to call, by one keeper; ``token`` names the permit of a probe or a challenge."""

    keeper: Keeper
    kind: Literal["probe", "challenge", "ramp"]
    epoch: int
    token: str = ""

    def succeeded(self, ramp: Ramp, timing: Timing) -> None:
        """Let the call's success count."""
        match self.kind:
            case "probe":
                self.keeper.change(
                    lambda c, now: circuits.probe_succeeded(c, now, self.epoch, self.token, timing)
                )
            case "challenge":
                self.keeper.change(lambda c, now: circuits.overrule(c, now, self.token, timing))
            case "ramp":
                ramp.count(self.epoch, failed=False)

    def failed(self, ramp: Ramp, accusation: Accusation, timing: Timing) -> None:
        """Let the call's failure count."""
        match self.kind:
            case "probe":
                self.keeper.change(
                    lambda c, now: circuits.probe_failed(c, now, self.epoch, accusation, timing)
                )
            case "challenge":
                self.keeper.change(lambda c, now: circuits.confirm(c, now, accusation, self.token))
            case "ramp":
                if ramp.count(self.epoch, failed=True) or accusation.named_ms is not None:
                    again = replace(accusation, cause="its calls failed again on the way back")
                    self.keeper.change(
                        lambda c, now: (
                            circuits.trip(c, now, self.epoch, again, timing)
                            if c.epoch == self.epoch
                            else c
                        )
                    )

    def withdraw(self) -> None:
        """Give the leave back: the call told nothing."""
        if self.token:
            self.keeper.change(lambda c, _: circuits.withdraw(c, self.token))


class Ramp:
    """This process's share of a ramp: whose turn it is, and how the calls let through ended.

    Calls let through are evenly spaced; ``draw`` says where in its first interval a process begins,
    so that many processes together let through the share, and not one call each.
    """

    def __init__(self, draw: Callable[[], float]) -> None:
        self._draw = draw
        self._lock = threading.Lock()
        self._epoch = -1
        self._due = 0.0
        self._failed: deque[bool] = deque(maxlen=_RAMP_REMEMBERS)

    def admits(self, epoch: int, share: float) -> bool:
        """Tell whether the next call is one of the share."""
        with self._lock:
            if epoch != self._epoch:
                self._epoch, self._due = epoch, self._draw()
                self._failed.clear()
            self._due += share
            if self._due < 1:
                return False
            self._due -= 1
            return True

    def count(self, epoch: int, *, failed: bool) -> bool:
        """Count a call's end; tell whether too many of the last few failed: two or more, and over half."""
        with self._lock:
            if epoch != self._epoch:
                return False  # a late call of an earlier ramp
            self._failed.append(failed)
            failures = sum(self._failed)
            return failed and failures >= _RAMP_FAILURES and failures * 2 > len(self._failed)


class Gate:
    """Asks the keepers of circuits that are not closed; at most k callers ask for permits at once.

    Others are refused meanwhile, so that no crowd waits for Redis.
    """

    def __init__(self, node: str, timing: Timing, draw: Callable[[], float]) -> None:
        self.node, self.timing = node, timing
        self.ramp = Ramp(draw)
        self._asking = threading.BoundedSemaphore(timing.permitted_probes)

    def pass_(self, keepers: list[Keeper], *, witness: bool) -> list[Grant]:
        """Return the leave of every keeper whose circuit is not closed; raises `Refused`.

        ``witness``: this process has just seen the service work. Raises `LinkError`, with what was
        granted given back.
        """
        grants: list[Grant] = []
        try:
            for keeper in keepers:
                grant = self._ask(keeper, witness=witness)
                if grant is not None:
                    grants.append(grant)
        except (Refused, LinkError):
            self.give_back(grants)
            raise
        return grants

    @staticmethod
    def give_back(grants: list[Grant]) -> None:
        """Give up leave that is not used; a permit that cannot be given back expires."""
        for grant in grants:
            try:
                grant.withdraw()
            except LinkError:
                continue

    def _ask(self, keeper: Keeper, *, witness: bool) -> Grant | None:
        circuit, now = keeper.circuit, keeper.now()
        at = stage(circuit, now, self.timing)
        match at.name:
            case "closed":
                return None
            case "open":
                if not (witness and circuits.may_be_challenged(circuit, now, self.timing)):
                    raise Refused((at.ends - now) / 1e3)
                return self._token(
                    keeper,
                    "challenge",
                    lambda c, now, token: circuits.challenge(c, now, self.node, token, self.timing),
                )
            case "half-open":
                return self._token(
                    keeper,
                    "probe",
                    lambda c, now, token: circuits.permit(c, now, token, self.timing),
                )
            case "ramp":
                if not self.ramp.admits(circuit.epoch, at.share):
                    raise Refused((at.ends - now) / 1e3)
                return Grant(keeper, "ramp", circuit.epoch)

    def _token(
        self,
        keeper: Keeper,
        kind: Literal["probe", "challenge"],
        transition: Callable[[Circuit, float, str], Circuit],
    ) -> Grant:
        token = secrets.token_hex(6)
        if transition(keeper.circuit, keeper.now(), token) is keeper.circuit:
            raise Refused(_SHORTLY_S)  # known to be taken: nobody needs to be asked
        if not self._asking.acquire(blocking=False):
            raise Refused(_SHORTLY_S)
        try:
            changed = keeper.change(lambda c, now: transition(c, now, token))
        finally:
            self._asking.release()
        held = changed.challenger == token or any(token == held for held, _ in changed.permits)
        if not held:
            raise Refused(_SHORTLY_S)
        return Grant(keeper, kind, changed.epoch, token)
