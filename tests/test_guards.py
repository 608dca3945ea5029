"""What stands before a service: how a caller's haste is judged, and what counts credits."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest
from processes import until
from prometheus_client import REGISTRY

from plantid_core import parts
from plantid_core.credits import Credits, expose
from plantid_core.deadline import Deadline
from plantid_core.errors import (
    DeadlineExceeded,
    ProviderQuotaExceeded,
    ProviderRejected,
    ProviderUnavailable,
    UserQuotaExceeded,
)
from plantid_core.guards import in_fair_time
from plantid_core.plants import Reply
from plantid_core.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from plantid_core.errors import PlantIDError
    from plantid_core.guards import Guards
    from plantid_core.plants import Observation


@pytest.mark.parametrize(
    ("error", "took_s", "fails"),
    [
        (DeadlineExceeded(0.5), 0.5, False),
        (DeadlineExceeded(30), 15.0, True),
        (ProviderUnavailable("plantnet", "timeout", "late"), 0.1, True),
        (ProviderRejected("plantnet", "key", "no"), 30.0, False),
        (ProviderUnavailable("plantnet", "bulkhead_full", "no", transient=True), 30.0, False),
    ],
)
def test_a_deadline_speaks_against_a_service_that_had_its_time(
    error: PlantIDError, took_s: float, *, fails: bool
) -> None:
    """A caller in a hurry says nothing of the service; other errors are judged by what they mean."""
    assert in_fair_time(15.0)(error, took_s).fails is fails


def test_credits_are_told_to_prometheus() -> None:
    """All workbenches of a process are one sum, by provider and what happened."""
    here, there = Credits(), Credits()
    for spending in (here, there):
        expose(spending)
        spending.add("test_provider", "spent")
    here.add("test_provider", "saved")

    def total(what: str) -> float | None:
        labels = {"provider": "test_provider", "what": what}
        return REGISTRY.get_sample_value("plantid_credits_total", labels)

    assert (total("spent"), total("saved")) == (2, 1)
    assert here.of("test_provider") == {"spent": 1, "saved": 1}


class Service:
    """A provider that answers, or fails with what it is given."""

    name, sandbox, cache_scope = "plantnet", False, "here"

    def __init__(self) -> None:
        self.calls, self.error = 0, None

    error: PlantIDError | None

    def identify(self, _: Observation, __: Deadline) -> Reply:
        return self()

    def __call__(self) -> Reply:
        self.calls += 1
        if self.error is not None:
            raise self.error
        return Reply("ok")


@pytest.fixture
def service() -> Service:
    return Service()


@contextmanager
def before(service: Service, **settings: object) -> Iterator[Guards]:
    chosen = load_settings(quota_user_per_minute=1, **settings)
    with closing(parts.make_quota(chosen, [service], None)) as quota:
        breakers = parts.make_breakers(chosen, [service], None, [])
        yield parts.make_guards(chosen, [service], breakers, quota, Credits())["plantnet"]


@pytest.fixture
def guards(service: Service) -> Iterator[Guards]:
    """Return what stands before the service: one slot, one that waits, one call a user's minute."""
    with before(service, bulkhead_size=1, bulkhead_queue=1) as made:
        yield made


def used(guards: Guards) -> int:
    return guards.quota.state("plantnet")["used"]


def test_who_waits_or_is_shed_has_reserved_nothing(guards: Guards, service: Service) -> None:
    """Neither the day's credits nor the user's minute are held before there is a slot."""
    with ThreadPoolExecutor(1) as pool, guards.bulkhead.slot(Deadline.after(9)):
        waiting = pool.submit(guards.call, service, Deadline.after(9), "ada")
        assert until(lambda: guards.bulkhead.use().waiting == 1)
        with pytest.raises(ProviderUnavailable) as shed:
            guards.call(service, Deadline.after(9), "bob")
        held = used(guards)
    waiting.result(9)

    assert (shed.value.code, held, used(guards)) == ("bulkhead_full", 0, 1)
    guards.call(service, Deadline.after(9), "bob")


def test_a_permit_refused_costs_no_users_minute(service: Service) -> None:
    """Also where the breaker can refuse only when the call is to be made: others are probing."""
    probing, let_go = threading.Event(), threading.Event()

    def probe() -> Reply:
        probing.set()
        let_go.wait(9)
        return Reply("ok")

    with before(service, breaker_reset_s=0.1) as guards, ThreadPoolExecutor(1) as pool:
        guards.breaker.open()
        assert until(lambda: guards.breaker.state == "half-open")
        probed = pool.submit(guards.call, probe, Deadline.after(9), "ada")
        assert probing.wait(9)
        with pytest.raises(ProviderUnavailable, match="asked again"):
            guards.call(service, Deadline.after(9), "bob")
        let_go.set()
        probed.result(9)

        guards.call(service, Deadline.after(9), "bob")

        assert (service.calls, used(guards)) == (1, 2)


def test_a_users_full_minute_speaks_against_no_service(guards: Guards, service: Service) -> None:
    """Refusals of our own are no failures of the service."""
    guards.call(service, Deadline.after(9), "ada")

    for _ in range(20):
        with pytest.raises(UserQuotaExceeded):
            guards.call(service, Deadline.after(9), "ada")

    assert guards.breaker.state == "closed"
    assert guards.quota.remaining("plantnet") is None


def test_no_call_is_begun_that_cannot_end(guards: Guards, service: Service) -> None:
    """With hardly any time left a call would be paid for and broken off: none is made."""
    with pytest.raises(DeadlineExceeded):
        guards.call(service, Deadline(time.monotonic() + 0.3, 30.0), "ada")
    assert (service.calls, used(guards)) == (0, 0)

    guards.call(service, Deadline.after(0.3), "ada")

    assert service.calls == 1


@pytest.mark.parametrize(
    ("error", "costs"),
    [
        (ProviderUnavailable("plantnet", "connect", "no", uncounted=True), 0),
        (ProviderRejected("plantnet", "http_400", "no"), 0),
        (ProviderQuotaExceeded("plantnet", "quota", "no"), 0),
        (ProviderUnavailable("plantnet", "timeout", "late"), 1),
        (ProviderUnavailable("plantnet", "http_500", "no"), 1),
        (DeadlineExceeded(9), 1),
    ],
)
def test_what_may_have_been_charged_is_not_given_back(
    guards: Guards, service: Service, error: PlantIDError, costs: int
) -> None:
    """Only what the service cannot have counted, or itself refused, is as good as not made."""
    service.error = error

    with pytest.raises(type(error)):
        guards.call(service, Deadline.after(9), "ada")

    assert (used(guards), guards.credits.of("plantnet")["spent"]) == (costs, costs)


def test_a_429_that_names_no_pause_is_a_short_one(guards: Guards, service: Service) -> None:
    """Retry-After: 0 asks for hardly any pause; no Retry-After is the usual long one."""
    service.error = ProviderQuotaExceeded("plantnet", "quota", "slow", retry_after_s=0)
    with pytest.raises(ProviderQuotaExceeded):
        guards.call(service, Deadline.after(9), "ada")
    assert guards.quota.remaining("plantnet") == 0

    assert until(lambda: guards.quota.remaining("plantnet") is None, 3)
