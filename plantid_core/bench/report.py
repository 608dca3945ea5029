"""What every benchmark hands back: rows of measurements, and ratios with their bars."""

from __future__ import annotations

import os
import platform
import statistics
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Row:
    """One metric of one contestant in one case; median, min and max of ``n`` rounds, in ``unit``."""

    case: str
    contestant: str
    metric: str
    unit: str
    median: float
    min: float
    max: float
    n: int

    @classmethod
    def of(cls, case: str, contestant: str, metric: str, unit: str, values: Sequence[float]) -> Row:
        """Return the row of these values."""
        return cls(
            case, contestant, metric, unit, statistics.median(values), min(values), max(values),
            len(values),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ratio:
    """A figure and the bar it is held to, an upper bound; unit ``x`` for a ratio."""

    name: str
    value: float
    unit: str
    bar: float

    @property
    def holds(self) -> bool:
        """Tell whether the figure is within the bar."""
        return self.value <= self.bar


@dataclass(frozen=True, slots=True)
class Report:
    """A finished benchmark."""

    bench: str
    rows: tuple[Row, ...]
    ratios: tuple[Ratio, ...]

    def median(self, case: str, contestant: str, metric: str) -> float:
        """Return one median; raises KeyError where there is no such row."""
        for row in self.rows:
            if (row.case, row.contestant, row.metric) == (case, contestant, metric):
                return row.median
        raise KeyError((case, contestant, metric))

    def to_dict(self) -> dict[str, object]:
        """Return the JSON of `plantid bench --json`."""
        return {
            "bench": self.bench,
            "machine": machine(),
            "rows": [asdict(row) for row in self.rows],
            "ratios": [asdict(ratio) | {"holds": ratio.holds} for ratio in self.ratios],
        }


def machine() -> dict[str, object]:
    """Return processor, cores, Python and the load average of the last minute."""
    return {
        "cpu": _processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 2),
    }


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
