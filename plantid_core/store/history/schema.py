"""The tables, as the newest migration leaves them.

::

    observation ─┬─< photo          in their order
                 ├─< answer         one a provider, in their order
                 └─< determination  in the order they were made

    person        who has signed in, or was given a token
    access_token  what acts for a person; of its word only the digest
    ended_sign_in which sign-ins their people ended, for as long as a cookie could come again
    idempotency   what a request was answered, for a while, should it come again

Answers, consensus and determined taxa are kept whole as JSON text; beside them stand only the columns
that lists are filtered by. Text rather than a JSON type: it reads back as it was written, everywhere.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    text,
)

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

# The revision that makes these tables; the newest in migrations/versions.
HEAD = "0004"
VERSION_TABLE = "history_version"

OWNER_LENGTH, ID_LENGTH, WORD_LENGTH, LINE_LENGTH = 255, 64, 64, 500


class UtcTime(TypeDecorator[dt.datetime]):
    """An aware time, kept in UTC to the microsecond; SQLite, which knows no zones, keeps it naive."""

    impl = DateTime(timezone=True)
    cache_ok = True

    @property
    def python_type(self) -> type[dt.datetime]:
        """Return the type of the values."""
        return dt.datetime

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:
        """Return what the database is given."""
        if value is None:
            return None
        utc = value.astimezone(dt.UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(
        self, value: dt.datetime | None, dialect: Dialect
    ) -> dt.datetime | None:
        """Return what we are given."""
        del dialect
        if value is None:
            return None
        return value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value.astimezone(dt.UTC)


# SQLite counts rows by itself only under the name of INTEGER, which has 64 bits there.
Number = BigInteger().with_variant(Integer, "sqlite")

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


def _parent() -> Column[int]:
    return Column(
        "observation",
        Number,
        ForeignKey("observation.number", ondelete="CASCADE"),
        nullable=False,
    )


observation = Table(
    "observation",
    metadata,
    Column("number", Number, primary_key=True),
    Column("owner", String(OWNER_LENGTH), nullable=False),
    Column("id", String(ID_LENGTH), nullable=False),
    Column("made_at", UtcTime, nullable=False),
    Column("observed_on", Date),
    Column("latitude", Float(53)),
    Column("longitude", Float(53)),
    Column("uncertainty_m", Float(53)),
    Column("recorded_by", String(LINE_LENGTH), nullable=False),
    Column("licence", String(LINE_LENGTH), nullable=False),
    Column("language", String(WORD_LENGTH), nullable=False),
    Column("rung", String(WORD_LENGTH), nullable=False),
    Column("consensus", Text, nullable=False),
    # Two people may keep what bears the same id: neither learns of the other's.
    UniqueConstraint("owner", "id"),
)
Index(None, observation.c.owner, observation.c.made_at, observation.c.id)
Index(None, observation.c.made_at)

photo = Table(
    "photo",
    metadata,
    Column("number", Number, primary_key=True),
    _parent(),
    Column("photo_id", String(ID_LENGTH), nullable=False, index=True),
    Column("organ", String(WORD_LENGTH), nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("source_format", String(WORD_LENGTH), nullable=False),
)
Index(None, photo.c.observation)

answer = Table(
    "answer",
    metadata,
    Column("number", Number, primary_key=True),
    _parent(),
    Column("provider", String(WORD_LENGTH), nullable=False),
    Column("status", String(WORD_LENGTH), nullable=False),
    Column("sandbox", Boolean, nullable=False),
    Column("cache_key", String(LINE_LENGTH)),
    # The first suggestion's names, folded (see `records.folded`), for search.
    Column("names", Text, nullable=False, server_default=text("''")),
    Column("body", Text, nullable=False),
)
Index(None, answer.c.observation)

determination = Table(
    "determination",
    metadata,
    Column("number", Number, primary_key=True),
    _parent(),
    Column("id", String(ID_LENGTH), nullable=False),
    Column("made_at", UtcTime, nullable=False),
    Column("made_by", String(OWNER_LENGTH), nullable=False),
    Column("action", String(WORD_LENGTH), nullable=False),
    Column("taxon", Text),
    Column("names", Text, nullable=False, server_default=text("''")),
    Column("provider", String(WORD_LENGTH)),
    Column("score", Float(53)),
    Column("sandbox", Boolean, nullable=False, server_default=false()),
    Column("note", Text, nullable=False, server_default=text("''")),
    UniqueConstraint("observation", "id"),
)

# A person's id is the owner of what is theirs. `role` and `active` are looked at with each request.
person = Table(
    "person",
    metadata,
    Column("number", Number, primary_key=True),
    Column("id", String(ID_LENGTH), nullable=False, unique=True),
    Column("issuer", String(LINE_LENGTH), nullable=False),
    Column("subject", String(OWNER_LENGTH), nullable=False),
    Column("name", String(OWNER_LENGTH), nullable=False, server_default=text("''")),
    Column("role", String(WORD_LENGTH), nullable=False),
    Column("active", Boolean, nullable=False),
    Column("made_at", UtcTime, nullable=False),
    Column("seen_at", UtcTime),
    # When the sign-in began that the role was claimed by.
    Column("claimed_at", UtcTime),
    UniqueConstraint("issuer", "subject"),
)

access_token = Table(
    "access_token",
    metadata,
    Column("number", Number, primary_key=True),
    Column("id", String(ID_LENGTH), nullable=False, unique=True),
    Column("sha256", String(ID_LENGTH), nullable=False, unique=True),
    Column("owner", String(OWNER_LENGTH), nullable=False, index=True),
    Column("label", String(OWNER_LENGTH), nullable=False, server_default=text("''")),
    Column("scopes", String(LINE_LENGTH), nullable=False),
    Column("made_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("used_at", UtcTime),
    Column("revoked_at", UtcTime),
)

ended_sign_in = Table(
    "ended_sign_in",
    metadata,
    Column("person", String(ID_LENGTH), primary_key=True),
    Column("began_at", UtcTime, primary_key=True),
    Column("ended_at", UtcTime, nullable=False),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("number", Number, primary_key=True),
    Column("owner", String(OWNER_LENGTH), nullable=False),
    Column("key", String(OWNER_LENGTH), nullable=False),
    # Of the request: the same key with another request is refused.
    Column("fingerprint", String(ID_LENGTH), nullable=False),
    Column("made_at", UtcTime, nullable=False, index=True),
    # None while the first request is under way.
    Column("status", Integer),
    Column("body", Text),
    UniqueConstraint("owner", "key"),
)
