"""What a user of the stable face may rely on; checked, never run."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_type

from plantid_core import open_workbench
from plantid_core.desk import Desk
from plantid_core.plants import Answer, Consensus, Outcome, Rung, Suggestion
from plantid_core.resilience import Breaker, Strategy, strategy
from plantid_core.resilience.breaker_settings import BreakerReport, State
from plantid_core.telemetry import Totals, totals
from plantid_core.upload import Photo, Upload, admit
from plantid_core.workbench import Readiness, Workbench

if TYPE_CHECKING:
    import redis

    from plantid_core.access.principal import Principal


def admitting(data: bytes) -> None:
    photo = admit(data, "leaf.jpg")
    assert_type(photo, Photo)
    assert_type((photo.width, photo.sha256, photo.jpeg), tuple[int, str, bytes])


def identifying(data: bytes) -> None:
    with open_workbench() as workbench:
        assert_type(workbench, Workbench)
        outcome = workbench.identify([Upload(data, "leaf.jpg")], organs=["leaf"], language="de")
        assert_type(outcome, Outcome)
        assert_type(outcome.rung, Rung)
        assert_type(outcome.answers, tuple[Answer, ...])
        assert_type(outcome.answers[0].suggestions, tuple[Suggestion, ...])
        assert_type(outcome.consensus, Consensus)
        ready = workbench.readiness()
        assert_type(ready, Readiness)
        assert_type(ready["breakers"], dict[str, State])
        assert_type(workbench.breaker_reports(), list[BreakerReport])


def calling(breaker: Breaker) -> None:
    def ask(name: str, *, times: int = 1) -> list[float]:
        return [float(len(name))] * times

    assert_type(breaker.call(ask, "oak", times=2), list[float])
    assert_type(breaker.state, State)
    report = breaker.report()
    assert_type(report["failures"], int)
    assert_type(report["opened_at"], "str | None")


def caching(client: redis.Redis) -> None:
    cache = strategy("lease", client, ttl_s=60.0)
    assert_type(cache, Strategy)
    assert_type(cache.get("key", lambda: {"oak": 1}), dict[str, int])


def acting(workbench: Workbench, who: Principal) -> None:
    desk = Desk(workbench, who, "192.0.2.1")
    assert_type(desk.owner, "str | None")


def telling() -> None:
    assert_type(totals(), Totals)
    assert_type(totals().cache_rate, "float | None")
