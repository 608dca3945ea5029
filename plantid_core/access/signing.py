"""What is signed, and how keys are changed: the current key signs, former ones are still believed."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from itsdangerous import BadData, URLSafeTimedSerializer

if TYPE_CHECKING:
    from pathlib import Path

    from plantid_core.settings import Settings

_FILE = "secret-key"
_KEY_BYTES = 48


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The key that signs, and those that are believed as well, the newest first."""

    current: str = field(repr=False)
    fallbacks: tuple[str, ...] = field(default=(), repr=False)

    def derived(self, purpose: str) -> tuple[str, ...]:
        """Return one key a key of the ring, the current one's first, for this purpose alone."""
        return tuple(
            hmac.new(key.encode(), purpose.encode(), hashlib.sha256).hexdigest()
            for key in (self.current, *self.fallbacks)
        )

    def sign(self, purpose: str, value: object) -> str:
        """Return a text, fit for an address, that holds the value and the time; anybody can read it."""
        return self._serializer(purpose).dumps(value)

    def read(self, purpose: str, text: str, max_age_s: float) -> object | None:
        """Return the value, None where it was signed by no key of ours or too long ago."""
        try:
            value: object = self._serializer(purpose).loads(text, max_age=int(max_age_s))
        except BadData:
            return None
        return value

    def _serializer(self, purpose: str) -> URLSafeTimedSerializer:
        # The library takes the newest key last, and signs with it.
        return URLSafeTimedSerializer(list(reversed(self.derived(purpose))), salt=purpose)


def key_ring(settings: Settings) -> KeyRing:
    """Return the keys of the settings; without one, in development, a key kept in the data directory."""
    former = () if settings.secret_key_fallbacks is None else settings.former_keys()
    if settings.secret_key is not None:
        return KeyRing(settings.secret_key.get_secret_value(), former)
    return KeyRing(_kept(settings.data_dir / _FILE), former)


def new_key() -> str:
    """Return a strong key: 384 bits from the system's source of randomness, fit for an environment."""
    return secrets.token_urlsafe(_KEY_BYTES)


def _kept(path: Path) -> str:
    with suppress(FileExistsError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        made = path.with_name(f".{path.name}-{os.getpid()}-{secrets.token_hex(4)}")
        descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(new_key())
            # Linked, not renamed: of two processes that make one, the first one's stays.
            path.hardlink_to(made)
        finally:
            made.unlink()
    return path.read_text().strip()
