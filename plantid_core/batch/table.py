"""The table of a batch: a row a suggestion and photo, written whole or not at all, without holding it."""

from __future__ import annotations

import csv
import os
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from plantid_core.batch.folder import shown
from plantid_core.batch.told import heard
from plantid_core.errors import PlantIDError
from plantid_core.export.observations import harmless
from plantid_core.export.tidy import Row, joint_rows, rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from plantid_core.batch.journal_values import Line
    from plantid_core.plants import Answer

    Cell = str | int | float | bool | None
    State = Literal["answered", "refused", "unanswered", "unasked"]

STATES = ("answered", "refused", "unanswered", "unasked")
SUFFIXES = (".csv", ".parquet")
LEADING = ("file", "sha256", "observation", "refusal", "reason")
COLUMNS = (*LEADING, *Row.__annotations__)
_KINDS = {"sandbox": "bool", "rank": "int64", "gbif_id": "int64", "score": "float64"}
_GROUP = 20_000


class TableNotWritten(PlantIDError):
    """The table at ``path`` could not be written; the journal still has everything."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(
            f"{path} could not be written: {reason}. What was answered is kept beside it."
        )
        self.path, self.reason = path, reason


@dataclass(slots=True)
class Written:
    """Photos by what the table says of them, and answers of the sandbox among its rows."""

    photos: Counter[str] = field(default_factory=Counter)
    rows: int = 0
    sandbox: int = 0


def write(
    path: Path, lines: Iterable[Line], order: Iterable[str], silent: Mapping[str, Answer], why: str
) -> Written:
    """Write the table, as Parquet or CSV by the suffix, and return what is in it.

    Columns: file, sha256 (of the file's bytes), observation (answered, refused, unanswered or
    unasked), refusal (a code) and reason, then those of `plantid_core.export.tidy`. ``silent`` has the
    last word of each provider that was given up, for the photos it was not asked about, ``why`` the
    reason for photos that nobody was asked about. Raises `TableNotWritten`.
    """
    written = Written()
    told = _rows(lines, tuple(order), silent, why, written)
    try:
        with _whole(path) as temporary:
            if path.suffix == ".parquet":
                _parquet(temporary, told)
            else:
                _csv(temporary, told)
    except OSError as error:
        raise TableNotWritten(str(path), error.strerror or "the disk failed") from error
    written.photos = Counter({one: written.photos[one] for one in STATES if written.photos[one]})
    return written


def _rows(
    lines: Iterable[Line],
    order: tuple[str, ...],
    silent: Mapping[str, Answer],
    why: str,
    written: Written,
) -> Iterator[tuple[Cell, ...]]:
    for line in lines:
        state = _state(line)
        known = {answer.provider: answer for answer in line.answers}
        if not line.refused:
            known = {name: silent[name] for name in order if name in silent} | known
        answers = [known[name] for name in order if name in known]
        reason = line.message or (why if state == "unasked" else None)
        leading: tuple[Cell, ...] = (
            shown(line.path), line.key.partition(":")[0] if line.key else None, state,
            line.code, reason,
        )  # fmt: skip
        found: list[Row | None] = [*rows(answers)]
        if line.joint is not None:
            found += joint_rows(line.joint, answers)
        written.photos[state] += 1
        for row in found or [None]:
            written.rows += 1
            written.sandbox += bool(row and row["sandbox"])
            values = row.values() if row else [None] * len(Row.__annotations__)
            yield (*leading, *values)


def _state(line: Line) -> State:
    if line.refused:
        return "refused"
    if any(heard(answer) for answer in line.answers):
        return "answered"
    return "unanswered" if line.answers or line.code else "unasked"


def _csv(path: Path, told: Iterable[tuple[Cell, ...]]) -> None:
    with path.open("w", encoding="utf-8", newline="", errors="replace") as file:
        table = csv.writer(file, lineterminator="\r\n")  # RFC 4180
        table.writerow(COLUMNS)
        for row in told:
            table.writerow([harmless(cell) for cell in row])


def _parquet(path: Path, told: Iterator[tuple[Cell, ...]]) -> None:
    import pyarrow as pa  # type: ignore[import-untyped]
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    schema = pa.schema([(name, _KINDS.get(name, "string")) for name in COLUMNS])
    with pq.ParquetWriter(path, schema) as table:
        group: list[tuple[Cell, ...]] = []
        for row in told:
            group.append(row)
            if len(group) == _GROUP:
                table.write_table(_group(group, schema))
                group.clear()
        if group:
            table.write_table(_group(group, schema))


def _group(group: list[tuple[Cell, ...]], schema: object) -> object:
    import pyarrow as pa

    columns = [list(column) for column in zip(*group, strict=True)]
    return pa.table(dict(zip(COLUMNS, columns, strict=True)), schema=schema)


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """Give a file beside the path, and put it in its place once it is whole.

    Whoever holds the journal is alone here: what a run that was killed left of its table is swept away.
    """
    temporary = path.with_name(f".{path.name}.part")
    temporary.unlink(missing_ok=True)
    try:
        temporary.touch(exist_ok=False)
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
