"""The whole flow, on a real store and a real sandbox."""

from __future__ import annotations

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from plantid_core import open_workbench
from plantid_core.errors import PlantIDError, UploadRejected
from plantid_core.plants import Place
from plantid_core.settings import load_settings
from plantid_core.upload import Upload

if TYPE_CHECKING:
    from pathlib import Path

    from plantid_core import Workbench
    from plantid_core.plants import Answer, Outcome
    from tests.conftest import SandboxServer

PLANT_ID, PLANTNET = "POST /api/v3/identification", "POST /v2/identify/all"


def answer(outcome: Outcome, provider: str) -> Answer:
    return next(answer for answer in outcome.answers if answer.provider == provider)


def test_three_sources_answer_side_by_side(workbench: Workbench, flower: bytes) -> None:
    """Both services and the offline model name the plant, and the marks are honest."""
    outcome = workbench.identify([Upload(flower, "flower.jpg")])

    assert [a.provider for a in outcome.answers] == ["plant_id", "plantnet", "offline"]
    assert {a.status for a in outcome.answers} == {"ok"}
    assert [a.sandbox for a in outcome.answers] == [True, True, False]
    assert outcome.rung == "fresh"
    assert outcome.degraded == ()
    assert {stage.stage for stage in outcome.trace} >= {"validate", "plant_id", "plantnet"}


def test_the_second_answer_comes_from_the_cache(
    workbench: Workbench, sandbox: SandboxServer, flower: bytes
) -> None:
    """The same photo is not paid for twice, also under another name, also by another process."""
    workbench.identify([Upload(flower, "flower.jpg")])

    outcome = workbench.identify([Upload(flower, "again.jpg")])
    with open_workbench(workbench.settings) as other:
        elsewhere = other.identify([Upload(flower, "flower.jpg")])

    assert answer(outcome, "plant_id").source == "near"
    assert answer(outcome, "plantnet").source == "near"
    assert answer(elsewhere, "plant_id").source == "redis"
    assert answer(elsewhere, "plantnet").source == "redis"
    assert answer(outcome, "offline").source == "local"
    assert sandbox.calls("plant_id", PLANT_ID) == {"201": 1}


def test_fresh_asks_anew(workbench: Workbench, sandbox: SandboxServer, flower: bytes) -> None:
    """A fresh request passes the cache by."""
    workbench.identify([Upload(flower, "flower.jpg")])

    outcome = workbench.identify([Upload(flower, "flower.jpg")], fresh=True)

    assert answer(outcome, "plantnet").source == "upstream"
    assert sandbox.calls("plantnet", PLANTNET) == {"200": 2}


def test_fifty_at_once_are_decoded_and_asked_once(
    workbench: Workbench, sandbox: SandboxServer
) -> None:
    """One large photo sent fifty times at once costs one decode, and one call a service."""
    data = _large_photo()
    gate = threading.Barrier(50)

    def send(_: int) -> Outcome:
        gate.wait()
        return workbench.identify([Upload(data, "big.jpg")])

    with ThreadPoolExecutor(50) as pool:
        outcomes = list(pool.map(send, range(50)))

    assert workbench.admission.decoded == 1
    assert sum(sandbox.calls("plant_id", PLANT_ID).values()) == 1
    assert sum(sandbox.calls("plantnet", PLANTNET).values()) == 1
    assert len({answer(o, "plant_id").status for o in outcomes}) == 1


def _large_photo() -> bytes:
    import io

    pixels = np.random.default_rng(3).integers(0, 256, (1500, 2000, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=96)
    assert 3e6 < len(buffer.getvalue()) < 9e6
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("faults", "status", "code"),
    [
        ({"errors": [{"status": 500, "rate": 1}]}, "unavailable", "http_500"),
        ({"errors": [{"status": 429, "rate": 1, "retry_after_s": 9}]}, "quota", "quota"),
        ({"errors": [{"status": 401, "rate": 1}]}, "rejected", "key"),
        ({"reset_rate": 1}, "unavailable", "connection"),
        ({"truncate_rate": 1}, "unavailable", None),
        ({"malformed_rate": 1}, "unavailable", "malformed"),
    ],
)
@pytest.mark.parametrize("service", ["plant_id", "plantnet"])
def test_a_service_that_fails_is_one_answer(
    workbench: Workbench,
    sandbox: SandboxServer,
    flower: bytes,
    service: str,
    faults: dict[str, object],
    status: str,
    code: str | None,
) -> None:
    """The failed service says what happened; the others stand."""
    sandbox.faults(service=service, **faults)

    outcome = workbench.identify([Upload(flower, "flower.jpg")])

    failed = answer(outcome, service)
    assert failed.status == status
    assert failed.error is not None
    assert code in {None, failed.error["code"]}
    assert [a.status for a in outcome.answers].count("ok") == 2
    assert outcome.rung == "other"


def test_a_dripping_service_is_cut_by_the_deadline(
    workbench: Workbench, sandbox: SandboxServer, flower: bytes
) -> None:
    """A body of ten bytes a second does not hold the request."""
    sandbox.faults(service="plantnet", drip_bytes_per_s=10)

    outcome = workbench.identify([Upload(flower, "flower.jpg")], deadline_s=3)

    failed = answer(outcome, "plantnet")
    assert failed.status == "unavailable"
    assert failed.error is not None
    assert failed.error["code"] in {"deadline", "timeout"}


