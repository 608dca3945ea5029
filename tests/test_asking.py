"""One request under way: its answers as they come, its outcome at last."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from plantid_core.errors import PlantIDError, UploadRejected
from plantid_core.upload import Upload

if TYPE_CHECKING:
    from plantid_core import Workbench
    from tests.conftest import SandboxServer


def test_a_slow_service_keeps_no_other_answer_back(
    workbench: Workbench, sandbox: SandboxServer, flower: bytes
) -> None:
    """Pl@ntNet's answer can be read while Plant.id has not given its own."""
    workbench.identify([Upload(flower, "flower.jpg")], providers=["plantnet"])
    sandbox.faults(service="plant_id", latency_ms={"p50": 1000, "p99": 1000})
    asking = workbench.begin([Upload(flower, "flower.jpg")], providers=["plant_id", "plantnet"])
    told: list[str] = []
    slow = threading.Thread(target=lambda: told.append(asking.answer("plant_id").provider))
    slow.start()

    told.append(asking.answer("plantnet").provider)
    slow.join()

    assert asking.providers == ("plant_id", "plantnet")
    assert told == ["plantnet", "plant_id"]


def test_whoever_asks_again_is_told_the_same(workbench: Workbench, flower: bytes) -> None:
    """Answers and outcome are made once, for any number of threads that wait for them."""
    asking = workbench.begin([Upload(flower, "flower.jpg")])
    outcomes = []
    threads = [threading.Thread(target=lambda: outcomes.append(asking.outcome())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({id(outcome) for outcome in outcomes}) == 1
    assert [asking.answer(name) for name in asking.providers] == list(outcomes[0].answers)


def test_an_answer_that_is_late_stays_late(
    workbench: Workbench, sandbox: SandboxServer, flower: bytes
) -> None:
    """Past the deadline a provider is said to be silent, also when it is asked for again."""
    sandbox.faults(service="plant_id", latency_ms={"p50": 3000, "p99": 3000})
    asking = workbench.begin([Upload(flower, "flower.jpg")], providers=["plant_id"], deadline_s=0.5)

    first = asking.answer("plant_id")

    assert first.status == "unavailable"
    assert asking.answer("plant_id") is first
    assert asking.outcome().rung == "none"


def test_what_cannot_be_asked_is_said_at_once(workbench: Workbench, flower: bytes) -> None:
    """A refused file or an unknown provider is an error before anybody is asked."""
    with pytest.raises(UploadRejected):
        workbench.begin([Upload(b"some notes", "notes.jpg")])
    with pytest.raises(PlantIDError, match="no provider called"):
        workbench.begin([Upload(flower, "flower.jpg")], providers=["nobody"])
