"""Redis as the lease scripts see it, on a virtual clock; and two ways to get the scripts wrong.

Held to the real server by a test that runs both side by side.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from plantid_core.resilience.envelope import FENCE_AT
from plantid_core.resilience.lease import Committed, Granted, Hit, Lease, Wait

if TYPE_CHECKING:
    from collections.abc import Callable

    from plantid_core.resilience.lease import Acquired

Broken = Literal["no fence", "publish before set"]


@dataclass
class RedisModel:
    """One key. ``clock`` gives seconds; ``violations`` collects what should not happen here."""

    clock: Callable[[], float]
    broken: Broken | None = None
    blob: bytes | None = None
    expires: float = 0.0
    holder: Lease | None = None
    held_until: float = 0.0
    counter: int = 0
    last_granted: int = 0
    last_stored: int = 0
    violations: list[str] = field(default_factory=list)

    def get(self) -> bytes | None:
        """Return the value."""
        if self.blob is not None and self.clock() >= self.expires:
            self.blob = None
        return self.blob

    def acquire(self, key: str, token: str, lease_s: float, known: bytes) -> Acquired:
        """Do what GET_OR_LEASE does."""
        blob = self.get()
        if blob is not None and known != b"=" + blob[FENCE_AT]:
            return Hit(blob)
        left = self.held_until - self.clock()
        if self.holder is not None and left > 0:
            return Wait(left)
        fence = max(int(self.clock() * 1e6), self.counter + 1)
        if fence <= self.last_granted:
            self.violations.append(f"fence went back from {self.last_granted} to {fence}")
        self.counter = self.last_granted = fence
        self.holder = Lease(key, fence, token)
        self.held_until = self.clock() + lease_s
        return Granted(self.holder)

    def renew(self, lease: Lease, lease_s: float) -> bool:
        """Do what RENEW does."""
        if not self._holds(lease):
            return False
        self.held_until = self.clock() + lease_s
        return True

    def commit(self, lease: Lease, blob: bytes, keep_s: float) -> Committed:
        """Do what COMMIT does, but for the broadcast."""
        if not self._holds(lease) and self.broken is None:
            return Committed(accepted=False, blob=self.get() or b"")
        if self.broken != "publish before set":
            self.store(lease, blob, keep_s)
        return Committed(accepted=True)

    def store(self, lease: Lease, blob: bytes, keep_s: float) -> None:
        """Set the value and drop the lease."""
        if lease.fence < self.last_granted:
            self.violations.append(
                f"late commit accepted: {lease.fence} after {self.last_granted} was granted"
            )
        if keep_s > 0:
            self.blob, self.expires = blob, self.clock() + keep_s
            self.last_stored = lease.fence
        self.holder = None

    def flush(self) -> None:
        """Do what FLUSHALL does."""
        self.blob, self.holder, self.counter = None, None, 0

    def _holds(self, lease: Lease) -> bool:
        return self.holder == lease and self.held_until > self.clock()