def test_no_match_is_an_answer(workbench: Workbench) -> None:
    """Pl@ntNet's 404 for a picture without a plant is no failure, and is not asked again."""
    import io

    buffer = io.BytesIO()
    noise = np.random.default_rng(1).integers(0, 256, (256, 256, 3), np.uint8)
    Image.fromarray(noise).save(buffer, "JPEG")
    upload = Upload(buffer.getvalue(), "noise.jpg")
    workbench.identify([upload])

    outcome = workbench.identify([upload])

    assert answer(outcome, "plantnet").status == "no_match"
    assert answer(outcome, "plantnet").source == "near"
    assert answer(outcome, "offline").status == "not_a_plant"
    assert outcome.consensus.abstained == "No plant was recognised in this picture."


def test_a_place_selects_the_regional_project(workbench: Workbench, flower: bytes) -> None:
    """Coordinates choose the flora that Pl@ntNet is asked for."""
    outcome = workbench.identify([Upload(flower, "flower.jpg")], place=Place(50.1, 14.4))

    assert answer(outcome, "plantnet").project == "k-middle-europe"


def test_it_answers_without_redis_and_recovers(
    tmp_path: Path, model_cache: Path, sandbox: SandboxServer, flower: bytes
) -> None:
    """With the store dead and its watchdog stopped, answers go on; then the badge goes."""
    from processes import servers, until, watchdogs

    (tmp_path / "models").symlink_to(model_cache / "models")
    settings = load_settings(data_dir=tmp_path, sandbox_url=sandbox.url)
    with open_workbench(settings) as workbench:
        watchdog = watchdogs(tmp_path)[0]
        os.kill(watchdog, signal.SIGSTOP)
        os.kill(servers(tmp_path)[0], signal.SIGKILL)

        degraded = workbench.identify([Upload(flower, "flower.jpg")])
        kept = workbench.identify([Upload(flower, "flower.jpg")])

        assert degraded.degraded == ("redis",)
        assert {a.status for a in degraded.answers} == {"ok"}
        assert answer(kept, "plant_id").source == "near"

        os.kill(watchdog, signal.SIGCONT)
        assert until(lambda: workbench.identify([Upload(flower, "flower.jpg")]).degraded == ())


def test_refused_files_raise(workbench: Workbench) -> None:
    """A wrong file is an error of the caller, with a sentence."""
    with pytest.raises(UploadRejected, match="text file"):
        workbench.identify([Upload(b"just some notes\n", "notes.jpg")])
    with pytest.raises(UploadRejected, match="0 photos"):
        workbench.identify([])


def test_wrong_choices_are_named(workbench: Workbench, flower: bytes) -> None:
    """Unknown providers and organs are named, with what is known."""
    with pytest.raises(PlantIDError, match="plantnet"):
        workbench.identify([Upload(flower, "flower.jpg")], providers=["oracle"])
    with pytest.raises(PlantIDError, match="bark"):
        workbench.identify([Upload(flower, "flower.jpg")], organs=["root"])  # type: ignore[list-item]


def test_keys_appear_nowhere(
    tmp_path: Path, model_cache: Path, sandbox: SandboxServer, flower: bytes
) -> None:
    """A real key reaches the service alone: no answer, error, cache key or log holds it."""
    (tmp_path / "models").symlink_to(model_cache / "models")
    settings = load_settings(
        data_dir=tmp_path,
        plant_id_api_key="planted-secret",
        plantnet_api_key="planted-secret",
        plant_id_url=sandbox.url,
        plantnet_url=sandbox.url,
    )
    with open_workbench(settings) as workbench:
        outcome = workbench.identify([Upload(flower, "flower.jpg")])
        time.sleep(1.2)  # the store writes its file every second

    assert [a.status for a in outcome.answers] == ["rejected", "rejected", "ok"]
    assert "planted-secret" not in repr(outcome) + repr(settings)
    for path in tmp_path.rglob("*"):
        if path.is_file() and not path.is_symlink():
            assert b"planted-secret" not in path.read_bytes()


def test_the_trace_tells_what_the_cache_did(workbench: Workbench, flower: bytes) -> None:
    """A first answer was a miss, the next one came from memory."""
    first = workbench.identify([Upload(flower, "flower.jpg")])
    second = workbench.identify([Upload(flower, "flower.jpg")])

    notes = [
        stage.note for seen in (first, second) for stage in seen.trace if stage.stage == "plantnet"
    ]
    assert notes == ["ok (upstream, miss)", "ok (near)"]


def test_one_callers_haste_is_not_anothers_failure(
    workbench: Workbench, sandbox: SandboxServer, flower: bytes
) -> None:
    """Who leads with little time fails alone; who joined with more gets an answer."""
    sandbox.faults(service="plantnet", latency_ms={"p50": 1000, "p99": 1000})
    upload = Upload(flower, "flower.jpg")
    workbench.admit(upload)

    with ThreadPoolExecutor(2) as pool:
        hasty = pool.submit(workbench.identify, [upload], deadline_s=0.5)
        time.sleep(0.2)
        patient = pool.submit(workbench.identify, [upload], deadline_s=20)

    assert answer(hasty.result(), "plantnet").status == "unavailable"
    assert answer(patient.result(), "plantnet").status == "ok"
