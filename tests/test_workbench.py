"""The whole flow, on a real store and a real sandbox."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING

import numpy as np
import pytest
import structlog
from PIL import Image
from processes import until

from plantid_core import open_workbench
from plantid_core.errors import PlantIDError, UploadRejected
from plantid_core.lab import trace
from plantid_core.ladder import stand_in
from plantid_core.plants import Place
from plantid_core.settings import load_settings
from plantid_core.upload import Upload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
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
    from processes import servers, watchdogs

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
    """Unknown providers and organs are named, with what is known; so is a time that cannot be."""
    with pytest.raises(PlantIDError, match="plantnet"):
        workbench.identify([Upload(flower, "flower.jpg")], providers=["oracle"])
    with pytest.raises(PlantIDError, match="bark"):
        workbench.identify([Upload(flower, "flower.jpg")], organs=["root"])  # type: ignore[list-item]
    for seconds in (0, -1, float("nan"), float("inf")):
        with pytest.raises(PlantIDError, match="deadline_s must be above 0"):
            workbench.identify([Upload(flower, "flower.jpg")], deadline_s=seconds)


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


def other_photo(seed: int) -> Upload:
    """Return a photo that no test has sent before."""
    import io

    buffer = io.BytesIO()
    noise = np.random.default_rng(seed).integers(0, 256, (256, 256, 3), np.uint8)
    Image.fromarray(noise).save(buffer, "JPEG")
    return Upload(buffer.getvalue(), "noise.jpg")


@pytest.fixture
def open_with(
    tmp_path: Path, model_cache: Path, sandbox: SandboxServer
) -> Iterator[Callable[..., Workbench]]:
    """Return an opener of workbenches with settings of the test's own, all on one store."""
    (tmp_path / "models").symlink_to(model_cache / "models")
    with ExitStack() as stack:

        def opened(**settings: object) -> Workbench:
            chosen = load_settings(data_dir=tmp_path, sandbox_url=sandbox.url, **settings)
            return stack.enter_context(open_workbench(chosen))

        yield opened


def test_a_service_left_alone_is_asked_again_at_once_when_it_may(
    open_with: Callable[..., Workbench], sandbox: SandboxServer, flower: bytes
) -> None:
    """An open breaker refuses without a call, says until when, costs nothing, and is not remembered."""
    workbench = open_with(quota_user_per_minute=1)
    workbench.breakers["plantnet"].open()
    refused = answer(workbench.identify([Upload(flower, "flower.jpg")]), "plantnet")
    assert sandbox.calls("plantnet", PLANTNET) == {}
    workbench.breakers["plantnet"].close()

    asked = answer(workbench.identify([Upload(flower, "flower.jpg")]), "plantnet")

    assert refused.status == "unavailable"
    assert refused.error is not None
    assert refused.error["code"] == "breaker_open"
    assert 0 < (refused.error["retry_after_s"] or 0) <= 90
    assert "asked again in" in refused.error["message"]
    assert (asked.status, asked.source) == ("ok", "upstream")


def test_a_stale_answer_stands_in_for_a_service_left_alone(
    open_with: Callable[..., Workbench], sandbox: SandboxServer, flower: bytes
) -> None:
    """It is served at once, saves a credit, and the page can say who stands in."""
    workbench = open_with(soft_ttl_s=0.2, ttl_jitter=0, early_beta=0)
    workbench.identify([Upload(flower, "flower.jpg")])
    time.sleep(0.3)
    workbench.breakers["plantnet"].open()

    outcome = workbench.identify([Upload(flower, "flower.jpg")])

    assert answer(outcome, "plantnet").source == "stale"
    assert outcome.rung == "stale"
    assert [stage.note for stage in outcome.trace if stage.stage == "plantnet"] == ["ok (stale)"]
    assert stand_in(outcome).startswith("Pl@ntNet did not answer: an earlier answer stands in")
    assert sandbox.calls("plantnet", PLANTNET) == {"200": 1}
    assert workbench.credits.of("plantnet") == {"spent": 1, "saved": 1}


def test_a_days_quota_is_kept_and_refusals_are_given_back(
    open_with: Callable[..., Workbench], sandbox: SandboxServer
) -> None:
    """One request a day: a refused one does not use it up, one that the service took does."""
    workbench = open_with(quota_plantnet_per_day=1, error_ttl_s=0)
    sandbox.faults(service="plantnet", errors=[{"status": 400, "rate": 1}])
    workbench.identify([other_photo(1)])
    assert workbench.readiness()["quotas"]["plantnet"]["used"] == 0
    sandbox.faults(service="plantnet")
    workbench.identify([other_photo(1)])

    outcome = workbench.identify([other_photo(2)])

    refused = answer(outcome, "plantnet")
    assert refused.status == "quota"
    assert refused.error is not None
    assert refused.error["retry_after_s"]
    assert sum(sandbox.calls("plantnet", PLANTNET).values()) == 2
    quota = workbench.readiness()["quotas"]["plantnet"]
    assert (quota["limit"], quota["used"], quota["remaining"]) == (1, 1, 0)


