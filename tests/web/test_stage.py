"""The stage on real parts of its own: a Valkey that is killed, a sandbox that goes down."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from processes import until

from plantid_core import open_workbench
from plantid_core.drill.photos import photo
from plantid_core.parts import Embedded
from plantid_core.settings import load_settings
from plantid_core.web.stage import switches as switching
from plantid_core.web.stage import system_map, theatre
from plantid_core.web.stage.script import CUES, LENGTH_S, Performance
from plantid_core.web.stage.switches import Switches
from plantid_core.web.stage.theatre import Stage
from plantid_core.web.stage.ticker import Ticker
from plantid_core.web.stage.traffic import Traffic

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from plantid_core import Workbench
    from plantid_core.plants import Outcome

ME, OTHER = "my page", "another page"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Iterator[Workbench]:
    """Open a workbench with a store and a sandbox of its own."""
    folder = tmp_path_factory.mktemp("stage")
    (folder / "models").symlink_to(model_cache / "models")
    with open_workbench(load_settings(data_dir=folder)) as opened:
        yield opened


@pytest.fixture
def stage(house: Workbench) -> Iterator[Stage]:
    """Return a stage on the house; whatever a test breaks is mended after it."""
    opened = Stage(house)
    yield opened
    opened.close()
    assert house.readiness()["degraded"] == []


@pytest.fixture
def guest(tmp_path: Path) -> Iterator[Workbench]:
    """Open a workbench that has nothing of its own: all it uses is somebody else's."""
    settings = load_settings(
        data_dir=tmp_path,
        redis_url=f"unix://{tmp_path}/nobody.sock",
        sandbox_url="http://127.0.0.1:1",
        plantnet_api_key="a real key",
    )
    with open_workbench(settings) as opened:
        yield opened


def ask(workbench: Workbench, number: int) -> Outcome:
    return workbench.identify([photo(number)])


def said(outcome: Outcome) -> dict[str, str]:
    return {answer.provider: answer.status for answer in outcome.answers}


def told(stage: Stage) -> str:
    return system_map.told(system_map.rooms(stage))


def heard(stage: Stage) -> str:
    return " ".join(sentence for _, sentence in stage.events())


def test_a_killed_store_comes_back_as_another_process(stage: Stage) -> None:
    """The process is really gone; its watchdog starts the next, and the length is told."""
    before = stage.switches.store_pid()

    assert stage.press("kill_store", ME)

    assert until(lambda: "Redis is back after" in heard(stage), 15)
    after = stage.switches.store_pid()
    assert before is not None
    assert after not in {None, before}
    assert "Redis back" in told(stage)
    with pytest.raises(ProcessLookupError):
        os.kill(before, 0)


def test_a_frozen_store_hangs_until_it_is_let_go_on(stage: Stage) -> None:
    """While it is frozen Redis does not answer, and the same process goes on after."""
    before = stage.switches.store_pid()

    stage.press("freeze_store", ME)

    assert "Redis hangs" in told(stage)
    assert stage.switches.store_pid() == before
    stage.press("thaw_store", ME)
    assert stage.workbench.cache.probe()
    assert stage.switches.store_pid() == before


