"""Breakers of one name in any number of processes share one circuit, and ask nobody for it.

The circuit lies in Redis under ``plantid:breaker:{name}`` and is changed by compare-and-set in one
script, which also tells everybody; each process decides by the copy it heard last and by Redis' clock.
The functions of `circuit` say what becomes of it, so exactly so many permits are handed out as one
circuit allows. Nothing here is waited for on the way of a call but a permit to probe.
"""

from __future__ import annotations

import os
import queue
import threading
import time
import weakref
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import orjson
from pydantic import TypeAdapter, ValidationError

from plantid_core.resilience.circuit import Circuit
from plantid_core.resilience.fleet_clock import FleetClock
from plantid_core.resilience.link import Address, LinkError, Timeouts
from plantid_core.resilience.server import RedisServer
from plantid_core.resilience.subscriber import Subscriber
from plantid_core.telemetry import tell

if TYPE_CHECKING:
    from collections.abc import Callable

    import redis

    Transition: TypeAlias = Callable[[Circuit, float], Circuit]
    Hear: TypeAlias = Callable[[Circuit | None], None]
    _Errands: TypeAlias = queue.SimpleQueue[Callable[[], object] | None]

# KEYS circuit · ARGV what is believed to lie there ("": nothing), what shall, its PX, channel, head
COMPARE_AND_SET = """
local now = redis.call('TIME')
local found = redis.pcall('GET', KEYS[1])
if type(found) ~= 'string' then found = '' end
if found ~= ARGV[1] then return {0, found, now[1], now[2]} end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('PUBLISH', ARGV[4], ARGV[5] .. ARGV[2])
return {1, '', now[1], now[2]}
"""
# No keys, no arguments
CLOCK = "return redis.call('TIME')"
# ARGV channel, message
TELL = "return redis.call('PUBLISH', ARGV[1], ARGV[2])"

_KEEP_MS = 7 * 86_400_000
_ATTEMPTS = 64
_NEVER = b"\0"
_QUESTION = b"?"
_ANSWER_S = 0.02
_READINGS = 8
_CIRCUIT: TypeAdapter[Circuit] = TypeAdapter(Circuit)
_FORGOTTEN = Circuit()


class Share:
    """One breaker's part in the fleet."""

    def __init__(self, fleet: Fleet, name: str, hear: weakref.WeakMethod[Hear]) -> None:
        self._fleet, self._name, self._hear = fleet, name, hear
        self._key = f"plantid:breaker:{{{name}}}"
        # One value, replaced as a whole: a circuit beside another's bytes would overwrite that other.
        self._known = (_FORGOTTEN, b"")
        self._looked = threading.Event()
        self._lock = threading.Lock()

    @property
    def circuit(self) -> Circuit:
        """Return the newest circuit that this process has heard of."""
        return self._known[0]

    @property
    def up(self) -> bool:
        """Tell whether the circuit is what the fleet goes by: Redis answers and its news arrive."""
        return self._fleet.up and self._looked.is_set()

    def members(self) -> int:
        """Return how many processes listen; raises `LinkError`."""
        return self._fleet.members()

    def now(self) -> float:
        """Return the ms of the fleet's clock."""
        return self._fleet.clock.now_ms()

    def await_first(self, seconds: float) -> None:
        """Wait a moment until the fleet's circuit is known, unless Redis is known to be away."""
        if self._fleet.hopeful:
            self._looked.wait(seconds)

    def change(self, transition: Transition) -> Circuit:
        """Change the fleet's circuit; returns what it is then. Raises `LinkError`."""
        for _ in range(_ATTEMPTS):
            base, stored = self._known
            now = self.now()
            wanted = transition(base, now)
            if wanted is base:
                return base
            # As with fences: a version that is a time is newer than any from before a FLUSHALL.
            wanted = replace(wanted, version=max(wanted.version, int(now)))
            blob = orjson.dumps(wanted)
            found = self._fleet.compare_and_set(self._key, self._name, stored, blob)
            if found is None:
                self.take(blob, wanted)
                return wanted
            self._found(found)
        raise LinkError(f"the breaker {self._name} is being changed by too many at once")

    def later(self, errand: Callable[[], object]) -> None:
        """Have an errand done soon, on the fleet's own thread."""
        self._fleet.later(errand)

    def look(self) -> None:
        """Find out what the fleet's circuit is; where it has been forgotten, tell it again."""
        found = self._fleet.compare_and_set(self._key, self._name, _NEVER, _NEVER)
        if found is not None:
            self._found(found)
        if not self.circuit.version:
            self._ask_the_others()
        circuit, stored = self._known
        blob = orjson.dumps(circuit)
        if circuit.version and stored != blob:
            found = self._fleet.compare_and_set(self._key, self._name, stored, blob)
            self._found(blob if found is None else found)
        self._looked.set()
        self.tell(None)

    def _ask_the_others(self) -> None:
        """Where Redis knows nothing, it may have been emptied: whoever knows better writes it again."""
        if self._fleet.ask(self._name) > 1:
            until = time.monotonic() + _ANSWER_S
            while not self.circuit.version and time.monotonic() < until:
                time.sleep(_ANSWER_S / 20)

    @property
    def looked(self) -> bool:
        """Tell whether the fleet's circuit is known, and no change of it can have been missed."""
        return self._looked.is_set()

    def apart(self, errand: Callable[[], object]) -> None:
        """Have something done that may take its time, such as to call listeners."""
        self._fleet.apart(errand)

    def lost(self) -> None:
        """Take note that changes are being missed."""
        self._looked.clear()
        self.tell(None)

    def take(self, blob: bytes, circuit: Circuit) -> None:
        """Go by this circuit, if it is newer than what is known."""
        with self._lock:
            before = self.circuit
            if circuit.version < before.version:
                return
            self._known = (circuit, blob)
            news = circuit != before
        if news:
            self.tell(circuit)

    def tell(self, circuit: Circuit | None) -> None:
        """Let the breaker know (None: Redis has gone or come back)."""
        hear = self._hear()
        if hear is not None:
            hear(circuit)

    def leave(self) -> None:
        """Give up the part; the fleet ends with its last member."""
        self._fleet.leave(self._name, self)

    def leave_later(self) -> None:
        """Do so on the fleet's own thread: the garbage collector may call with any lock held."""
        self._fleet.later(self.leave)

    def _found(self, blob: bytes) -> None:
        circuit = read(blob)
        with self._lock:
            if circuit is None or circuit.version < self.circuit.version:
                # Forgotten, or an elder copy: what we know is written over it by the next change.
                self._known = (self.circuit, blob)
                return
        self.take(blob, circuit)