@pytest.mark.parametrize(
    "faults", [{"errors": [{"status": 500, "rate": 1}]}, {"truncate_rate": 1}, {"reset_rate": 1}]
)
def test_a_call_that_may_have_been_charged_counts(
    workbench: Workbench, sandbox: SandboxServer, faults: dict[str, object]
) -> None:
    """What the service took and broke off is spent: a limit holds however it fails."""
    sandbox.faults(service="plantnet", **faults)

    workbench.identify([other_photo(1)], providers=["plantnet"])

    assert workbench.readiness()["quotas"]["plantnet"]["used"] == 1
    assert workbench.credits.of("plantnet") == {"spent": 1, "saved": 0}


def test_what_a_service_says_of_its_quota_is_noted(
    open_with: Callable[..., Workbench], sandbox: SandboxServer, flower: bytes
) -> None:
    """A 429 is none left, for as long as it says, in every process."""
    workbench, other = open_with(), open_with()
    sandbox.faults(service="plant_id", errors=[{"status": 429, "rate": 1, "retry_after_s": 30}])
    workbench.identify([Upload(flower, "flower.jpg")], providers=["plant_id"])
    sandbox.faults(service="plant_id")

    outcome = other.identify([other_photo(3)], providers=["plant_id"])

    assert answer(outcome, "plant_id").error is not None
    assert other.quota.remaining("plant_id") == 0
    assert outcome.rung == "none"
    assert 20 < outcome.retry_after_s <= 90
    assert sandbox.calls("plant_id", PLANT_ID) == {"429": 1}


def test_a_users_minute_is_bounded_where_it_is_set(open_with: Callable[..., Workbench]) -> None:
    """The second call of one user is refused, another user's is not."""
    workbench = open_with(quota_user_per_minute=1)
    workbench.identify([other_photo(4)], providers=["plantnet"], user="ada")

    ada = workbench.identify([other_photo(5)], providers=["plantnet"], user="ada")
    bob = workbench.identify([other_photo(5)], providers=["plantnet"], user="bob")

    assert answer(ada, "plantnet").status == "quota"
    assert answer(bob, "plantnet").status == "no_match"


def test_a_full_bulkhead_sheds(open_with: Callable[..., Workbench], sandbox: SandboxServer) -> None:
    """With one slot and no queue, the second of two slow calls is told so at once."""
    workbench = open_with(bulkhead_size=1, bulkhead_queue=0)
    sandbox.faults(service="plantnet", latency_ms={"p50": 1500, "p99": 1500})
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(workbench.identify, [other_photo(6)], providers=["plantnet"])
        assert until(lambda: workbench.readiness()["bulkheads"]["plantnet"]["in_use"] == 1)

        shed = answer(workbench.identify([other_photo(7)], providers=["plantnet"]), "plantnet")

    assert shed.error is not None
    assert (shed.error["code"], shed.error["retry_after_s"]) == ("bulkhead_full", 1.0)
    assert answer(slow.result(), "plantnet").status == "no_match"
    assert workbench.readiness()["bulkheads"]["plantnet"]["shed"] == 1
    assert workbench.readiness()["quotas"]["plantnet"]["used"] == 1


@pytest.mark.parametrize(("status", "calls"), [(502, 2), (504, 2), (500, 1), (503, 1)])
def test_only_what_cannot_have_been_counted_is_sent_again(
    open_with: Callable[..., Workbench],
    sandbox: SandboxServer,
    flower: bytes,
    status: int,
    calls: int,
) -> None:
    """A gateway's answer is worth a second call, the service's own failure is not."""
    workbench = open_with(retry_budget=1)
    sandbox.faults(service="plantnet", errors=[{"status": status, "rate": 1}])

    outcome = workbench.identify([Upload(flower, "flower.jpg")], providers=["plantnet"])

    assert answer(outcome, "plantnet").status == "unavailable"
    assert sandbox.calls("plantnet", PLANTNET) == {str(status): calls}