def test_a_frozen_store_goes_on_by_itself(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has to remember to thaw it."""
    monkeypatch.setattr(switching, "FROZEN_S", 0.3)

    stage.press("freeze_store", ME)

    assert until(lambda: not stage.switches.frozen and stage.workbench.cache.probe())


def test_a_service_goes_down_and_comes_back(stage: Stage) -> None:
    """New questions are answered by the others meanwhile."""
    stage.press("plant_id_out", ME)
    during = ask(stage.workbench, 101)
    stage.press("plant_id_back", ME)
    after = ask(stage.workbench, 102)

    assert said(during) == {"plant_id": "unavailable", "plantnet": "ok", "offline": "ok"}
    assert during.rung == "other"
    assert said(after)["plant_id"] == "ok"


def test_a_slow_service_is_told_of(stage: Stage) -> None:
    """Slowness has a state of its own."""
    stage.press("plantnet_slow", ME)
    slow = told(stage)
    stage.press("plantnet_back", ME)

    assert "Pl@ntNet slow" in slow
    assert "Pl@ntNet up" in told(stage)


def test_a_bomb_is_refused_with_its_gate(stage: Stage) -> None:
    """The event names the gate and says the refusal's own sentence."""
    assert stage.press("bomb", ME)

    assert "refused at the header gate" in heard(stage)


def test_an_open_breaker_is_seen(stage: Stage) -> None:
    """It has a word and a sign besides its colour, and the app makes do."""
    stage.workbench.breakers["plant_id"].open()

    assert "Plant.id breaker open" in told(stage)
    assert "Workbench limited" in told(stage)
    assert "✕ open" in system_map.drawn(system_map.rooms(stage))


def test_a_crowd_is_answered_for_a_few_calls(house: Workbench) -> None:
    """Of two hundred people nobody fails, and nearly all answers cost nothing."""
    ticker = Ticker(house.credits)
    spent = sum(house.credits.of(name)["spent"] for name in ("plant_id", "plantnet"))
    traffic = Traffic(house, ticker)

    traffic.crowd(200)

    assert until(lambda: ticker.figures().answered == 200, 30)
    figures = ticker.figures()
    assert figures.failed == 0
    cost = sum(house.credits.of(name)["spent"] for name in ("plant_id", "plantnet")) - spent
    assert figures.saved + cost == 400
    assert cost <= 14


def test_the_ticker_admits_a_failure(house: Workbench) -> None:
    """A request without any answer is a failure; one from this machine alone is not."""
    ticker = Ticker(house.credits)

    for rung in ("fresh", "offline", "none"):
        ticker.count(rung, 5.0)  # type: ignore[arg-type]  # rungs

    assert (ticker.figures().answered, ticker.figures().failed) == (2, 1)


def test_the_steady_traffic_ends_by_itself(house: Workbench) -> None:
    """It is bounded in time."""
    traffic = Traffic(house, Ticker(house.credits))

    traffic.begin(longest_s=0.0)

    assert until(lambda: not traffic.running)


def test_reset_mends_everything_at_once_and_again(stage: Stage) -> None:
    """Whatever was broken, the app is well when the reset returns; a second reset changes nothing."""
    for action in ("traffic", "plant_id_out", "plantnet_slow", "kill_store"):
        stage.press(action, ME)
    stage.workbench.breakers["plantnet"].force("forced-open")
    until(lambda: stage.switches.store_pid() is not None)
    stage.press("freeze_store", ME)

    for _ in range(2):
        assert stage.press("reset", ME)

        assert stage.workbench.readiness()["degraded"] == []
        assert all(report["forced"] is None for report in stage.workbench.breaker_reports())
        assert not stage.traffic.running
    assert said(ask(stage.workbench, 103)) == dict.fromkeys(
        ("plant_id", "plantnet", "offline"), "ok"
    )


def test_the_whole_show_fails_nobody(stage: Stage) -> None:
    """Played in a fraction of its time it presses everything, ends reset, and leaves no failure."""
    ask(stage.workbench, 0)

    stage.play(ME, pace=100.0)

    playing = stage.performance
    assert playing is not None
    assert playing.wait(45)
    assert stage.performance is None
    assert stage.ticker.figures().failed == 0
    assert stage.ticker.figures().answered > 0
    assert stage.workbench.readiness()["degraded"] == []
    assert "did not work" not in heard(stage)
    assert stage.free_for(OTHER)


def test_a_stopped_show_presses_nothing_more(stage: Stage) -> None:
    """It can be ended at any time; what it has said is gone from the page."""
    stage.play(ME)

    stage.stop(ME)

    assert stage.performance is None


def test_the_script_can_be_played(stage: Stage) -> None:
    """It takes five minutes, knows only actions that exist, and ends with the reset."""
    assert 270 <= LENGTH_S <= 330
    assert [cue.at_s for cue in CUES] == sorted(cue.at_s for cue in CUES)
    assert {cue.action for cue in CUES} - {None} <= set(stage.actions)
    assert CUES[-1].action == "reset"
    assert all(cue.caption for cue in CUES)


def test_a_performance_presses_in_order() -> None:
    """Each action is pressed once, in the script's order."""
    pressed: list[str] = []

    performance = Performance(pressed.append, pace=1e6)

    assert performance.wait(10)
    assert pressed == [cue.action for cue in CUES if cue.action]
    assert performance.moment() is None


def test_one_page_at_a_time_has_the_stage(stage: Stage) -> None:
    """Another page can do nothing until the first one resets."""
    stage.press("traffic", ME)

    assert not stage.press("quiet", OTHER)
    assert stage.traffic.running
    stage.press("reset", ME)
    assert stage.press("bomb", OTHER)


def test_a_stage_that_is_left_resets_itself(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that is closed leaves nothing broken behind."""
    monkeypatch.setattr(theatre, "LEFT_ALONE_S", 0.0)

    stage.press("plant_id_out", ME)

    assert until(lambda: stage.free_for(OTHER), 10)
    assert not stage.switches.trouble
    assert "left alone" in heard(stage)


def test_a_switch_that_fails_is_told_of(house: Workbench) -> None:
    """An exception becomes a sentence; the stage stands."""
    sandbox = house.embedded.sandbox
    assert sandbox is not None
    house.embedded = Embedded(house.embedded.store, replace(sandbox, url="http://127.0.0.1:1"))
    try:
        broken = Stage(house)
    finally:
        house.embedded = Embedded(house.embedded.store, sandbox)

    assert not broken.press("plant_id_out", ME)

    assert "did not work" in heard(broken)
    assert broken.press("bomb", ME)
    broken.close()


def test_a_drill_can_be_broken_off(stage: Stage) -> None:
    """What it had started ends, the page is told, and the stage is free again."""
    assert stage.rehearse("stampede", ME)
    assert not stage.press("bomb", OTHER)

    stage.stop(ME)

    drill = stage.rehearsal
    assert drill is not None
    assert until(lambda: not drill.running, 30)
    assert drill.report is None
    assert drill.fault == "Broken off."
    assert stage.free_for(OTHER)


def test_what_is_not_the_apps_own_is_left_alone(
    guest: Workbench, request: pytest.FixtureRequest
) -> None:
    """A foreign Redis, a foreign sandbox and a real key are each refused with their reason."""
    stage = Stage(guest)
    request.addfinalizer(stage.close)

    reasons = {
        name: stage.switches.refusal(name) or "" for name in ("store", "plant_id", "plantnet")
    }

    assert "PLANTID_REDIS_URL" in reasons["store"]
    assert "PLANTID_SANDBOX_URL" in reasons["plant_id"]
    assert "the real service" in reasons["plantnet"]
    assert "credits" in (stage.switches.refusal("people") or "")
    assert "real key" in (stage.switches.refusal("drills") or "")
    assert not stage.press("kill_store", ME)
    assert not stage.play(ME)
    assert not stage.rehearse("stampede", ME)
    assert stage.press("bomb", ME)


def test_production_refuses_every_switch(tmp_path: Path) -> None:
    """Also what is the app's own is not broken there."""
    settings = load_settings(
        environment="production",
        secret_key="s" * 40,
        allowed_hosts="plants.example",
        allow_sandbox=True,
        data_dir=tmp_path,
        redis_url=f"unix://{tmp_path}/nobody.sock",
        sandbox_url="http://127.0.0.1:1",
    )
    with open_workbench(settings) as workbench:
        stage = Stage(workbench)

        assert not any(stage.press(action, ME) for action in stage.actions)
        assert "in production" in (Switches(workbench).refusal() or "")


def test_the_ticker_begins_with_each_who_takes_the_stage(stage: Stage) -> None:
    """The figures of a show stay to be read after its reset, until somebody else begins."""
    stage.press("bomb", ME)
    stage.ticker.count("fresh", 1.0)
    stage.press("reset", ME)
    kept = stage.ticker.figures().answered

    stage.press("bomb", OTHER)

    assert kept == 1
    assert stage.ticker.figures().answered == 0


def test_each_claim_of_the_stage_has_one_door(stage: Stage) -> None:
    """However often it is taken and given back, one thread waits for its holder to leave."""
    doors = lambda: [one for one in threading.enumerate() if one.name == "stage-door"]  # noqa: E731
    for _ in range(4):
        stage.press("bomb", ME)
        stage.press("reset", ME)
    stage.press("bomb", ME)

    assert until(lambda: len(doors()) == 1)
