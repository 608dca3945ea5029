"""What *Stampede lab* shows, as a ZIP of CSV files."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pandas as pd

from plantid_core.lab.charts import waits

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from plantid_core.lab.record import Record

_TABLES: Final = ("requests", "calls", "expiries")


@dataclass(frozen=True, slots=True)
class Shown:
    """The records of one choice: around one expiry and of many, simulated and on real processes.

    ``lanes`` and ``live_lanes`` are the windows around one expiry, in seconds from it; ``many`` and
    ``live`` whole runs, in seconds from their beginning. ``curve`` has the rows of `fast.curve`.
    """

    lanes: Sequence[Record]
    live_lanes: Sequence[Record] = ()
    curve: pd.DataFrame | None = None
    many: Sequence[Record] = ()
    live: Sequence[Record] = ()

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Return each file's rows; columns ``strategy`` and ``source`` tell whose they are.

        requests, calls, expiries: the lanes; live-…: the whole real runs; curve; waits: ``wait_s`` and
        the ``share`` of requests answered within it; summary: `Record.summary` of every whole run.
        """
        found = {
            name: _joined([_marked(record, name) for record in (*self.lanes, *self.live_lanes)])
            for name in _TABLES
        }
        if self.live:
            found |= {
                f"live-{name}": _joined([_marked(record, name) for record in self.live])
                for name in _TABLES
            }
        if self.curve is not None:
            found["curve"] = self.curve.assign(source="fast")
        whole = [*self.many, *self.live]
        if whole:
            found["waits"] = _joined([_waits(record) for record in whole])
            found["summary"] = _joined([record.summary() for record in whole])
        return found

    def zipped(self) -> bytes:
        """Return the tables as one ZIP."""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, rows in self.tables().items():
                archive.writestr(f"{name}.csv", rows.to_csv(index=False))
        return packed.getvalue()


def _joined(tables: list[pd.DataFrame]) -> pd.DataFrame:
    # An empty table's columns have types of their own, which would change the others'.
    return pd.concat([table for table in tables if len(table)] or tables, ignore_index=True)


def _marked(record: Record, name: str) -> pd.DataFrame:
    rows: pd.DataFrame = getattr(record, name)
    return rows.assign(strategy=record.strategy, source=record.source)


def _waits(record: Record) -> pd.DataFrame:
    seconds, share = waits.distribution(record)
    return pd.DataFrame(
        {"strategy": record.strategy, "source": record.source, "wait_s": seconds, "share": share}
    )
