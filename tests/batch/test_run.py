"""A batch on this machine: real services of the sandbox, real files, and their trouble."""

from __future__ import annotations

import csv
import os
import shutil
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest
from folders import crops

from plantid_core.batch import run
from plantid_core.batch.ask import answers_of
from plantid_core.batch.journal import Journal
from plantid_core.batch.order import Order
from plantid_core.batch.team import LocalTeam
from plantid_core.errors import PlantIDError
from plantid_core.settings import load_settings
from plantid_core.upload import Upload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from plantid_core import Workbench
    from plantid_core.batch.order import Done, Progress
    from tests.conftest import SandboxServer

SERVICES = ("plant_id", "plantnet")
ROUTES = {"plant_id": "POST /api/v3/identification", "plantnet": "POST /v2/identify/all"}


def calls(sandbox: SandboxServer) -> dict[str, int]:
    return {name: sum(sandbox.calls(name, route).values()) for name, route in ROUTES.items()}


class Batch:
    """One folder and its table; every run has a store of its own unless told otherwise."""

    def __init__(self, tmp_path: Path, sandbox: SandboxServer) -> None:
        self.directory, self.out = tmp_path / "photos", tmp_path / "out.csv"
        self._data, self._url, self._runs = tmp_path / "data", sandbox.url, 0

    @contextmanager
    def opened(self, **more: object) -> Iterator[tuple[LocalTeam, Journal, Order]]:
        self._runs += 1
        settings = load_settings(data_dir=self._data / str(self._runs), sandbox_url=self._url)
        with LocalTeam.open(settings, 4) as team:
            providers = run.chosen(team.services(), SERVICES)
            order = Order(self.directory, providers, **more)  # type: ignore[arg-type]
            choice = run.choice(order, team.services())
            with Journal(self.out.with_suffix(".journal"), choice) as journal:
                yield team, journal, order

    def run(
        self,
        tell: Callable[[Progress], None] | None = None,
        stop: threading.Event | None = None,
        **more: object,
    ) -> Done:
        with self.opened(**more) as (team, journal, order):
            run.prepare(journal, order)
            done = run.run(team, journal, order, tell=tell, stop=stop or threading.Event())
            run.write(self.out, journal, order, done)
        return done

    def rows(self) -> list[dict[str, str]]:
        with self.out.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def files(self, observation: str) -> set[str]:
        return {row["file"] for row in self.rows() if row["observation"] == observation}


@pytest.fixture
def batch(tmp_path: Path, sandbox: SandboxServer, flower: bytes) -> Batch:
    """Return a batch of six different photos."""
    made = Batch(tmp_path, sandbox)
    crops(flower, made.directory, 6)
    return made


def test_each_different_photo_is_asked_once_and_answered_under_each_name(
    batch: Batch, sandbox: SandboxServer
) -> None:
    """A copy costs nothing, a text file is refused with its code, and the sandbox is marked."""
    (batch.directory / "deep").mkdir()
    shutil.copy(batch.directory / "000.jpg", batch.directory / "deep" / "copy.jpg")
    (batch.directory / "text.jpg").write_text("no photo")

    done = batch.run()

    assert calls(sandbox) == {"plant_id": 6, "plantnet": 6}
    assert (done.counts.settled, done.counts.refused, done.credits) == (7, 1, 12)
    rows = {row["file"]: row for row in batch.rows()}
    assert rows["text.jpg"]["refusal"] == "type"
    first, copy = (
        [row["scientific_name"] for row in batch.rows() if row["file"] == name]
        for name in ("000.jpg", "deep/copy.jpg")
    )
    assert first == copy
    assert {row["sandbox"] for row in batch.rows() if row["provider"]} == {"True"}


def test_a_second_run_costs_nothing(batch: Batch, sandbox: SandboxServer) -> None:
    """Everything is in the journal; a photo that came meanwhile is asked."""
    batch.run()
    table = batch.out.read_bytes()
    again = batch.run()
    assert (again.asked, batch.out.read_bytes()) == (0, table)

    shutil.copy(batch.directory / "001.jpg", batch.directory / "new.jpg")
    (batch.directory / "new.jpg").write_bytes((batch.directory / "001.jpg").read_bytes() + b"\0")
    batch.run()

    assert batch.files("answered") == {f"{number:03}.jpg" for number in range(6)} | {"new.jpg"}
    assert calls(sandbox)["plant_id"] <= 7


def test_a_table_is_whole_and_nothing_is_left_beside_it(batch: Batch) -> None:
    """What a run that was killed while it wrote has left is swept away; the umask is kept."""
    left = batch.out.with_name(f".{batch.out.name}.part")
    left.write_text("half a table")
    before = os.umask(0o027)
    try:
        batch.run()
    finally:
        os.umask(before)

    assert batch.out.stat().st_mode & 0o777 == 0o640
    assert {path.name for path in batch.out.parent.glob("*out*")} == {"out.csv", "out.journal"}


def test_parquet_has_the_rows_of_the_csv(batch: Batch) -> None:
    """Numbers and truth values are what they are, not text."""
    with batch.opened() as (team, journal, order):
        run.prepare(journal, order)
        done = run.run(team, journal, order, stop=threading.Event())
        for path in (batch.out, batch.out.with_suffix(".parquet")):
            run.write(path, journal, order, done)

    table = pq.read_table(batch.out.with_suffix(".parquet"))

    rows = batch.rows()
    assert table.column("file").to_pylist() == [row["file"] for row in rows]
    ranks = [int(row["rank"]) if row["rank"] else None for row in rows]
    assert table.column("rank").to_pylist() == ranks
    assert set(table.column("sandbox").to_pylist()) == {True}


