"""The lease on a key: who may compute it now. Scripts, each one atomic step on one server.

``{k}:v`` holds the envelope, ``{k}:l`` the lease (``fence:token``, with a PX), ``{k}:f`` the last fence.
A fence is the server's clock in µs, or one more than the last: it never goes back, also where a
FLUSHALL took the counter (Kleppmann, "How to do distributed locking", 2016, on fencing tokens).
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from plantid_core.resilience.envelope import FENCE_AT
from plantid_core.resilience.link import LinkError, command

if TYPE_CHECKING:
    from typing import TypeAlias

    from plantid_core.resilience.link import Reply

# KEYS v l f · ARGV token, lease ms, "-" (nothing seen) or "=" + the fence bytes of what was seen
GET_OR_LEASE = """
local blob = redis.pcall('GET', KEYS[1])
if type(blob) ~= 'string' then blob = false end
if blob and (ARGV[3] == '-' or '=' .. string.sub(blob, 5, 12) ~= ARGV[3]) then return {1, blob} end
local left = redis.call('PTTL', KEYS[2])
if left > 0 then return {3, left} end
local now = redis.call('TIME')
local fence = tonumber(now[1]) * 1000000 + tonumber(now[2])
local last = tonumber(redis.pcall('GET', KEYS[3]) or 0) or 0
if fence <= last then fence = last + 1 end
local text = string.format('%.0f', fence)
redis.call('SET', KEYS[3], text, 'PX', 86400000)
redis.call('SET', KEYS[2], text .. ':' .. ARGV[1], 'PX', ARGV[2])
return {2, text}
"""
# KEYS l · ARGV fence:token, lease ms
RENEW = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""
# KEYS v l · ARGV fence:token, blob, PX of the value (0: tell it, but keep nothing), channel, head
COMMIT = """
if redis.call('GET', KEYS[2]) ~= ARGV[1] then
  local blob = redis.pcall('GET', KEYS[1])
  if type(blob) ~= 'string' then blob = '' end
  return {0, blob}
end
if ARGV[3] ~= '0' then redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
redis.call('DEL', KEYS[2])
redis.call('PUBLISH', ARGV[4], ARGV[5] .. ARGV[2])
return {1}
"""
# KEYS v · ARGV channel, head; lease and fence stay, so that whoever computes now is refused no later
FORGET = """
local there = redis.call('DEL', KEYS[1])
redis.call('PUBLISH', ARGV[1], ARGV[2])
return there
"""
SCRIPTS = (GET_OR_LEASE, RENEW, COMMIT)

_KEY_LENGTH_BYTES = 4


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to compute ``key`` until it expires; ``fence`` grows with every lease of the key."""

    key: str
    fence: int
    token: str

    @property
    def mark(self) -> str:
        """Return what lies in Redis while the lease is held."""
        return f"{self.fence}:{self.token}"


@dataclass(frozen=True, slots=True)
class Hit:
    """A blob other than the one the caller had seen."""

    blob: bytes


@dataclass(frozen=True, slots=True)
class Granted:
    """The caller computes."""

    lease: Lease


@dataclass(frozen=True, slots=True)
class Wait:
    """Somebody else computes; their lease lasts ``left_s`` seconds unless they renew it."""

    left_s: float


@dataclass(frozen=True, slots=True)
class Committed:
    """Whether the value was taken; where not, the blob that lies there instead (empty: none)."""

    accepted: bool
    blob: bytes = b""


if TYPE_CHECKING:
    Acquired: TypeAlias = Hit | Granted | Wait


class Server(Protocol):
    """Sends one script; raises `LinkError` where the server gives no usable answer."""

    def run(self, script: str, keys: tuple[str, ...], *words: bytes | str | int) -> Reply:
        """Return the script's reply."""


def value_key(key: str) -> str:
    """Return where the envelope lies; the braces keep a key's parts in one slot of a cluster."""
    return f"{{{key}}}:v"


def lease_key(key: str) -> str:
    """Return where the lease lies."""
    return f"{{{key}}}:l"


def fence_key(key: str) -> str:
    """Return where the last fence lies."""
    return f"{{{key}}}:f"


def new_token() -> str:
    """Return a lease's token: nobody else's, ever."""
    return secrets.token_hex(8)


def seen(blob: bytes | None) -> bytes:
    """Return how a blob that will not do is told to the server."""
    return b"-" if blob is None else b"=" + blob[FENCE_AT]


def acquire(server: Server, key: str, token: str, lease_s: float, known: bytes) -> Acquired:
    """Ask for another value than the ``known`` one, or for the lease to make it."""
    keys = value_key(key), lease_key(key), fence_key(key)
    reply = server.run(GET_OR_LEASE, keys, token, int(lease_s * 1000), known)
    match reply:
        case [1, bytes(blob)]:
            return Hit(blob)
        case [2, bytes(fence)]:
            return Granted(Lease(key, int(fence), token))
        case [3, int(left_ms)]:
            return Wait(left_ms / 1e3)
        case _:
            raise LinkError(f"GET_OR_LEASE answered {reply!r}")


def renew(server: Server, lease: Lease, lease_s: float) -> bool:
    """Lengthen the lease; False where it is lost."""
    return server.run(RENEW, (lease_key(lease.key),), lease.mark, int(lease_s * 1000)) == 1


def commit(server: Server, lease: Lease, blob: bytes, keep_s: float, channel: str) -> Committed:
    """Store and tell the value, and end the lease, if it is still held; ``keep_s`` 0 only tells it."""
    keys = value_key(lease.key), lease_key(lease.key)
    words = lease.mark, blob, int(keep_s * 1000), channel, message_head(lease.key)
    reply = server.run(COMMIT, keys, *words)
    match reply:
        case [1]:
            return Committed(accepted=True)
        case [0, bytes(current)]:
            return Committed(accepted=False, blob=current)
        case _:
            raise LinkError(f"COMMIT answered {reply!r}")


def forget(server: Server, key: str, channel: str) -> None:
    """Delete the value, and tell so by a message without a blob."""
    server.run(FORGET, (value_key(key),), channel, message_head(key))


def message_head(key: str) -> bytes:
    """Return what stands before the blob in a broadcast."""
    name = key.encode()
    return len(name).to_bytes(_KEY_LENGTH_BYTES, "little") + name


def read_message(message: bytes) -> tuple[str, bytes] | None:
    """Return key and blob of a broadcast, or None where it is none of ours."""
    length = int.from_bytes(message[:_KEY_LENGTH_BYTES], "little")
    end = _KEY_LENGTH_BYTES + length
    if len(message) < end:
        return None
    try:
        return message[_KEY_LENGTH_BYTES:end].decode(), message[end:]
    except UnicodeDecodeError:
        return None


def pack_script(script: str, keys: tuple[str, ...], words: tuple[bytes | str | int, ...]) -> bytes:
    """Return the command that runs a script by its digest."""
    digest = hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
    return command("EVALSHA", digest, len(keys), *keys, *words)


def pack_source(script: str, keys: tuple[str, ...], words: tuple[bytes | str | int, ...]) -> bytes:
    """Return the command that runs a script by its text, which the server then knows."""
    return command("EVAL", script, len(keys), *keys, *words)
