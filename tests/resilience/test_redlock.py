"""Redlock over three masters that are killed, hang and come back without their memory."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest

from plantid_core.errors import LockLost, LockNotAcquired
from plantid_core.resilience.link import Address
from plantid_core.resilience.redlock import Masters, Redlock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servers import Server

ANSWER_S = 0.2


@contextmanager
def masters_of(servers: list[Server]) -> Iterator[Masters]:
    """Give masters as the strategy of that name makes them."""
    with ExitStack() as stack:
        clients = [Address.of(server.client()).client(answer_s=ANSWER_S) for server in servers]
        for client in clients:
            stack.callback(client.connection_pool.disconnect)
        yield Masters(clients)


@pytest.fixture
def masters(three: list[Server]) -> Iterator[Masters]:
    """Return three masters."""
    with masters_of(three) as made:
        yield made


def test_a_redlock_needs_most_masters_alone(three: list[Server], masters: Masters) -> None:
    """With one of three masters down it is given; with two down it is refused, and in time."""
    three[0].kill()
    with Redlock(masters, "name", timeout_s=2) as held:
        assert 9 < held.valid_s < 10
        assert not Redlock(masters, "name").acquire(blocking=False)

    three[1].kill()
    began = time.monotonic()
    assert not Redlock(masters, "name").acquire(timeout_s=0.5)
    assert time.monotonic() - began < 2
    assert not three[2].client().exists("redlock:name")


def test_a_hanging_master_costs_its_timeout_alone(three: list[Server], masters: Masters) -> None:
    """A master that does not answer is passed over."""
    three[1].stop()

    began = time.monotonic()
    with Redlock(masters, "name", timeout_s=5):
        spent = time.monotonic() - began
    three[1].cont()

    assert spent < 5 * ANSWER_S


def test_a_restarted_master_is_not_believed_at_once(three: list[Server], masters: Masters) -> None:
    """A master that may have forgotten a lock does not count until every lock of then is over."""

    def contender() -> Redlock:
        return Redlock(masters, "name", expire_s=2, auto_renewal=False)

    three[2].kill()
    assert contender().acquire(blocking=False)  # held on masters 0 and 1
    three[2].restart()
    three[0].kill()
    assert not contender().acquire(blocking=False)
    three[0].restart()  # masters 0 and 2 know nothing of the lock

    began = time.monotonic()
    assert not contender().acquire(blocking=False)
    assert contender().acquire(timeout_s=10)
    assert time.monotonic() - began > 1.5


class Drill:
    """Contenders for one lock; ``most`` of them at once, as a counter in this process saw it."""

    def __init__(self, servers: list[Server], rounds: int) -> None:
        self._servers, self._rounds = servers, rounds
        self._mutex, self._inside = threading.Lock(), 0
        self.done = self.most = self.lost = self.kills = 0
        self.failures: list[BaseException] = []

    def run(self) -> None:
        """Contend from four threads, half of them over masters of their own, until it is enough."""
        with masters_of(self._servers) as one, masters_of(self._servers) as other:
            threads = [
                threading.Thread(target=self._contend, args=(each,)) for each in (one, other) * 2
            ]
            for thread in threads:
                thread.start()
            while self._goes_on():
                self._kill_one()
            for thread in threads:
                thread.join()

    def _goes_on(self) -> bool:
        return not self.failures and (self.done < self._rounds or self.kills < 3)

    def _kill_one(self) -> None:
        server = self._servers[self.kills % 3]
        server.kill()
        time.sleep(0.4)  # each contender has noticed
        server.restart()
        self.kills += 1
        time.sleep(1.5)  # each contender has seen it answer, and a lock's time has passed

    def _contend(self, masters: Masters) -> None:
        try:
            while self._goes_on():
                self._round(Redlock(masters, "drill", expire_s=1, timeout_s=20))
        except BaseException as error:  # noqa: BLE001 - told by the test's thread
            self.failures.append(error)

    def _round(self, lock: Redlock) -> None:
        try:
            with lock:
                with self._mutex:
                    self._inside += 1
                    self.most = max(self.most, self._inside)
                time.sleep(0.001)
                with self._mutex:
                    self._inside -= 1
                    self.done += 1
        except LockLost:  # a master died under the holder: told, not hidden
            self.lost += 1


@pytest.mark.parametrize(
    "rounds",
    [200, pytest.param(10**4, marks=[pytest.mark.slow, pytest.mark.timeout(900)])],
)
def test_never_two_holders_while_masters_die(three: list[Server], rounds: int) -> None:
    """While one master after another is killed and restarted, no two threads hold the lock at once."""
    drill = Drill(three, rounds)

    drill.run()

    assert drill.failures == []
    assert drill.most == 1
    assert drill.done >= rounds > drill.lost
    assert drill.kills >= 3


def test_a_master_that_forgot_its_mark_is_not_believed(server: Server) -> None:
    """A master that lost its memory between two asks, its connection silently renewed, does not count."""
    with server.client() as client:
        masters = Masters([client])
        with Redlock(masters, "plant", expire_s=1.0, auto_renewal=False):
            pass

        client.flushall()

        assert not Redlock(masters, "plant", expire_s=1.0).acquire(blocking=False)
        with Redlock(masters, "plant", expire_s=1.0, timeout_s=10.0, auto_renewal=False):
            pass


def test_a_held_lock_is_not_taken_again(server: Server) -> None:
    """A second acquire of the same object is refused, and the lock stays held."""
    with server.client() as client:
        masters = Masters([client])
        lock = Redlock(masters, "plant", expire_s=5.0)
        assert lock.acquire(blocking=False)

        with pytest.raises(LockNotAcquired):
            lock.acquire(blocking=False)

        assert not Redlock(masters, "plant", expire_s=5.0).acquire(blocking=False)
        lock.release()
