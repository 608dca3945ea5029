"""`People`: who has signed in, or was given a token, and whether they still may."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from plantid_core.access.principal import ANONYMOUS, Principal, owner_of
from plantid_core.access.rows import insert_new
from plantid_core.errors import AccessUnfit, HistoryUnavailable, PersonUnknown, PlantIDError
from plantid_core.store.history import limits
from plantid_core.store.history.schema import LINE_LENGTH, OWNER_LENGTH, person

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy import Connection, RowMapping

    from plantid_core.access.principal import Role
    from plantid_core.access.roles import Roles
    from plantid_core.store.history.engine import Database

# What changes at each look (when somebody was last here) is written no more often than this.
SEEN_EVERY = dt.timedelta(minutes=1)
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Person:
    """One person. ``id`` is the owner of what is theirs; ``seen_at`` is to the minute, None: never."""

    id: str
    issuer: str
    subject: str
    name: str
    role: Role
    active: bool
    made_at: dt.datetime
    seen_at: dt.datetime | None

    @property
    def principal(self) -> Principal:
        """Return them as who asks; nobody in particular, once they are deactivated."""
        return Principal("person", self.role, self.id) if self.active else ANONYMOUS


class People:
    """The people in one database; any threads and processes may share it.

    A person is an issuer and a subject of it, never an e-mail address. Every method may raise
    `HistoryUnavailable`; whoever keeps decisions is told through ``on_change`` that they are void.
    """

    def __init__(self, database: Database, roles: Roles) -> None:
        self._database = database
        self._roles = roles
        self.on_change: list[Callable[[], None]] = []

    def seen(
        self,
        issuer: str,
        subject: str,
        *,
        name: str = "",
        role: Role = "user",
        claimed_at: dt.datetime | None = None,
    ) -> Person:
        """Return the person who is here now, made on first sight.

        ``role`` is what the sign-in service claimed when they signed in, at ``claimed_at`` (None: nobody
        knows, so that it was before all others). It, the name and the time are written at most once a
        minute a person; a role that was lost, and a new sign-in, at once. A browser that signed in
        before another one did has no more rights than that, and changes nothing of them. Raises
        `AccessUnfit` for no identity.
        """
        identity = _identity(issuer, subject)
        name = limits.clean(name)[:OWNER_LENGTH]
        now = dt.datetime.now(dt.UTC)
        found = self._database.read(lambda connection: _row(connection, identity["id"]))
        if found is not None and _is_outdated(found, claimed_at):
            role = "admin" if role == found["role"] == "admin" else "user"
            news: dict[str, object] = {"seen_at": now}
        else:
            news = {"name": name, "role": role, "seen_at": now, "claimed_at": claimed_at}
        if found is None or _is_news(found, news, now):
            try:
                found = self._note(identity, news)
            except HistoryUnavailable:
                # Whom we know is let in, though it cannot be written that they were here.
                if found is None:
                    raise
        return self._person(found, role)

    def register(self, issuer: str, subject: str) -> Person:
        """Return the person, made where they have not signed in yet; raises `AccessUnfit`."""
        return self._person(self._note(_identity(issuer, subject), {}))

    def get(self, person_id: str) -> Person:
        """Return the person of this id; raises `PersonUnknown`."""
        # Postgres refuses some characters even in a question: what is no id is nobody's.
        known = limits.is_id(person_id)
        found = self._database.read(lambda one: _row(one, person_id)) if known else None
        if found is None:
            raise PersonUnknown(person_id[:_SHOWN])
        return self._person(found)

    def find(self, who: str) -> Person:
        """Return the person of this id or subject.

        Raises `PersonUnknown`, and `PlantIDError` where several issuers have such a subject.
        """
        if not who or len(who) > OWNER_LENGTH or limits.clean(who) != who:
            raise PersonUnknown(who[:_SHOWN])
        either = sa.or_(person.c.id == who, person.c.subject == who)
        query = sa.select(person).where(either)
        found = self._database.read(lambda one: one.execute(query).mappings().all())
        by_id = [row for row in found if row["id"] == who]
        match by_id or found:
            case []:
                raise PersonUnknown(who[:_SHOWN])
            case [row]:
                return self._person(row)
            case several:
                ids = ", ".join(row["id"] for row in several)
                raise PlantIDError(
                    f"Several people are called {who[:_SHOWN]!r}. Name one by id: {ids}."
                )

    def all(self) -> tuple[Person, ...]:
        """Return everybody, in the order they came."""
        query = sa.select(person).order_by(person.c.number)
        found = self._database.read(lambda one: one.execute(query).mappings().all())
        return tuple(self._person(row) for row in found)

    def inactive(self) -> frozenset[str]:
        """Return the ids of all who are let in no more."""
        query = sa.select(person.c.id).where(person.c.active.is_(False))
        found = self._database.read(lambda one: one.execute(query).scalars().all())
        return frozenset(found)

    def activate(self, person_id: str) -> Person:
        """Let somebody in again; raises `PersonUnknown`."""
        return self._set(person_id, active=True)

    def deactivate(self, person_id: str) -> Person:
        """Let somebody in no more, nor their tokens; what is theirs stays. Raises `PersonUnknown`."""
        return self._set(person_id, active=False)

    def _set(self, person_id: str, *, active: bool) -> Person:
        own = sa.update(person).where(person.c.id == self.get(person_id).id)
        self._database.write(lambda connection: connection.execute(own.values(active=active)))
        for tell in self.on_change:
            tell()
        return self.get(person_id)

    def _note(self, identity: dict[str, str], news: dict[str, object]) -> RowMapping:
        made = {"role": "user", "active": True, "made_at": dt.datetime.now(dt.UTC)}

        def work(connection: Connection) -> RowMapping:
            insert_new(connection, person, {**made, **identity, **news})
            if news:
                own = sa.update(person).where(person.c.id == identity["id"])
                connection.execute(own.values(news))
            own_row = sa.select(person).where(person.c.id == identity["id"])
            return connection.execute(own_row).mappings().one()

        return self._database.write(work)

    def _person(self, row: RowMapping, claimed: Role | None = None) -> Person:
        role = self._roles.granted(row["issuer"], row["subject"], claimed or row["role"])
        return Person(
            row["id"],
            row["issuer"],
            row["subject"],
            row["name"],
            role,
            row["active"],
            row["made_at"],
            row["seen_at"],
        )


def _identity(issuer: str, subject: str) -> dict[str, str]:
    """Return the columns that tell one person from all others.

    OpenID Connect Core 1.0, section 2: a subject is at most 255 characters of ASCII.
    """
    issuer = issuer.rstrip("/")
    for field, text, most in (("issuer", issuer, LINE_LENGTH), ("subject", subject, OWNER_LENGTH)):
        if not text or len(text) > most or limits.clean(text) != text:
            raise AccessUnfit(field, f"1–{most} characters of proper text", ascii(text[:_SHOWN]))
    return {"id": owner_of(issuer, subject), "issuer": issuer, "subject": subject}


def _is_outdated(row: RowMapping, claimed_at: dt.datetime | None) -> bool:
    """Tell whether a role was claimed by a later sign-in than this one."""
    last: dt.datetime | None = row["claimed_at"]
    return last is not None and (claimed_at is None or claimed_at < last)


def _is_news(row: RowMapping, news: Mapping[str, object], now: dt.datetime) -> bool:
    if not row["active"]:
        return False
    lost = row["role"] == "admin" != news.get("role", "admin")
    anew = news.get("claimed_at", row["claimed_at"]) != row["claimed_at"]
    return lost or anew or row["seen_at"] is None or now - row["seen_at"] >= SEEN_EVERY


def _row(connection: Connection, person_id: str) -> RowMapping | None:
    own = sa.select(person).where(person.c.id == person_id)
    return connection.execute(own).mappings().first()
