"""The sandbox as what makes a cache's values: one real call each, of a set length and failure rate."""

from __future__ import annotations

import http.client
import json
import math
from typing import TYPE_CHECKING

from plantid_core.errors import PlantIDError
from plantid_core.lab.workload import Recompute

if TYPE_CHECKING:
    from collections.abc import Mapping

# The lightest route that the faults apply to: it looks at no picture and costs no credit.
_ROUTE = "/v2/_status"
_SERVICE = "plantnet"
_TIMEOUT_S = 60.0
_FAILS_FROM = 400
_Z99 = 2.3263478740408408  # the normal distribution's 99th percentile


class UpstreamFailed(PlantIDError):
    """A call upstream was answered by an error, or not at all; ``status`` is 0 then."""

    def __init__(self, status: int, reason: str) -> None:
        self.status = status
        super().__init__(f"The call upstream failed: {reason}.")


def served(recompute: Recompute) -> Recompute:
    """Return the distribution that the sandbox draws from when asked for this one.

    It knows constants and log-normals, so exponential times become log-normal ones of the same mean
    and the same standard deviation: σ² = ln 2.
    """
    if recompute.spread == "exponential":
        return Recompute(recompute.mean_s, "lognormal", math.sqrt(math.log(2)))
    return recompute


def latency_ms(recompute: Recompute) -> dict[str, float]:
    """Return a distribution's 50th and 99th percentiles, as the sandbox's faults take them."""
    shape = served(recompute)
    if shape.spread == "constant":
        return {"p50": shape.mean_s * 1e3, "p99": shape.mean_s * 1e3}
    median = shape.mean_s * math.exp(-(shape.sigma**2) / 2)
    return {"p50": median * 1e3, "p99": median * math.exp(_Z99 * shape.sigma) * 1e3}


class Upstream:
    """The sandbox at a port of loopback; safe to use from any thread.

    Each call has a connection of its own, as a client that calls seldom has.
    """

    def __init__(self, port: int) -> None:
        self.port = port

    def call(self) -> None:
        """Make one call; raises `UpstreamFailed`."""
        try:
            status, _ = self._ask("GET", _ROUTE)
        except (OSError, http.client.HTTPException) as error:
            raise UpstreamFailed(0, str(error) or type(error).__name__) from error
        if status >= _FAILS_FROM:
            raise UpstreamFailed(status, f"HTTP {status}")

    def be(self, recompute: Recompute, fail_rate: float) -> None:
        """Have calls take so long and fail so often from now on; a failure takes as long."""
        errors = [{"status": 503, "rate": fail_rate}] if fail_rate else []
        faults = {"service": _SERVICE, "latency_ms": latency_ms(recompute), "errors": errors}
        try:
            status, body = self._ask("POST", "/_faults", faults)
        except (OSError, http.client.HTTPException) as error:
            raise PlantIDError(f"The sandbox of the live run is gone: {error}.") from error
        if status >= _FAILS_FROM:
            raise PlantIDError(f"The sandbox refused its latency: {body.decode()[:200]}")

    def _ask(
        self, method: str, path: str, faults: Mapping[str, object] | None = None
    ) -> tuple[int, bytes]:
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_TIMEOUT_S)
        try:
            body = None if faults is None else json.dumps(faults)
            line.request(method, path, body, {"Connection": "close"})
            answer = line.getresponse()
            return answer.status, answer.read()
        finally:
            line.close()