class Fleet:
    """One process's connection to one Redis for all its breakers."""

    def __init__(self, address: Address) -> None:
        self.clock = FleetClock()
        self._pid = os.getpid()
        self._channel = f"plantid:breakers:{address.database}"
        self._shares: dict[str, list[Share]] = {}
        self._lock = threading.Lock()
        self._errands: _Errands = queue.SimpleQueue()
        self._leisure: _Errands = queue.SimpleQueue()
        self._server = RedisServer(
            address, Timeouts(), on_down=self._down, on_up=self._up, max_connections=8
        )
        self._subscriber = Subscriber(
            self._server,
            self._channel,
            (COMPARE_AND_SET, CLOCK, TELL),
            self,
            name="breaker-fleet",
        )
        for errands, name in (
            (self._errands, "breaker-courier"),
            (self._leisure, "breaker-listeners"),
        ):
            threading.Thread(target=_run, args=(errands,), name=name, daemon=True).start()
        self._subscriber.start()

    @property
    def up(self) -> bool:
        """Tell whether Redis answers and its news arrive."""
        return self._subscriber.connected and self._server.health.up

    @property
    def hopeful(self) -> bool:
        """Tell whether Redis answers, or has not yet been found not to."""
        return self._server.health.up

    def join(self, name: str, hear: Hear) -> Share:
        """Return a breaker's part; ``hear`` is a bound method, and does not keep its breaker alive."""
        share = Share(self, name, weakref.WeakMethod(hear))
        with self._lock:
            self._shares.setdefault(name, []).append(share)
        if self.up:
            self.later(share.look)
        return share

    def leave(self, name: str, share: Share) -> None:
        """Forget a breaker's part; the last one to leave ends the connection."""
        if os.getpid() != self._pid:
            return  # a child, whose copies of the sockets are its parent's
        with _FLEETS_LOCK:
            with self._lock:
                shares = self._shares.get(name, [])
                if share in shares:
                    shares.remove(share)
                if not shares:
                    self._shares.pop(name, None)
                empty = not self._shares
            if empty:
                _forget(self)
        if empty:
            self._subscriber.close()
            self._errands.put(None)
            self._leisure.put(None)
            self._server.close()

    def compare_and_set(self, key: str, name: str, expected: bytes, wanted: bytes) -> bytes | None:
        """Return None where it was set, else what lies there; raises `LinkError`."""
        asked = time.monotonic() * 1e3
        head = name.encode() + b"\n"
        reply = self._server.run(
            COMPARE_AND_SET, (key,), expected, wanted, _KEEP_MS, self._channel, head
        )
        match reply:
            case [int(done), bytes(found), bytes(seconds), bytes(micros)]:
                shown = int(seconds) * 1e3 + int(micros) / 1e3
                self.clock.sample(asked, time.monotonic() * 1e3, shown)
                return None if done else found
            case _:
                raise LinkError("the script answered something unforeseen")

    def _read_clock(self) -> None:
        """Ask for the time until an answer came quickly enough to be exact."""
        for _ in range(_READINGS):
            asked = time.monotonic() * 1e3
            match self._server.run(CLOCK, ()):
                case [bytes(seconds), bytes(micros)]:
                    shown = int(seconds) * 1e3 + int(micros) / 1e3
                    self.clock.sample(asked, time.monotonic() * 1e3, shown)
            if self.clock.good:
                return

    def members(self) -> int:
        """Return how many processes listen; raises `LinkError`."""
        # PUBLISH tells how many it reached. PUBSUB NUMSUB tells nonsense in Valkey 9.1.
        reached = self._server.run(TELL, (), self._channel, b"")
        return reached if isinstance(reached, int) else 0

    def ask(self, name: str) -> int:
        """Ask the others what they know of a breaker; returns how many hear it. Raises `LinkError`."""
        heard = self._server.run(TELL, (), self._channel, name.encode() + b"\n" + _QUESTION)
        return heard if isinstance(heard, int) else 0

    def later(self, errand: Callable[[], object]) -> None:
        """Have an errand done on the fleet's own thread."""
        self._errands.put(errand)

    def apart(self, errand: Callable[[], object]) -> None:
        """Have something done on a thread of its own, since it may keep others' news waiting."""
        self._leisure.put(errand)

    def joined(self, *, again: bool) -> None:
        """Learn every circuit anew; changes may have been missed."""
        del again
        self.later(self._look_at_all)

    def _look_at_all(self) -> None:
        self._read_clock()
        for share in self._all():
            share.look()

    def message(self, body: bytes) -> None:
        """Take a change that some process has told of."""
        name, _, blob = body.partition(b"\n")
        if blob == _QUESTION:
            for share in self._all(name.decode(errors="replace")):
                if share.circuit.version:
                    self.later(share.look)
            return
        circuit = read(blob)
        if circuit is None:
            return
        for share in self._all(name.decode(errors="replace")):
            share.take(blob, circuit)
        if not self.clock.good:
            self.later(self._read_clock)

    def lost(self) -> None:
        """Let every breaker go by itself."""
        for share in self._all():
            share.lost()

    def _all(self, name: str | None = None) -> list[Share]:
        with self._lock:
            if name is not None:
                return list(self._shares.get(name, ()))
            return [share for shares in self._shares.values() for share in shares]

    def _down(self) -> None:
        self.lost()

    def _up(self) -> None:
        self._subscriber.reconnect_now()
        self.later(self._look_again)

    def _look_again(self) -> None:
        """Learn what a Redis that was away for a moment knows, if the subscription outlived that."""
        if self._subscriber.connected:
            for share in self._all():
                if not share.looked:
                    share.look()