def test_credits_are_spent_once_and_saved_ever_after(
    workbench: Workbench, sandbox: SandboxServer, flower: bytes
) -> None:
    """Of ten who ask at once one pays; later ones save; refusals and the offline model do neither."""
    gate = threading.Barrier(10)

    def send(_: int) -> None:
        gate.wait()
        workbench.identify([Upload(flower, "flower.jpg")])

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(send, range(10)))
    sandbox.faults(service="plantnet", errors=[{"status": 400, "rate": 1}])
    workbench.identify([other_photo(8)])

    assert workbench.readiness()["credits"] == {
        "plant_id": {"spent": 2, "saved": 9},
        "plantnet": {"spent": 1, "saved": 9},
    }


def test_plant_ids_own_count_is_asked_for_behind_and_shown(workbench: Workbench) -> None:
    """The first answer cannot know it; a later one shows it; a kept one keeps what it had."""
    first = answer(workbench.identify([other_photo(9)]), "plant_id")
    assert until(lambda: workbench.quota.remaining("plant_id") is not None)

    second = answer(workbench.identify([other_photo(10)]), "plant_id")
    kept = answer(workbench.identify([other_photo(9)]), "plant_id")

    assert (first.remaining, kept.remaining) == (None, None)
    assert second.remaining == workbench.readiness()["quotas"]["plant_id"]["remaining"]
    assert second.remaining is not None


def test_when_nobody_answers_the_verdict_says_when_to_try_again(
    workbench: Workbench, sandbox: SandboxServer, flower: bytes
) -> None:
    """The last rung is a time to come back at: the earliest that any of the silent named."""
    sandbox.faults(service="plant_id", errors=[{"status": 503, "rate": 1, "retry_after_s": 900}])
    sandbox.faults(service="plantnet", errors=[{"status": 503, "rate": 1, "retry_after_s": 300}])

    outcome = workbench.identify([Upload(flower, "flower.jpg")], providers=["plant_id", "plantnet"])

    assert outcome.rung == "none"
    assert outcome.retry_after_s == 300
    assert re.fullmatch(
        r"No provider could answer\. Try again after \d\d:\d\d\.", outcome.consensus.abstained or ""
    )


def test_a_stuck_service_starves_no_other(
    open_with: Callable[..., Workbench], sandbox: SandboxServer, flower: bytes
) -> None:
    """With every thread of one service held, the others still answer."""
    workbench = open_with(bulkhead_queue=100)
    sandbox.faults(service="plant_id", latency_ms={"p50": 5000, "p99": 5000})
    with ThreadPoolExecutor(30) as pool:
        held = [
            pool.submit(
                workbench.identify, [other_photo(100 + n)], providers=["plant_id"], deadline_s=7
            )
            for n in range(30)
        ]
        assert until(lambda: workbench.readiness()["bulkheads"]["plant_id"]["waiting"] >= 16)

        outcome = workbench.identify([Upload(flower, "flower.jpg")], providers=["plantnet"])

        assert answer(outcome, "plantnet").status == "ok"
        assert sum(one.done() for one in held) == 0


def test_a_service_that_hangs_is_left_alone_however_short_requests_are(
    open_with: Callable[..., Workbench], sandbox: SandboxServer
) -> None:
    """With all of a short request's time used up, a hang is the service's, not the caller's haste."""
    workbench = open_with(request_deadline_s=1, breaker_fail_max=3, error_ttl_s=0)
    photos = [other_photo(200 + n) for n in range(4)]
    for photo in photos:
        workbench.admit(photo)
    sandbox.faults(service="plantnet", latency_ms={"p50": 9000, "p99": 9000})

    for photo in photos[:3]:
        workbench.identify([photo], providers=["plantnet"])
    refused = answer(workbench.identify([photos[3]], providers=["plantnet"]), "plantnet")

    assert workbench.breakers["plantnet"].state == "open"
    assert refused.error is not None
    assert refused.error["code"] == "breaker_open"


def test_the_log_of_what_was_asked_can_be_replayed(
    workbench: Workbench, flower: bytes, tmp_path: Path
) -> None:
    """It tells when each answer was wanted, twice the same where the same was asked twice."""
    log = tmp_path / "log"
    with log.open("w", encoding="utf-8") as file:
        structlog.configure(
            processors=[
                structlog.processors.TimeStamper("iso"),
                structlog.processors.JSONRenderer(),
            ],
            logger_factory=structlog.WriteLoggerFactory(file),
        )
        for _ in range(2):
            workbench.identify([Upload(flower, "flower.jpg")], providers=["plantnet"])
        structlog.reset_defaults()

    asked = trace.read(log)

    assert len(asked.times_s) == 2
    assert asked.keys.tolist() == [0, 0]
    assert "flower" not in log.read_text(encoding="utf-8")
