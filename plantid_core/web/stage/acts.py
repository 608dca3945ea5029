"""What can be pressed: each act breaks or mends a part, and says in a sentence what it did."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plantid_core.errors import PlantIDError
from plantid_core.web.stage.switches import FROZEN_S, SLOW_S, Switches
from plantid_core.web.stage.ticker import Ticker
from plantid_core.web.stage.traffic import (
    ALL_NEW,
    FEW_NEW,
    LONGEST_S,
    MANY_NEW,
    PEOPLE,
    PER_S,
    Traffic,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from plantid_core.web.stage.switches import Switch
    from plantid_core.workbench import Workbench

_WATCH_S, _LOOK_S = 30.0, 0.01
_STORE_BACK_S = 5.0


@dataclass(frozen=True, slots=True)
class Outage:
    """When the store was killed, on the monotonic clock, and how long it was away (None: it still is)."""

    at: float
    away_s: float | None = None


class Acts:
    """All acts on one workbench by name, each with the switch it needs; see `table`.

    ``tell`` hears of what comes of an act later.
    """

    def __init__(self, workbench: Workbench, tell: Callable[[str], None]) -> None:
        self._workbench, self._tell = workbench, tell
        self.switches = Switches(workbench)
        self.ticker = Ticker(workbench.credits)
        self.traffic = Traffic(workbench, self.ticker, self._new_every)
        self.outage: Outage | None = None
        self._closed = threading.Event()

    def table(self) -> Mapping[str, tuple[Switch | None, Callable[[], str]]]:
        """Return each act's switch and what does it; that raises whatever the part raises."""
        return {
            "traffic": ("people", self._begin_traffic),
            "quiet": (None, self._end_traffic),
            "crowd": ("people", self._crowd),
            "kill_store": ("store", self._kill_store),
            "freeze_store": ("store", self._freeze_store),
            "thaw_store": ("store", self._thaw_store),
            "plant_id_out": ("plant_id", self._plant_id_out),
            "plant_id_back": ("plant_id", self._plant_id_back),
            "plantnet_slow": ("plantnet", self._plantnet_slow),
            "plantnet_back": ("plantnet", self._plantnet_back),
            "bomb": ("bomb", self._bomb),
        }

    @property
    def busy(self) -> bool:
        """Tell whether anything is broken, or anybody sent."""
        switches, traffic = self.switches, self.traffic
        return switches.trouble or switches.frozen or traffic.running or traffic.left > 0

    def close(self) -> None:
        """End the watching."""
        self._closed.set()

    def _new_every(self) -> int:
        unseen = any(self._workbench.breakers[name].state == "closed" for name in self.switches.out)
        return ALL_NEW if unseen else MANY_NEW if self.switches.trouble else FEW_NEW

    def _begin_traffic(self) -> str:
        if self.traffic.running:
            return ""
        self.traffic.begin()
        return f"{PER_S:.0f} people a second come, for {LONGEST_S / 60:.0f} minutes at most."

    def _end_traffic(self) -> str:
        self.traffic.end()
        return "Nobody comes any more."

    def _crowd(self) -> str:
        self.traffic.crowd()
        return f"{PEOPLE:,} people ask at once."

    def _kill_store(self) -> str:
        pid = self.switches.kill_store()
        self.outage = Outage(time.monotonic())
        threading.Thread(
            target=self._watch_store, args=(pid, self.outage), name="stage-store", daemon=True
        ).start()
        return f"Redis (process {pid}) was killed."

    def _watch_store(self, killed: int, outage: Outage) -> None:
        while time.monotonic() < outage.at + _WATCH_S and not self._closed.wait(_LOOK_S):
            if self.switches.store_pid() not in {None, killed} and self._workbench.cache.probe():
                away_s = time.monotonic() - outage.at
                if self.outage is outage:
                    self.outage = Outage(outage.at, away_s)
                self._tell(f"Redis is back after {away_s:.2f} s.")
                return

    def _freeze_store(self) -> str:
        self.switches.freeze_store()
        return f"Redis hangs; it goes on by itself after {FROZEN_S:.0f} s."

    def _thaw_store(self) -> str:
        self.switches.thaw_store()
        return "Redis goes on."

    def _plant_id_out(self) -> str:
        self.switches.put_out("plant_id")
        return "Plant.id is down: it answers nothing at all."

    def _plant_id_back(self) -> str:
        self.switches.bring_back("plant_id")
        return "Plant.id is back."

    def _plantnet_slow(self) -> str:
        self.switches.slow_down("plantnet")
        return f"Pl@ntNet takes {SLOW_S:.0f} s for an answer."

    def _plantnet_back(self) -> str:
        self.switches.bring_back("plantnet")
        return "Pl@ntNet is quick again."

    def _bomb(self) -> str:
        refused = self.switches.bomb()
        return f"A bomb was refused at the {refused.layer} gate. {refused}"

    def mend(self) -> None:
        """Send everybody home, and mend all that is this app's own; raises what a part raised."""
        self.traffic.end()
        self.switches.mend()
        self._await_store()
        for service in self.switches.mendable():
            breaker = self._workbench.breakers[service]
            if breaker.mode != "auto":
                breaker.force("auto")
            breaker.close()
        self.outage = None

    def _await_store(self) -> None:
        until = time.monotonic() + _STORE_BACK_S
        while self.switches.refusal("store") is None and not self._workbench.cache.probe():
            if time.monotonic() > until:
                raise PlantIDError("Redis is not back yet; press *Reset everything* again.")
            time.sleep(_LOOK_S)