def _run(errands: _Errands) -> None:
    while (errand := errands.get()) is not None:
        try:
            errand()
        except LinkError:
            continue  # whoever sent it goes by its own circuit meanwhile
        except Exception as error:  # noqa: BLE001 - the errands after it are to be done
            tell("breaker_errand_failed", error=type(error).__name__)
        finally:
            del errand  # else this frame would keep its breaker until the next one


def read(blob: bytes) -> Circuit | None:
    """Return the circuit in these bytes, None where there is none."""
    try:
        return _CIRCUIT.validate_json(blob) if blob else None
    except ValidationError:
        return None


_FLEETS: dict[object, Fleet] = {}
_FLEETS_LOCK = threading.Lock()


def join(client: redis.Redis, name: str, hear: Hear) -> Share:
    """Return a breaker's part in the fleet at the client's Redis; nothing is waited for."""
    address = Address.of(client)
    key = _identity(address)
    with _FLEETS_LOCK:
        fleet = _FLEETS.get(key)
        if fleet is None:
            fleet = _FLEETS[key] = Fleet(address)
        return fleet.join(name, hear)


def _identity(address: Address) -> object:
    """Return what two clients have in common that go to one Redis as one user."""
    plain = {
        name: value
        for name, value in address.options.items()
        if value is None or isinstance(value, str | bytes | int | float)
    }
    pool = address.options.get("connection_pool")  # Sentinel's connections ask it for the master
    return (
        address.connection_class,
        tuple(sorted(plain.items())),
        None if pool is None else id(pool),
    )


def _forget(fleet: Fleet) -> None:
    for key in [key for key, known in _FLEETS.items() if known is fleet]:
        del _FLEETS[key]


def forget_all_after_fork() -> None:
    """Let a child connect anew: threads and sockets are its parent's."""
    global _FLEETS_LOCK  # noqa: PLW0603 - the parent may have held it
    _FLEETS_LOCK = threading.Lock()
    _FLEETS.clear()
