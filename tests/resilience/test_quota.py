"""Quotas, shared by processes through a real Redis, and kept without one."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import pytest

from plantid_core.deadline import to_midnight_s
from plantid_core.errors import ProviderQuotaExceeded
from plantid_core.resilience import counts
from plantid_core.resilience.link import Address
from plantid_core.resilience.quota import Limits, Quota

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from servers import Server

    MakeQuota = Callable[..., Quota]


@pytest.fixture
def make_quota(server: Server) -> Iterator[MakeQuota]:
    """Return a maker of quotas over the server; each stands for a process of its own."""
    with ExitStack() as stack:

        def make(per_day: int | None = None, per_user_minute: int | None = None) -> Quota:
            limits = {"plantnet": Limits(per_day, per_user_minute)}
            quota = Quota(Address.of(server.client()), limits)
            return stack.enter_context(closing(quota))

        yield make


def refusal(quota: Quota, user: str = "ada") -> ProviderQuotaExceeded:
    with pytest.raises(ProviderQuotaExceeded) as caught:
        quota.reserve("plantnet", user)
    return caught.value


def test_a_days_credits_are_counted_for_all_processes(make_quota: MakeQuota) -> None:
    """Two processes share three credits; the fourth is refused until midnight in Greenwich."""
    here, there = make_quota(3), make_quota(3)
    for quota in (here, there, here):
        quota.reserve("plantnet", "ada")

    error = refusal(there)

    assert (error.code, error.transient) == ("quota", True)
    assert error.retry_after_s is not None
    assert abs(error.retry_after_s - to_midnight_s()) < 5
    assert here.state("plantnet") == {"limit": 3, "used": 3, "remaining": 0}


def test_a_crowd_gets_exactly_what_there_is(make_quota: MakeQuota) -> None:
    """Many threads of two processes at once take no more than the limit, and no less."""
    quotas = make_quota(25), make_quota(25)

    def take(number: int) -> bool:
        try:
            quotas[number % 2].reserve("plantnet", "ada")
        except ProviderQuotaExceeded:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        taken = list(pool.map(take, range(100)))

    assert sum(taken) == 25


def test_what_is_given_back_can_be_used_again(make_quota: MakeQuota) -> None:
    """Once, however often it is given back; the count does not go below nothing."""
    quota = make_quota(1)
    reservation = quota.reserve("plantnet", "ada")

    reservation.give_back()
    reservation.give_back()

    assert quota.state("plantnet")["used"] == 0
    quota.reserve("plantnet", "ada")
    assert refusal(quota).retry_after_s


def test_credits_go_back_to_where_they_came_from(
    make_quota: MakeQuota, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was counted here while Redis was away frees nothing that others counted there."""
    monkeypatch.setattr(counts, "_ALONE_S", 0.2)
    quota, other = make_quota(1), make_quota(1)
    server.kill()
    reservation = quota.reserve("plantnet", "ada")
    server.restart()
    other.reserve("plantnet", "bob")
    time.sleep(0.3)

    reservation.give_back()

    assert quota.state("plantnet")["used"] == 1
    assert refusal(quota).retry_after_s


def test_a_sandbox_uses_up_nothing_of_the_service(server: Server) -> None:
    """Counts of one name and another scope are apart, the service's own count among them."""
    address = Address.of(server.client())
    sandbox, service = (
        Quota(address, {"plantnet": Limits(1, 1, scope)}) for scope in ("sandbox", "https://x.org")
    )
    with closing(sandbox), closing(service):
        sandbox.reserve("plantnet", "ada")
        sandbox.note_remaining("plantnet", 0, 60)

        service.reserve("plantnet", "ada")

        assert service.remaining("plantnet") is None


def test_a_lost_counter_begins_at_nothing(make_quota: MakeQuota, server: Server) -> None:
    """What is given back to a counter that was flushed makes no extra credit."""
    quota = make_quota(1)
    reservation = quota.reserve("plantnet", "ada")
    server.client().flushall()

    reservation.give_back()

    assert quota.state("plantnet")["used"] == 0


def test_each_user_has_a_minute_of_their_own(make_quota: MakeQuota) -> None:
    """One user's third call in a minute is refused, another user's first is not."""
    quota = make_quota(None, 2)
    for _ in range(2):
        quota.reserve("plantnet", "ada")

    error = refusal(quota)
    quota.reserve("plantnet", "bob")

    assert error.retry_after_s is not None
    assert 50 < error.retry_after_s <= 60
    assert quota.state("plantnet")["used"] == 3


def test_the_services_own_count_overrides_ours(make_quota: MakeQuota) -> None:
    """None left, as the service counts, refuses in every process until it renews."""
    here, there = make_quota(), make_quota()
    here.note_remaining("plantnet", 7, None)
    assert there.state("plantnet") == {"limit": None, "used": 0, "remaining": 7}

    here.note_remaining("plantnet", 0, 0.5)

    error = refusal(there)
    assert error.retry_after_s is not None
    assert 0 < error.retry_after_s <= 0.5
    time.sleep(0.6)
    there.reserve("plantnet", "ada")


def test_keys_tell_whose_they_are_and_end(make_quota: MakeQuota, server: Server) -> None:
    """Every key begins with our name, names no user, and expires."""
    quota, client = make_quota(5, 5), server.client()

    quota.reserve("plantnet", "ada@example.org")
    quota.note_remaining("plantnet", 3, None)

    keys = [key.decode() for key in client.keys("*")]  # type: ignore[union-attr]
    assert len(keys) == 3
    assert all(key.startswith("plantid:quota:") for key in keys)
    assert not any("ada" in key for key in keys)
    assert all(client.ttl(key) > 0 for key in keys)  # type: ignore[operator]


@pytest.mark.parametrize("trouble", ["kill", "stop"])
def test_without_redis_each_process_counts_alone(
    make_quota: MakeQuota, server: Server, trouble: str
) -> None:
    """A Redis that is dead or hangs reaches no caller, and costs few of them any time."""
    quota = make_quota(3)
    getattr(server, trouble)()
    began = time.monotonic()

    for _ in range(3):
        quota.reserve("plantnet", "ada")
    error = refusal(quota)
    quota.note_remaining("plantnet", 0, 60)

    assert error.retry_after_s
    assert quota.state("plantnet") == {"limit": 3, "used": 3, "remaining": 0}
    assert time.monotonic() - began < 3
    if trouble == "stop":
        server.cont()


def test_without_any_address_it_counts_in_memory() -> None:
    """A workbench without a store keeps its quotas all the same."""
    with closing(Quota(None, {"plantnet": Limits(2, 2)})) as quota:
        quota.reserve("plantnet", "ada").give_back()
        quota.reserve("plantnet", "ada")

        assert quota.state("plantnet") == {"limit": 2, "used": 1, "remaining": 1}
        assert "times a minute" in str(refusal(quota))
