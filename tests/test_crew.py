"""The threads of one provider, and whole requests that find them taken, stuck or failing."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from processes import in_child, until

from plantid_core.crew import Crew
from plantid_core.drill.photos import photo
from plantid_core.errors import BulkheadFull, DeadlineExceeded
from plantid_core.plants import Reply
from plantid_core.resilience.driver import Cached
from plantid_core.settings import load_settings
from plantid_core.upload import Upload
from plantid_core.workbench import Workbench

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from plantid_core.crew import Outcome
    from plantid_core.deadline import Deadline
    from plantid_core.plants import Observation, Provider
    from tests.conftest import SandboxServer


class Caller:
    """Asks when it is let go, and keeps what it is told."""

    def __init__(self, says: object = "leaf") -> None:
        self.says, self.asked, self.let_go = says, threading.Event(), threading.Event()
        self.told: list[Outcome] = []

    def ask(self) -> Cached:
        self.asked.set()
        self.let_go.wait(20)
        if isinstance(self.says, Exception):
            raise self.says
        return Cached(self.says, "upstream", 0.0)

    def take(self, outcome: Outcome) -> None:
        self.told.append(outcome)


@pytest.fixture
def crew() -> Iterator[Crew]:
    with closing(Crew("c", 2)) as running:
        yield running


def test_a_crowd_with_one_question_takes_one_thread(crew: Crew) -> None:
    """A thousand who want the same wait for one answer, and another question finds a thread."""
    crowd, other = [Caller() for _ in range(1000)], Caller()
    for caller in crowd:
        crew.ask("one", caller)
    other.let_go.set()

    crew.ask("other", other)

    assert until(lambda: len(other.told) == 1)
    crowd[0].let_go.set()
    assert until(lambda: all(len(caller.told) == 1 for caller in crowd))
    assert sum(caller.asked.is_set() for caller in crowd) == 1
    assert {caller.told[0] for caller in crowd} == {Cached("leaf", "upstream", 0.0)}


def test_more_questions_than_threads_are_turned_away(crew: Crew) -> None:
    """At once, since those under way may be stuck; there is room again when they end."""
    stuck, late = [Caller(), Caller()], Caller()
    for number, caller in enumerate(stuck):
        crew.ask(str(number), caller)

    crew.ask("late", late)

    assert [type(told) for told in late.told] == [BulkheadFull]
    for caller in stuck:
        caller.let_go.set()
    assert until(lambda: all(caller.told for caller in stuck))
    stuck[0].told.clear()
    crew.ask("late", stuck[0])
    assert until(lambda: bool(stuck[0].told))


def test_a_hasty_first_caller_leaves_the_question_to_the_next(crew: Crew) -> None:
    """A deadline that passed was the first one's own: those who wait have it asked anew."""
    hasty, *patient = Caller(DeadlineExceeded(1)), Caller(), Caller()
    for caller in (hasty, *patient):
        crew.ask("one", caller)
    for caller in (hasty, *patient):
        caller.let_go.set()

    assert until(lambda: all(caller.told for caller in patient))
    assert isinstance(hasty.told[0], DeadlineExceeded)
    assert [caller.told for caller in patient] == [[Cached("leaf", "upstream", 0.0)]] * 2


def test_a_child_has_threads_of_its_own(crew: Crew) -> None:
    """After a fork nothing is under way, and the first question is answered."""
    stuck = [Caller(), Caller()]
    for number, caller in enumerate(stuck):
        crew.ask(str(number), caller)

    def ask() -> object:
        caller = Caller()
        caller.let_go.set()
        crew.ask("0", caller)
        return until(lambda: bool(caller.told), 5)

    said = in_child(ask)
    for caller in stuck:
        caller.let_go.set()

    assert said == repr(True)  # noqa: FBT003


def test_whoever_comes_after_closing_is_told(crew: Crew) -> None:
    """A closed crew answers with an error, and leaves nobody waiting."""
    crew.close()
    caller = Caller()

    crew.ask("one", caller)

    assert [type(told) for told in caller.told] == [RuntimeError]


class Source:
    """A provider of the test's own."""

    sandbox, cache_scope = False, ""

    def __init__(self, name: str, work: Callable[[], Reply]) -> None:
        self.name, self.work = name, work

    def identify(self, _: Observation, __: Deadline) -> Reply:
        return self.work()


def opened(data_dir: Path, providers: Sequence[Provider]) -> Workbench:
    return Workbench(load_settings(data_dir=data_dir), providers, None)


def fail() -> Reply:
    raise UnicodeError("the-key-in-some-header")


def test_a_surprise_of_one_provider_is_one_answer(tmp_path: Path, flower: bytes) -> None:
    """What nobody foresaw is told without its details, and the other provider stands."""
    providers = [Source("plant_id", fail), Source("offline", lambda: Reply("no_match"))]
    with opened(tmp_path, providers) as workbench:
        outcome = workbench.identify([Upload(flower, "flower.jpg")])

    failed, stands = outcome.answers
    assert (failed.status, stands.status) == ("unavailable", "no_match")
    assert failed.error is not None
    assert failed.error["code"] == "internal"
    assert "the-key" not in repr(outcome)


def test_many_who_are_late_cost_the_grace_once(tmp_path: Path, flower: bytes) -> None:
    """However many providers are beyond the deadline, the request ends soon after it."""
    let_go = threading.Event()

    def stuck() -> Reply:
        let_go.wait(20)
        return Reply("no_match")

    upload = Upload(flower, "flower.jpg")
    with opened(tmp_path, [Source(f"p{n}", stuck) for n in range(8)]) as workbench:
        workbench.admit(upload)
        began = time.monotonic()
        outcome = workbench.identify([upload], deadline_s=0.5)
        took = time.monotonic() - began
        let_go.set()

    assert 0.5 <= took < 1.5
    assert {answer.error and answer.error["code"] for answer in outcome.answers} == {"deadline"}


def test_a_crowd_at_a_hung_service_is_shed_and_hits_wait_for_nobody(
    tmp_path: Path, model_cache: Path, sandbox: SandboxServer, flower: bytes
) -> None:
    """Eight call, sixteen wait, the others are told at once; a hit is a hit."""
    from plantid_core import open_workbench

    (tmp_path / "models").symlink_to(model_cache / "models")
    settings = load_settings(data_dir=tmp_path, sandbox_url=sandbox.url, bulkhead_queue=16)
    crowd, known = [photo(n) for n in range(40)], Upload(flower, "flower.jpg")
    with open_workbench(settings) as workbench, ThreadPoolExecutor(40) as pool:
        for upload in crowd:
            workbench.admit(upload)
        workbench.identify([known], providers=["plantnet"])
        sandbox.faults(service="plantnet", latency_ms={"p50": 20_000, "p99": 20_000})

        def ask(upload: Upload) -> str:
            outcome = workbench.identify([upload], providers=["plantnet"], deadline_s=5)
            error = outcome.answers[0].error
            return error["code"] if error else "none"

        began = time.monotonic()
        asked = [pool.submit(ask, upload) for upload in crowd]
        assert until(lambda: sum(one.done() for one in asked) == 16, 4)
        hit_at = time.monotonic()
        hit = workbench.identify([known], providers=["plantnet"]).answers[0]
        took = time.monotonic() - hit_at
        codes = sorted(one.result() for one in asked)

    assert hit.source == "near"
    assert took < 0.5
    assert hit_at - began < 4
    assert codes == ["bulkhead_full"] * 16 + ["deadline"] * 24
