"""The lease scripts on a real server, step by step against a model of them in Python."""

from __future__ import annotations

import itertools
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from plantid_core.resilience.envelope import Envelope
from plantid_core.resilience.lease import (
    Committed,
    Granted,
    Hit,
    Lease,
    Wait,
    acquire,
    commit,
    lease_key,
    renew,
    seen,
    value_key,
)
from plantid_core.resilience.link import Address, Timeouts
from plantid_core.resilience.server import RedisServer

if TYPE_CHECKING:
    import redis
    from servers import Server

LEASE_S, KEEP_S = 60.0, 60.0
TOKENS = st.sampled_from(["a", "b", "c"])
KEYS = itertools.count()


@dataclass
class Model:
    """What must lie on the server for one key; ``told`` is every value that was ever told of."""

    value: bytes | None = None
    lease: Lease | None = None

    def acquire(self, known: bytes | None) -> type[Hit | Wait | Granted]:
        """Return the kind of answer."""
        fresh = known is None or (self.value is not None and seen(self.value) != seen(known))
        if self.value is not None and fresh:
            return Hit
        return Granted if self.lease is None else Wait

    def commit(self, lease: Lease, blob: bytes, *, keep: bool) -> Committed:
        """Return the answer, and take the value where the lease is held."""
        if lease != self.lease:
            return Committed(accepted=False, blob=self.value or b"")
        self.lease = None
        if keep:
            self.value = blob
        return Committed(accepted=True)


class Leases(RuleBasedStateMachine):
    """Three tokens that take, renew, commit and abort leases, while keys vanish under them."""

    server: RedisServer
    client: redis.Redis

    @initialize()
    def begin(self) -> None:
        self.key = f"key{next(KEYS)}"
        self.model = Model()
        self.leases: dict[str, Lease] = {}  # the last one of each token, held or lost
        self.known: bytes | None = None
        self.fence = 0

    @rule(token=TOKENS, knows=st.booleans())
    def acquire(self, token: str, *, knows: bool) -> None:
        known = self.known if knows else None
        expected = self.model.acquire(known)

        got = acquire(self.server, self.key, token, LEASE_S, seen(known))

        assert type(got) is expected
        match got:
            case Hit(blob):
                assert blob == self.model.value
                self.known = blob
            case Wait(left_s):
                assert 0 < left_s <= LEASE_S
            case Granted(lease):
                assert (lease.key, lease.token) == (self.key, token)
                assert lease.fence > self.fence
                self.fence = lease.fence
                self.model.lease = self.leases[token] = lease

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), keep=st.booleans())
    def commit(self, data: st.DataObject, *, keep: bool) -> None:
        lease = self.leases[data.draw(st.sampled_from(sorted(self.leases)))]
        blob = Envelope("value", lease.fence, 1, 2, 3, 0, b"1").pack()
        expected = self.model.commit(lease, blob, keep=keep)

        got = commit(self.server, lease, blob, KEEP_S if keep else 0, "channel")

        assert got == expected

    @precondition(lambda self: self.leases)
    @rule(data=st.data())
    def renew(self, data: st.DataObject) -> None:
        lease = self.leases[data.draw(st.sampled_from(sorted(self.leases)))]

        assert renew(self.server, lease, LEASE_S) is (lease == self.model.lease)

    @rule()
    def expire_lease(self) -> None:
        self.client.delete(lease_key(self.key))
        self.model.lease = None

    @rule()
    def expire_value(self) -> None:
        self.client.delete(value_key(self.key))
        self.model.value = None

    @rule(foreign=st.binary(max_size=20))
    def overwrite(self, foreign: bytes) -> None:
        self.client.set(value_key(self.key), foreign)
        self.model.value = foreign

    @rule()
    def flush(self) -> None:
        self.client.flushall()
        self.model.value = self.model.lease = None

    @rule()
    def forget_scripts(self) -> None:
        self.client.script_flush()

    def teardown(self) -> None:
        """Compare what lies on the server with the model."""
        lease = self.client.get(lease_key(self.key))
        assert self.client.get(value_key(self.key)) == self.model.value
        assert lease == (None if self.model.lease is None else self.model.lease.mark.encode())


def test_the_scripts_do_what_the_model_does(server: Server) -> None:
    """After any steps every reply agrees with the model, and fences only grow, also over a flush."""
    address, timeouts = Address.of(server.client()), Timeouts(1.0, 5.0)
    running = RedisServer(address, timeouts, on_down=lambda: None, on_up=lambda: None)
    with closing(running):
        machine = type("Machine", (Leases,), {"server": running, "client": server.client()})
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=40,
                stateful_step_count=20,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
