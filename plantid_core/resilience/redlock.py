"""A lock over several independent masters, held while most of them say so."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import redis

from plantid_core.resilience.locks import Lock

if TYPE_CHECKING:
    from collections.abc import Callable

    from plantid_core.resilience.ground import Ground

# Each begins with the master's mark: a word it forgets with everything else when it loses its memory.
_MARK = """
local mark = redis.call('GET', KEYS[2])
if not mark then
  mark = ARGV[3]
  redis.call('SET', KEYS[2], mark)
end
"""
TAKE = (
    _MARK
    + """
local taken = redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2])
return {taken and 1 or 0, mark}
"""
)
EXTEND = (
    _MARK
    + """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {0, mark} end
return {redis.call('PEXPIRE', KEYS[1], ARGV[2]), mark}
"""
)
GIVE_BACK = (
    _MARK
    + """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {0, mark} end
return {redis.call('DEL', KEYS[1]), mark}
"""
)
_MARK_KEY = "redlock-mark"
# Redis' own description of Redlock: clocks drift by a hundredth, expiry is exact to 1 ms, and 1 more.
_DRIFT, _DRIFT_S = 0.01, 0.002
_LEFT_ALONE_S = 0.25


@dataclass
class _Master:
    """A server, the mark it was known by, and from when it may be asked, and believed."""

    client: redis.Redis
    mark: bytes | None = None
    lost: bool = False
    asked_from: float = 0.0
    believed_from: float = 0.0


class Masters:
    """Independent servers, and for each the time from which it may be believed again.

    A master that was lost, or that has forgotten its mark, may have restarted without its memory, and
    would give a held lock away. So it does not count for as long as a lock may last after that was
    noticed; what this leaves open is told in ``docs/decisions.md``. One that hung is left alone for a
    moment, so that two of them do not eat up a caller's time.
    """

    def __init__(self, clients: list[redis.Redis]) -> None:
        self.quorum = len(clients) // 2 + 1
        self._masters = [_Master(client) for client in clients]
        self._longest_s = 0.0

    def ask(self, script: str, key: str, expire_s: float, word: str) -> int:
        """Return how many believed masters said yes."""
        self._longest_s = max(self._longest_s, expire_s)
        words = word, int(expire_s * 1000), secrets.token_hex(8)
        return sum(self._one(master, script, key, words) for master in self._masters)

    def _one(self, master: _Master, script: str, key: str, words: tuple[str, int, str]) -> bool:
        if time.monotonic() < master.asked_from:
            return False
        try:
            said, mark = cast(
                "tuple[int, bytes]", master.client.eval(script, 2, key, _MARK_KEY, *words)
            )
        except redis.RedisError as error:
            master.lost = True
            if isinstance(error, redis.TimeoutError):
                master.asked_from = time.monotonic() + _LEFT_ALONE_S
            return False
        now = time.monotonic()
        if master.lost or master.mark not in {None, mark}:
            # In this order: another thread must not find it neither lost nor disbelieved.
            master.believed_from = now + self._longest_s
            master.lost = False
        master.mark = mark
        return bool(said) and now >= master.believed_from


class Redlock(Lock):
    """A lock held while most of several independent masters say so; sub-second expiry is allowed.

    S. Sanfilippo, "Distributed Locks with Redis" (redis.io); see Kleppmann 2016 for why what is done
    under it should still be fenced. ``valid_s`` is what remains of it when it was acquired.
    """

    def __init__(
        self,
        masters: Masters,
        name: str,
        *,
        expire_s: float = 10.0,
        timeout_s: float | None = None,
        auto_renewal: bool = True,
        on_lost: Callable[[], object] = lambda: None,
        ground: Ground | None = None,
    ) -> None:
        super().__init__(
            name, expire_s, timeout_s=timeout_s, auto_renewal=auto_renewal, on_lost=on_lost,
            ground=ground,
        )  # fmt: skip
        self._masters = masters
        self._key = f"redlock:{name}"
        self.id = secrets.token_hex(16)
        self.valid_s = 0.0

    def extend(self) -> bool:
        """Lengthen the lock on most masters; False where that failed, so that it cannot be relied on."""
        return self._vote(EXTEND)

    def _take(self) -> bool:
        if self._vote(TAKE):
            return True
        self._give_back()
        return False

    def _vote(self, script: str) -> bool:
        began = time.monotonic()
        said = self._masters.ask(script, self._key, self.expire_s, self.id)
        spent = time.monotonic() - began
        self.valid_s = self.expire_s * (1 - _DRIFT) - _DRIFT_S - spent
        return said >= self._masters.quorum and self.valid_s > 0

    def _give_back(self) -> bool:
        said = self._masters.ask(GIVE_BACK, self._key, self.expire_s, self.id)
        return said >= self._masters.quorum

    def _nap(self, seconds: float) -> None:
        # Drawn anew each time: contenders in step would split the vote again and again.
        self._ground.sleep(min(seconds, 0.005 + 0.04 * self._ground.draw()))