def test_a_service_without_quota_is_left_alone_and_asked_by_the_next_run(
    batch: Batch, sandbox: SandboxServer
) -> None:
    """The others finish, the table says why, and only what is missing is asked later."""
    sandbox.faults(service="plantnet", quota=0)
    done = batch.run()

    # The service's own word is told, not that it is left alone for it.
    assert {name: answer.status for name, answer in done.silent.items()} == {"plantnet": "quota"}
    assert calls(sandbox)["plantnet"] <= 4 + 4  # those that were under way when it said so
    assert done.credits == calls(sandbox)["plant_id"] == 6
    told = [row for row in batch.rows() if row["provider"] == "plantnet"]
    assert {row["file"] for row in told} == {f"{number:03}.jpg" for number in range(6)}
    # After so many refusals its breaker speaks for it.
    assert {row["status"] for row in told} <= {"quota", "unavailable"}
    assert all(row["error"] for row in told)

    sandbox.clear()
    after = batch.run()

    assert calls(sandbox) == {"plant_id": 0, "plantnet": 6}
    assert after.counts.left == 0
    assert {row["status"] for row in batch.rows() if row["provider"] == "plantnet"} == {"ok"}


def test_a_service_that_asks_for_a_pause_is_asked_again_in_the_same_run(
    batch: Batch, sandbox: SandboxServer
) -> None:
    """Its Retry-After is kept, and in the end every photo is answered."""
    for number in range(1, 6):
        (batch.directory / f"{number:03}.jpg").unlink()
    busy = [{"status": 503, "rate": 1.0, "retry_after_s": 1}]
    sandbox.faults(service="plant_id", errors=busy)

    def mend(progress: Progress) -> None:
        if "plant_id" in progress.silent:
            sandbox.faults(service="plant_id")

    done = batch.run(tell=mend)

    assert (done.counts.left, done.silent) == (0, {})
    assert all(row["status"] in {"ok", "no_match"} for row in batch.rows())


def test_credits_are_never_exceeded(batch: Batch, sandbox: SandboxServer) -> None:
    """It stops before the bound, of all runs together; the table tells which were not asked."""
    done = batch.run(max_credits=5)

    assert (done.stopped, done.credits) == ("credits", 4)
    assert sum(calls(sandbox).values()) == 4
    assert len(batch.files("answered")) == 2
    assert len(batch.files("unasked")) == 4

    more = batch.run(max_credits=12)

    assert (more.stopped, more.credits, more.credits_now) == (None, 12, 8)


def test_a_stop_ends_what_is_under_way_and_the_next_run_goes_on(
    batch: Batch, sandbox: SandboxServer, flower: bytes
) -> None:
    """Nothing that was asked is lost, so nothing is asked twice."""
    crops(flower, batch.directory, 10)
    stop = threading.Event()

    done = batch.run(tell=lambda _: stop.set(), stop=stop)
    waiting = batch.files("unasked")
    batch.run()

    assert (done.stopped, done.counts.left, len(waiting)) == ("interrupted", 2, 2)
    assert calls(sandbox) == {"plant_id": 10, "plantnet": 10}
    assert len(batch.files("answered")) == 10


def test_an_estimate_asks_nobody(batch: Batch, sandbox: SandboxServer) -> None:
    """Photos that differ, and the calls that they take at most."""
    shutil.copy(batch.directory / "000.jpg", batch.directory / "copy.jpg")
    with batch.opened() as (_, journal, order):
        estimate = run.prepare(journal, order)

    assert (estimate.photos, estimate.distinct, estimate.credits) == (7, 6, 12)
    assert calls(sandbox) == {"plant_id": 0, "plantnet": 0}


def test_answers_are_yielded_as_uploads_are_pulled(workbench: Workbench, flower: bytes) -> None:
    """No more are pulled than are under way; a refusal is told, a missing provider is an error."""
    pulled: list[str] = []

    def uploads() -> Iterator[tuple[str, Upload]]:
        for number in range(30):
            pulled.append(name := f"{number}")
            data = flower if number else b"no photo"
            yield name, Upload(data, "flower.jpg")

    asked = answers_of(workbench, uploads(), providers=["plantnet"], concurrency=2)
    first = [next(asked) for _ in range(3)]
    asked.close()

    assert len(pulled) <= 5
    by_name = {one.name: one for one in first}
    assert str(by_name["0"].refusal).startswith("This file is")
    assert all(one.outcome is not None for name, one in by_name.items() if name != "0")
    with pytest.raises(PlantIDError, match="'nobody'"):
        next(answers_of(workbench, uploads(), providers=["nobody"]))


def test_calls_are_counted_as_whose_batch_it_is(
    sandbox: SandboxServer, tmp_path: Path, flower: bytes
) -> None:
    """Their calls of a minute are theirs alone: another's batch has its own."""
    directory = tmp_path / "photos"
    crops(flower, directory, 2)
    settings = load_settings(
        data_dir=tmp_path / "data", sandbox_url=sandbox.url, quota_user_per_minute=1
    )
    with LocalTeam.open(settings, 1) as team:

        def answered(user: str, language: str) -> int:
            order = Order(directory, ("plantnet",), language, 1, patience_s=0, user=user)
            choice = run.choice(order, team.services())
            with Journal(tmp_path / f"{user}-{language}.journal", choice) as journal:
                run.prepare(journal, order)
                return run.run(team, journal, order, stop=threading.Event()).credits_now

        found = [answered(*who) for who in (("ann", "en"), ("ann", "de"), ("ben", "fr"))]

    assert found == [1, 0, 1]
