"""`Tokens`: words that act for a person, within scopes, until a day.

A word is ``plantid_<id>_<43 characters>``: programs that look for leaked secrets find it by its beginning,
and we the row by its id. It holds 256 random bits, so that a plain digest of it is safe to keep: there is
nothing to guess. Shown once, it is kept by nobody but its owner.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import sqlalchemy as sa

from plantid_core.access.last_used import LastUsed
from plantid_core.access.principal import SCOPES, Principal
from plantid_core.access.rows import insert_new
from plantid_core.errors import AccessUnfit, PersonUnknown, TokenRefused, TokenUnknown
from plantid_core.store.history import limits
from plantid_core.store.history.schema import OWNER_LENGTH, access_token, person
from plantid_core.store.history.values import LOCAL_OWNER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sqlalchemy import Connection, RowMapping

    from plantid_core.access.principal import Role, Scope
    from plantid_core.access.roles import Roles
    from plantid_core.store.history.engine import Database

State = Literal["good", "revoked", "expired", "deactivated"]

MOST_DAYS = 3660
# How long one that lets nobody in any more can still be looked up.
KEPT = dt.timedelta(days=90)
_ID_BYTES, _RANDOM_BYTES = 8, 32
_WORD = re.compile(r"plantid_([0-9a-f]{16})_[A-Za-z0-9_-]{43}")
_SHOWN = 40
_QUERY = sa.select(
    access_token, person.c.role, person.c.active, person.c.issuer, person.c.subject
).select_from(access_token.outerjoin(person, person.c.id == access_token.c.owner))


@dataclass(frozen=True, slots=True)
class Token:
    """One token, without its word.

    ``role`` is what its owner has now, ``owner_active`` whether they may come in; ``used_at`` is to the
    minute, None: never.
    """

    id: str
    owner: str
    label: str
    scopes: tuple[Scope, ...]
    made_at: dt.datetime
    expires_at: dt.datetime
    used_at: dt.datetime | None
    revoked_at: dt.datetime | None
    role: Role
    owner_active: bool

    @property
    def principal(self) -> Principal:
        """Return it as who asks."""
        return Principal("token", self.role, self.owner, frozenset(self.scopes))

    def state(self, now: dt.datetime) -> State:
        """Tell whether it lets anybody in, or why not."""
        if self.revoked_at is not None:
            return "revoked"
        if self.expires_at <= now:
            return "expired"
        return "good" if self.owner_active else "deactivated"


class Tokens:
    """The tokens in one database; any threads and processes may share it.

    Every method may raise `HistoryUnavailable`; whoever keeps decisions is told through ``on_change``
    that they are void.
    """

    def __init__(self, database: Database, roles: Roles) -> None:
        self._database = database
        self._roles = roles
        self._last_used = LastUsed(database)
        self.on_change: list[Callable[[], None]] = []

    def close(self) -> None:
        """Write what is not written yet."""
        self._last_used.close()

    def create(
        self, owner: str, scopes: Iterable[str], days: float, label: str = ""
    ) -> tuple[Token, str]:
        """Return a new token and its word, which nobody can be shown again.

        ``owner`` is a person's id, or the local person. Those that were over long ago (`KEPT`) are deleted,
        whosever they were. Raises `PersonUnknown`, `AccessUnfit`.
        """
        held = _scopes(scopes)
        if not 0 < days <= MOST_DAYS:
            raise AccessUnfit("days", f"above 0, up to {MOST_DAYS:,}", f"{days:g}")
        if len(label) > OWNER_LENGTH:
            raise AccessUnfit("label", f"at most {OWNER_LENGTH} characters", f"{len(label):,} long")
        if owner != LOCAL_OWNER:
            self._require_active(owner)
        token_id = secrets.token_hex(_ID_BYTES)
        word = f"plantid_{token_id}_{secrets.token_urlsafe(_RANDOM_BYTES)}"
        now = dt.datetime.now(dt.UTC)
        row = {
            "id": token_id,
            "sha256": digest_of(word),
            "owner": owner,
            "label": limits.clean(label),
            "scopes": " ".join(held),
            "made_at": now,
            "expires_at": now + dt.timedelta(days=days),
        }
        long_ago = now - KEPT
        over = sa.or_(access_token.c.expires_at < long_ago, access_token.c.revoked_at < long_ago)

        def work(connection: Connection) -> None:
            connection.execute(sa.delete(access_token).where(over))
            insert_new(connection, access_token, row)

        self._database.write(work)
        return self.get(token_id), word

    def list(self, owner: str | None = None) -> tuple[Token, ...]:
        """Return an owner's tokens (None: everybody's) in the order they were made."""
        query = _QUERY.order_by(access_token.c.number)
        if owner is not None:
            query = query.where(access_token.c.owner == limits.clean(owner))
        found = self._database.read(lambda connection: connection.execute(query).mappings().all())
        return tuple(self._token(row) for row in found)

    def get(self, token_id: str) -> Token:
        """Return the token of this id; raises `TokenUnknown`."""
        if (row := self._row(token_id)) is None:
            raise TokenUnknown(token_id[:_SHOWN])
        return self._token(row)

    def revoke(self, token_id: str) -> Token:
        """End a token for good; one that was revoked stays so. Raises `TokenUnknown`."""
        self.get(token_id)
        own = access_token.c.id == token_id
        unless_done = sa.update(access_token).where(own, access_token.c.revoked_at.is_(None))
        now = dt.datetime.now(dt.UTC)
        self._database.write(lambda one: one.execute(unless_done.values(revoked_at=now)))
        for tell in self.on_change:
            tell()
        return self.get(token_id)

    def verify(self, word: str) -> Token:
        """Return the token whose word this is; raises `TokenRefused`. That it was used is noted."""
        row = self._row(token_id) if (token_id := id_in(word)) is not None else None
        # In a time that tells nothing of how nearly it is the word.
        if row is None or not hmac.compare_digest(row["sha256"], digest_of(word)):
            reason = "unknown"
            raise TokenRefused(reason)
        found, now = self._token(row), dt.datetime.now(dt.UTC)
        if (state := found.state(now)) != "good":
            raise TokenRefused(state)
        self._last_used.note(found.id, now)
        return found

    def _row(self, token_id: str) -> RowMapping | None:
        # Postgres refuses some characters even in a question: what is no id is nobody's.
        if not limits.is_id(token_id):
            return None
        own = _QUERY.where(access_token.c.id == token_id)
        return self._database.read(lambda connection: connection.execute(own).mappings().first())

    def _require_active(self, owner: str) -> None:
        own = sa.select(person.c.active).where(person.c.id == owner)
        active = self._database.read(lambda one: one.scalar(own)) if limits.is_id(owner) else None
        if active is None:
            raise PersonUnknown(owner[:_SHOWN])
        if not active:
            raise AccessUnfit("owner", "an active person", "deactivated")

    def _token(self, row: RowMapping) -> Token:
        local = row["owner"] == LOCAL_OWNER
        if local or row["role"] is None:
            role = self._roles.local if local else "user"
        else:
            role = self._roles.granted(row["issuer"], row["subject"], row["role"])
        return Token(
            row["id"],
            row["owner"],
            row["label"],
            tuple(scope for scope in SCOPES if scope in row["scopes"].split()),
            row["made_at"],
            row["expires_at"],
            row["used_at"],
            row["revoked_at"],
            role,
            local or bool(row["active"]),
        )


def id_in(word: str) -> str | None:
    """Return the id that a word of our form holds, None for any other text."""
    found = _WORD.fullmatch(word)
    return None if found is None else found[1]


def digest_of(word: str) -> str:
    """Return the SHA-256 by which a word is known."""
    return hashlib.sha256(word.encode("utf-8", "surrogatepass")).hexdigest()


def _scopes(scopes: Iterable[str]) -> tuple[Scope, ...]:
    wanted = set(scopes)
    known = ", ".join(SCOPES)
    for one in sorted(wanted.difference(SCOPES)):
        raise AccessUnfit("scope", f"one of {known}", ascii(one[:_SHOWN]))
    if not wanted:
        raise AccessUnfit("scopes", f"one or more of {known}", "none")
    return tuple(scope for scope in SCOPES if scope in wanted)
