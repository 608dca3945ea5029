"""Who is told that a breaker has opened, or still is needed: the log, and whoever was named."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plantid_core.resilience.listeners import complain
from plantid_core.telemetry import shout

if TYPE_CHECKING:
    from collections.abc import Callable

    from plantid_core.resilience.circuit import Circuit


@dataclass(frozen=True, slots=True)
class Alert:
    """A breaker has opened, or was found still to be needed: why, and how often in a row by now."""

    name: str
    cause: str
    times: int
    open_for_s: float

    def __str__(self) -> str:
        if self.times == 1:
            return f"The breaker {self.name} opened for {self.open_for_s:.3g} s: {self.cause}."
        again = f"stays open ({self.times} times in a row), now for {self.open_for_s:.3g} s"
        return f"The breaker {self.name} {again}: {self.cause}."


class Alarm:
    """Sounds once an opening, in the process that caused it: others' is theirs to raise."""

    def __init__(self, name: str, node: str, alert: Callable[[Alert], None] | None) -> None:
        self._name, self._node, self._alert = name, node, alert
        self._lock = threading.Lock()
        self._sounded_for = -1.0

    def sound(self, circuit: Circuit) -> None:
        """Tell of the circuit's opening, if it is this process's and has not been told."""
        with self._lock:
            mine = circuit.phase == "open" and circuit.accusers[:1] == (self._node,)
            if not mine or circuit.since == self._sounded_for:
                return
            self._sounded_for = circuit.since
        open_for_s = (circuit.until - circuit.since) / 1e3
        alert = Alert(self._name, circuit.cause, circuit.strikes, open_for_s)
        shout("breaker_open", name=self._name, cause=alert.cause, times=alert.times)
        if self._alert is not None:
            try:
                self._alert(alert)
            except Exception as error:  # noqa: BLE001 - the call is not to fail for an alarm
                complain(error)
