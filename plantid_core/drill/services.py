"""The sandbox's two services: what is made to go wrong with them, and what they count."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

import requests

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

Service: TypeAlias = Literal["plant_id", "plantnet"]
SERVICES: tuple[Service, ...] = ("plant_id", "plantnet")
_IDENTIFY = {"plant_id": "POST /api/v3/identification", "plantnet": "POST /v2/identify/all"}

_TIMEOUT_S = 10.0
_SAMPLE_S = 0.04
_FOREVER_S = 86_400.0

_Stats: TypeAlias = "dict[str, dict[str, dict[str, int]]]"


class Services:
    """Both services; safe to use from any thread, since every question is a connection of its own."""

    def __init__(self, url: str) -> None:
        self.url = url

    def faults(self, service: Service, **faults: object) -> None:
        """Replace a service's faults (the fields of ``POST /_faults``); none: it is well again."""
        self._ask("POST", "/_faults", {"service": service, **faults})

    def out(self, service: Service) -> None:
        """Have a service answer nothing at all, until its faults are replaced."""
        self.faults(service, outages=[{"start_s": 0, "end_s": _FOREVER_S}])

    def calm(self) -> None:
        """End all faults, and forget what was counted."""
        for service in SERVICES:
            self.faults(service)
        self._ask("DELETE", "/_stats")

    def calls(self) -> dict[str, Counter[str]]:
        """Return each service's identifications so far, by their status."""
        return self.look().calls

    def total(self, service: Service) -> int:
        """Return how many identifications a service was asked for."""
        return self.calls()[service].total()

    def look(self) -> Sample:
        """Return what the sandbox counts now."""
        at = time.monotonic()
        stats = self._ask("GET", "/_stats")
        in_flight = cast("dict[str, int]", stats.pop("in_flight"))
        counted = cast("_Stats", stats)
        calls: dict[str, Counter[str]] = {
            one: Counter(counted.get(one, {}).get(_IDENTIFY[one], {})) for one in SERVICES
        }
        return Sample(at, calls, in_flight)

    def used(self, service: Service) -> int:
        """Return how many of today's requests a service counts as used."""
        if service == "plant_id":
            usage = self._ask("GET", "/api/v3/usage_info", key="sandbox")
            return int(cast("dict[str, int]", usage["used"])["day"])
        quota = cast(
            "dict[str, dict[str, int]]",
            self._ask("GET", "/v2/quota/daily?api-key=sandbox")["quota"],
        )
        return int(quota["identify"]["count"])

    def _ask(
        self, method: str, path: str, body: object = None, *, key: str = ""
    ) -> dict[str, object]:
        with requests.Session() as session:
            session.trust_env = False
            headers = {"Api-Key": key} if key else {}
            response = session.request(
                method, self.url + path, json=body, headers=headers, timeout=_TIMEOUT_S
            )
            response.raise_for_status()
            return cast("dict[str, object]", response.json())


@dataclass(frozen=True, slots=True)
class Sample:
    """What the sandbox counted at a time of the monotonic clock."""

    at: float
    calls: dict[str, Counter[str]]
    in_flight: dict[str, int]

    def good(self, service: Service) -> int:
        """Return how many calls were answered as they should be."""
        return sum(count for status, count in self.calls[service].items() if status[:1] == "2")


class Watch:
    """Looks at the services 25 times a second while it is open."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._over = threading.Event()
        self._samples = [services.look()]
        self._thread = threading.Thread(target=self._run, name="drill-watch", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        self._thread.join()

    def most_in_flight(self, service: Service) -> int:
        """Return the most calls that were served at once."""
        return max(sample.in_flight[service] for sample in list(self._samples))

    def calls_between(self, service: Service, start: float, end: float) -> int:
        """Return how many calls ended in a span of the monotonic clock, to a sample's precision."""
        return self._counted(service, end) - self._counted(service, start)

    def first_call(self, service: Service) -> float | None:
        """Return when a call was first seen to have ended, None if none was."""
        return self._first(lambda sample: sample.calls[service].total() > 0)

    def first_good(self, service: Service, since: float = 0.0) -> float | None:
        """Return when a good answer was first seen after a time, None if none was."""
        known = max((s.good(service) for s in list(self._samples) if s.at <= since), default=0)
        return self._first(lambda sample: sample.at > since and sample.good(service) > known)

    def _first(self, wanted: Callable[[Sample], bool]) -> float | None:
        return next((sample.at for sample in list(self._samples) if wanted(sample)), None)

    def _counted(self, service: Service, at: float) -> int:
        seen = [sample.calls[service].total() for sample in list(self._samples) if sample.at <= at]
        return seen[-1] if seen else 0

    def _run(self) -> None:
        while not self._over.wait(_SAMPLE_S):
            self._samples.append(self._services.look())
