"""Both kinds of connection, and the pool that lends them."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import TYPE_CHECKING

import hiredis
import pytest
import redis

from plantid_core.resilience.cache import Cache
from plantid_core.resilience.link import Address, LinkError, Timeouts, command
from plantid_core.resilience.policy import Policy
from plantid_core.resilience.pool import LinkPool, PoolExhausted, PoolUse

if TYPE_CHECKING:
    from servers import Server

KINDS = pytest.mark.parametrize("thin", [True, False], ids=["thin", "redis-py"])


@KINDS
def test_a_link_asks_and_is_answered(server: Server, *, thin: bool) -> None:
    """Values come as bytes, nothing as None, and an error as a reply of its own."""
    with closing(Address.of(server.client()).connect(Timeouts(), thin=thin)) as link:
        assert link.ask(command("SET", "k", b"\x00\xff" * 40_000), 0.2) == b"OK"
        assert link.ask(command("GET", "k"), 0.2) == b"\x00\xff" * 40_000
        assert link.ask(command("GET", "none"), 0.2) is None
        assert isinstance(link.ask(command("NOPE"), 0.2), hiredis.ReplyError)


@KINDS
def test_a_hung_server_is_told_from_a_lost_one(server: Server, *, thin: bool) -> None:
    """A timeout and a reset are both errors of the link, and can be told apart."""
    address = Address.of(server.client())
    with closing(address.connect(Timeouts(), thin=thin)) as link:
        server.stop()
        with pytest.raises(LinkError) as hung:
            link.ask(command("PING"), 0.2)
        server.cont()

    with closing(address.connect(Timeouts(), thin=thin)) as link:
        server.kill()
        with pytest.raises(LinkError) as lost:
            link.ask(command("PING"), 0.2)

    assert (hung.value.timed_out, lost.value.timed_out) == (True, False)


@KINDS
def test_credentials_and_database_are_used(server: Server, *, thin: bool) -> None:
    """The thin link says who it is and which database it means, as redis-py does."""
    server.client().config_set("requirepass", "planted-secret")
    client = redis.Redis.from_url(f"{server.url}?db=3&password=planted-secret")
    wrong = redis.Redis.from_url(f"{server.url}?password=wrong")

    with closing(Address.of(client).connect(Timeouts(), thin=thin)) as link:
        link.ask(command("SET", "k", "v"), 0.2)
    with pytest.raises(LinkError):
        Address.of(wrong).connect(Timeouts(), thin=thin)

    assert client.get("k") == b"v"
    assert "planted-secret" not in repr(Address.of(client))
    client.close()
    wrong.close()


@KINDS
def test_two_caches_share_over_either_link(server: Server, *, thin: bool) -> None:
    """One computes, the other one's waiter is woken, whatever the connection is made of."""
    address, calls = Address.of(server.client()), []
    begun, release = threading.Event(), threading.Event()

    def compute() -> str:
        calls.append(1)
        begun.set()
        release.wait(10)
        return "leaf"

    with (
        closing(Cache(address, Policy(), thin=thin)) as one,
        closing(Cache(address, Policy(), thin=thin)) as other,
    ):
        leader = threading.Thread(target=one.get, args=("k", compute))
        leader.start()
        begun.wait(10)
        threading.Timer(0.3, release.set).start()
        found = other.get("k", compute)
        leader.join()

        assert (found.value, len(calls)) == ("leaf", 1)
        assert other.events()["hit_after_wait"] == 1


def test_a_cache_without_any_server_answers() -> None:
    """Where nothing listens, one computation is made and kept near."""
    nowhere = redis.Redis(port=1)
    with closing(Cache(Address.of(nowhere), Policy())) as cache:
        assert cache.get("k", lambda: 1).value == 1
        assert cache.get("k", lambda: 2).origin == "near"
        assert not cache.available()


def test_the_pool_is_bounded_and_tells_its_use(server: Server) -> None:
    """Whoever finds all links in use waits a little, and then is refused; the last back is first out."""
    address = Address.of(server.client())
    pool = LinkPool(lambda: address.connect(Timeouts()), most=2, wait_s=0.05)
    first, second = pool.lend()[0], pool.lend()[0]

    with pytest.raises(PoolExhausted, match="all 2 connections"):
        pool.lend()
    assert pool.use() == PoolUse(in_use=2, most=2, waiting=0)

    pool.give_back(first)
    pool.give_back(second)
    assert pool.lend() == (second, False)
    pool.give_back(second)
    pool.close_idle()
    assert pool.use() == PoolUse(in_use=0, most=2, waiting=0)


@pytest.mark.parametrize(
    "wrong",
    [{"soft_ttl_s": 0}, {"soft_ttl_s": 9, "hard_ttl_s": 8}, {"jitter": 1}, {"lease_s": 0}],
)
def test_impossible_policies_are_refused(wrong: dict[str, float]) -> None:
    """The error names what was wrong, and the value."""
    with pytest.raises(ValueError, match=r"must be"):
        Policy(**wrong)  # type: ignore[arg-type]


@KINDS
def test_a_subscription_outlives_its_silence(server: Server, *, thin: bool) -> None:
    """Whoever heard nothing for a while is still subscribed, and hears what comes then."""
    client = server.client()
    link = Address.of(client).connect(Timeouts(), thin=thin)
    link.send(command("SUBSCRIBE", "garden"))
    link.receive(1.0)

    with pytest.raises(LinkError) as silence:
        link.receive(0.05)
    client.publish("garden", b"rain")

    assert silence.value.timed_out
    assert link.receive(1.0) == [b"message", b"garden", b"rain"]
    link.close()


@KINDS
def test_an_unknown_script_is_told_by_its_code(server: Server, *, thin: bool) -> None:
    """By it the script's text is sent; without, a server that knows none would seem to be down."""
    link = Address.of(server.client()).connect(Timeouts(), thin=thin)

    reply = link.ask(command("EVALSHA", "0" * 40, "0"), 1.0)

    assert str(reply).startswith("NOSCRIPT ")
    link.close()


def test_a_closed_link_does_not_come_back_by_itself(server: Server) -> None:
    """A subscription on it would be gone, and nobody would know."""
    link = Address.of(server.client()).connect(Timeouts(), thin=False)
    link.close()

    with pytest.raises(LinkError):
        link.send(command("PING"))
