"""What can be made to go wrong, and the dice that decide when it does."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

if TYPE_CHECKING:
    from typing import Self

Service = Literal["plant_id", "plantnet"]

_Z99 = 2.3263478740408408  # the normal distribution's 99th percentile


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Latency(_Strict):
    """A log-normal delay by two of its percentiles, in milliseconds."""

    p50: float = Field(ge=0, le=600_000)
    p99: float = Field(ge=0, le=600_000)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.p99 < self.p50:
            raise ValueError("p99 must not be below p50")
        return self

    def draw_s(self, dice: np.random.Generator) -> float:
        """Return a delay in seconds."""
        if self.p50 == 0:
            return 0.0
        sigma = math.log(self.p99 / self.p50) / _Z99
        return float(self.p50 * math.exp(sigma * dice.standard_normal())) / 1e3


class ErrorAnswer(_Strict):
    """A status answered at a rate of 0…1, with Retry-After where given."""

    status: int = Field(ge=400, le=599)
    rate: float = Field(ge=0, le=1)
    retry_after_s: float | None = Field(default=None, ge=0)


class Outage(_Strict):
    """A window, in seconds after the faults were set, in which connections are reset."""

    start_s: float = Field(ge=0)
    end_s: float = Field(ge=0)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.end_s < self.start_s:
            raise ValueError("end_s must not be before start_s")
        return self


class Faults(_Strict):
    """All faults of one service. Setting them replaces the service's former ones."""

    service: Service
    latency_ms: Latency | None = None
    errors: tuple[ErrorAnswer, ...] = ()
    malformed_rate: float = Field(default=0, ge=0, le=1)
    reset_rate: float = Field(default=0, ge=0, le=1)
    truncate_rate: float = Field(default=0, ge=0, le=1)
    drip_bytes_per_s: float | None = Field(default=None, gt=0)
    outages: tuple[Outage, ...] = ()
    quota: int | None = Field(default=None, ge=0)

    @field_validator("errors")
    @classmethod
    def _exclusive(cls, errors: tuple[ErrorAnswer, ...]) -> tuple[ErrorAnswer, ...]:
        if math.fsum(error.rate for error in errors) > 1:
            raise ValueError("the rates must not add up to more than 1")
        return errors


class FaultBoard:
    """The faults in force, by service, drawn from one seeded generator."""

    def __init__(self, seed: int | None = None) -> None:
        self._dice = np.random.default_rng(seed)
        self._faults: dict[Service, tuple[float, Faults]] = {}

    def put(self, faults: Faults) -> None:
        """Replace a service's faults; its outage windows count from now."""
        self._faults[faults.service] = (time.monotonic(), faults)

    def faults(self, service: Service) -> Faults:
        """Return what is in force for a service."""
        return self._faults[service][1] if service in self._faults else Faults(service=service)

    def is_out(self, service: Service) -> bool:
        """Tell whether the service is inside one of its outage windows."""
        if service not in self._faults:
            return False
        began, faults = self._faults[service]
        elapsed = time.monotonic() - began
        return any(outage.start_s <= elapsed < outage.end_s for outage in faults.outages)

    def delay_s(self, service: Service) -> float:
        """Draw a delay in seconds."""
        latency = self.faults(service).latency_ms
        return latency.draw_s(self._dice) if latency else 0.0

    def error(self, service: Service) -> ErrorAnswer | None:
        """Draw one of the service's error answers, or none."""
        at = float(self._dice.random())
        for error in self.faults(service).errors:
            if at < error.rate:
                return error
            at -= error.rate
        return None

    def happens(self, rate: float) -> bool:
        """Draw whether something of this rate happens."""
        return rate > 0 and float(self._dice.random()) < rate
