"""A process's one subscription."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from processes import until

from plantid_core.resilience.link import Address, Timeouts
from plantid_core.resilience.server import RedisServer
from plantid_core.resilience.subscriber import Subscriber

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servers import Server

CHANNEL = "channel"


class Diary:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def joined(self, *, again: bool) -> None:
        self.told.append(f"joined again={again}")

    def message(self, body: bytes) -> None:
        self.told.append(body)
        if body == b"break":
            raise RuntimeError("an ear that cannot hear this")

    def lost(self) -> None:
        self.told.append("lost")


@pytest.fixture
def diary() -> Diary:
    """Return an ear."""
    return Diary()


@pytest.fixture
def subscriber(server: Server, diary: Diary) -> Iterator[Subscriber]:
    """Return a subscription that has begun."""
    redis = RedisServer(
        Address.of(server.client()), Timeouts(), on_down=lambda: None, on_up=lambda: None
    )
    made = Subscriber(redis, CHANNEL, ("return 1",), diary, name="test-subscriber")
    made.start()
    made.await_first(5)
    yield made
    made.close()
    redis.close()


def test_messages_arrive_in_order(subscriber: Subscriber, server: Server, diary: Diary) -> None:
    """After it has joined, each is told once."""
    assert subscriber.connected
    for number in range(20):
        server.client().publish(CHANNEL, f"m{number}")

    assert until(lambda: len(diary.told) == 21)
    assert diary.told == ["joined again=False", *[f"m{n}".encode() for n in range(20)]]


def test_a_killed_connection_is_made_anew(
    subscriber: Subscriber, server: Server, diary: Diary
) -> None:
    """It says when messages were being missed, and when that is over."""
    server.client().execute_command("CLIENT", "KILL", "TYPE", "pubsub")  # type: ignore[no-untyped-call]
    assert until(lambda: diary.told[-1] == "joined again=True")
    server.client().publish(CHANNEL, "after")

    assert until(lambda: diary.told[-1] == b"after")
    assert diary.told[:3] == ["joined again=False", "lost", "joined again=True"]
    assert subscriber.connected


def test_a_server_that_comes_back_is_found(
    subscriber: Subscriber, server: Server, diary: Diary
) -> None:
    """However often it was looked for in vain."""
    server.kill()
    assert until(lambda: not subscriber.connected)
    time.sleep(0.3)
    server.restart()

    assert until(lambda: subscriber.connected, 6)
    assert until(lambda: diary.told[-1] == "joined again=True")


def test_an_ear_that_raises_ends_no_subscription(
    subscriber: Subscriber, server: Server, diary: Diary
) -> None:
    """It is joined again, and hears what is told then."""
    server.client().publish(CHANNEL, "break")
    assert until(lambda: diary.told[-1] == "joined again=True")
    server.client().publish(CHANNEL, "after")

    assert until(lambda: diary.told[-1] == b"after")
    assert subscriber.connected


def test_what_is_closed_stays_closed(subscriber: Subscriber, server: Server, diary: Diary) -> None:
    """Its connection ends, and it does not come back."""
    subscriber.close()

    assert until(lambda: server.client().publish(CHANNEL, "who is there") == 0)
    time.sleep(0.3)
    assert server.client().publish(CHANNEL, "who is there") == 0
    assert diary.told[0] == "joined again=False"
