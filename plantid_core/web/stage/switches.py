"""The switches: each acts on a part that is this app's own, or says why it does not."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Literal, TypeAlias

from plantid_core.drill.services import SERVICES, Services
from plantid_core.errors import PlantIDError, UploadRejected
from plantid_core.palette import TITLES

if TYPE_CHECKING:
    from plantid_core.drill.services import Service
    from plantid_core.workbench import Workbench

Switch: TypeAlias = Literal["store", "plant_id", "plantnet", "bomb", "people", "drills"]

SLOW_S = 8.0
FROZEN_S = 5.0

_BOMBS = ("png-99-mpx", "webp-canvas", "gif-30000")
_PRODUCTION = "This app is in production: nothing is broken on purpose here."


class Switches:
    """The parts of one workbench that can be broken, and which of them are; see `refusal`."""

    def __init__(self, workbench: Workbench) -> None:
        self._workbench = workbench
        self._store = workbench.embedded.store
        sandbox = workbench.embedded.sandbox
        self._services = None if sandbox is None else Services(sandbox.url)
        self._emulated = {info.name: info.sandbox for info in workbench.providers()}
        self._thaw_later: threading.Timer | None = None
        self._bombs = 0
        self.out: frozenset[Service] = frozenset()
        self.slow: frozenset[Service] = frozenset()

    @property
    def frozen(self) -> bool:
        """Tell whether the store was stopped by hand and has not gone on since."""
        return self._thaw_later is not None

    @property
    def trouble(self) -> bool:
        """Tell whether any service is broken on purpose."""
        return bool(self.out or self.slow)

    def refusal(self, switch: Switch | None = None) -> str | None:
        """Return why a switch, or any at all, cannot be pressed here; None where it can."""
        if self._workbench.settings.environment == "production":
            return _PRODUCTION
        if switch == "store":
            return self._store_refusal()
        if switch in SERVICES:
            return self._service_refusal(switch)
        return self._company_refusal(switch)

    def kill_store(self) -> int:
        """Kill the store's server with SIGKILL; return the process that was. Its watchdog restarts it.

        Raises `PlantIDError` where none runs at the moment, as do the other two.
        """
        pid = self._pid()
        os.kill(pid, signal.SIGKILL)
        self._forget_thaw()
        return pid

    def freeze_store(self) -> None:
        """Stop the store's server with SIGSTOP: it takes connections, and never answers.

        It goes on by itself after `FROZEN_S` seconds.
        """
        pid = self._pid()
        self._forget_thaw()
        os.kill(pid, signal.SIGSTOP)
        self._thaw_later = threading.Timer(FROZEN_S, self.thaw_store)
        self._thaw_later.daemon = True
        self._thaw_later.start()

    def thaw_store(self) -> None:
        """Let a frozen server go on; nothing where none is frozen."""
        self._forget_thaw()
        pid = None if self._store is None else self._store.pid()
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def store_pid(self) -> int | None:
        """Return the store's process; None where none runs."""
        return None if self._store is None else self._store.pid()

    def put_out(self, service: Service) -> None:
        """Have a service answer nothing at all."""
        self._fault(service, outages=[{"start_s": 0, "end_s": 86_400}])
        self.slow, self.out = self.slow - {service}, self.out | {service}

    def slow_down(self, service: Service) -> None:
        """Have a service take `SLOW_S` seconds for each answer, at the median."""
        self._fault(service, latency_ms={"p50": SLOW_S * 1e3, "p99": SLOW_S * 1.2e3})
        self.out, self.slow = self.out - {service}, self.slow | {service}

    def bring_back(self, service: Service) -> None:
        """End a service's faults."""
        self._fault(service)
        self.out, self.slow = self.out - {service}, self.slow - {service}

    def bomb(self) -> UploadRejected:
        """Send the next hostile file through the gates; return what it was refused with.

        Raises `PlantIDError` where it was let in.
        """
        from plantid_core.lab.attacks import ATTACKS

        attack = next(a for a in ATTACKS if a.id == _BOMBS[self._bombs % len(_BOMBS)])
        self._bombs += 1
        try:
            self._workbench.admit(attack.upload())
        except UploadRejected as refused:
            return refused
        raise PlantIDError(f"{attack.title} was let in; it should have been refused.")

    def mend(self) -> None:
        """Thaw the store, and end every fault that is this app's own to end."""
        if self._store_refusal() is None:
            self.thaw_store()
        for service in SERVICES:
            if self._service_refusal(service) is None:
                self.bring_back(service)

    def mendable(self) -> list[Service]:
        """Return the services whose breakers may be closed by hand: no real one's."""
        return [service for service in SERVICES if self._service_refusal(service) is None]

    def _fault(self, service: Service, **faults: object) -> None:
        if self._services is None:
            raise PlantIDError(self._service_refusal(service) or "There is no sandbox.")
        self._services.faults(service, **faults)

    def _pid(self) -> int:
        pid = self.store_pid()
        if pid is None:
            raise PlantIDError("No Redis runs at the moment; wait until it is back.")
        return pid

    def _store_refusal(self) -> str | None:
        if self._store is not None:
            return None
        if self._workbench.settings.redis_url is not None:
            return "PLANTID_REDIS_URL names a Redis that is not this app's own; it is left alone."
        return "There is no Redis here to kill: the app runs without one."

    def _company_refusal(self, switch: Switch | None) -> str | None:
        real = [TITLES[name] for name in SERVICES if not self._emulated.get(name, False)]
        if switch == "people" and real:
            return f"{real[0]} is asked with a real key: so many people would spend its credits."
        if switch == "drills" and (real or self._workbench.settings.redis_url is not None):
            return "Drills run only where neither a real key nor a Redis of somebody's is set."
        return None

    def _service_refusal(self, service: str) -> str | None:
        if not self._emulated.get(service, False):
            return f"{TITLES[service]} is the real service here; only the sandbox can be broken."
        if self._services is None:
            return "PLANTID_SANDBOX_URL names a sandbox that is not this app's own."
        return None

    def _forget_thaw(self) -> None:
        timer, self._thaw_later = self._thaw_later, None
        if timer is not None:
            timer.cancel()
