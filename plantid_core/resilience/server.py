"""The one Redis of a cache: commands over a pool of links, behind the breaker around it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import hiredis

from plantid_core.resilience.health import Health
from plantid_core.resilience.lease import pack_script, pack_source
from plantid_core.resilience.link import LinkError, command
from plantid_core.resilience.pool import LinkPool, PoolExhausted

if TYPE_CHECKING:
    from collections.abc import Callable

    from plantid_core.resilience.link import Address, Link, Reply, Timeouts
    from plantid_core.resilience.pool import PoolUse

_PROBE = command("SET", "plantid:probe", "1", "PX", 1000)


class RedisServer:
    """Raises `LinkError` for whatever is wrong with Redis; a value of a foreign type is None."""

    def __init__(
        self,
        address: Address,
        timeouts: Timeouts,
        *,
        on_down: Callable[[], None],
        on_up: Callable[[], None],
        max_connections: int = 50,
        thin: bool = True,
    ) -> None:
        self.address = address
        self.timeouts = timeouts
        self._on_down = on_down
        self._thin = thin
        self._answer_s = timeouts.answer_s
        self._pool = LinkPool(self.dial, most=max_connections)
        self._idle = self._pool.idle
        self.health = Health(self._probe, on_down=self._went_down, on_up=on_up)

    def dial(self) -> Link:
        """Return a new link; raises `LinkError`."""
        return self.address.connect(self.timeouts, thin=self._thin)

    def get(self, key: str) -> bytes | None:
        """Return the bytes at a key."""
        reply = self._ask(b"*2\r\n$3\r\nGET\r\n$%d\r\n%b\r\n" % (len(k := key.encode()), k))
        if isinstance(reply, bytes):
            return reply
        if isinstance(reply, hiredis.ReplyError) and not str(reply).startswith("WRONGTYPE"):
            raise self._trouble(reply)
        return None

    def run(self, script: str, keys: tuple[str, ...], *words: bytes | str | int) -> Reply:
        """Return a script's reply; a server that does not know it is sent its text."""
        reply = self._ask(pack_script(script, keys, words))
        if isinstance(reply, hiredis.ReplyError) and str(reply).startswith("NOSCRIPT"):
            reply = self._ask(pack_source(script, keys, words))
        if isinstance(reply, hiredis.ReplyError):
            raise self._trouble(reply)
        return reply

    def use(self) -> PoolUse:
        """Return the use of the pool."""
        return self._pool.use()

    def close(self) -> None:
        """Close every link, those in use when they come back."""
        self.health.close()
        self._pool.close()

    def _ask(self, packed: bytes) -> Reply:
        if not self.health.up:
            raise LinkError("Redis is down")
        try:
            link, new = self._idle.pop(), False
        except IndexError:
            link, new = self._lend()
        try:
            reply = link.ask(packed, self._answer_s)
        except BaseException as error:  # noqa: BLE001 - raised again; the link's state is unknown
            self._pool.discard(link)
            return self._again(packed, error, new=new)
        self._pool.give_back(link)
        return reply

    def _lend(self) -> tuple[Link, bool]:
        try:
            return self._pool.lend()
        except PoolExhausted:
            raise  # our own crowd is no fault of the server's
        except LinkError as error:
            self.health.failed(error)
            raise

    def _again(self, packed: bytes, error: BaseException, *, new: bool) -> Reply:
        """Ask once more after a reset: an idle link may lead to a server that has restarted since."""
        if not isinstance(error, LinkError):
            raise error
        if new or error.timed_out:
            self.health.failed(error)
            raise error
        self._pool.close_idle()
        link, _ = self._lend()
        try:
            reply = link.ask(packed, self._answer_s)
        except BaseException as second:
            self._pool.discard(link)
            if isinstance(second, LinkError):
                self.health.failed(second)
            raise
        self._pool.give_back(link)
        return reply

    def _trouble(self, reply: hiredis.ReplyError) -> LinkError:
        """Return the error of a server that answers, but cannot serve (OOM, READONLY, LOADING, …)."""
        error = LinkError(str(reply))
        self.health.failed(error)
        return error

    def _probe(self) -> None:
        link = self.dial()
        try:
            reply = link.ask(_PROBE, self._answer_s)
        finally:
            link.close()
        if isinstance(reply, hiredis.ReplyError):
            raise LinkError(str(reply))

    def _went_down(self) -> None:
        self._pool.close_idle()
        self._on_down()
