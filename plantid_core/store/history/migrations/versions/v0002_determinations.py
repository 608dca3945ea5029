"""Determinations; names to search by, filled in for what was kept before; indices for lists."""

from __future__ import annotations

import unicodedata
from typing import Any

import orjson
import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_BATCH = 500


def upgrade() -> None:
    """Make the table, the column and the indices."""
    op.create_table(
        "determination",
        sa.Column("number", _NUMBER, nullable=False),
        sa.Column("observation", _NUMBER, nullable=False),
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_by", sa.String(255), nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("taxon", sa.Text),
        sa.Column("names", sa.Text, nullable=False, server_default=sa.text("''")),
        sa.Column("provider", sa.String(64)),
        sa.Column("score", sa.Float(53)),
        sa.Column("sandbox", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("note", sa.Text, nullable=False, server_default=sa.text("''")),
        sa.PrimaryKeyConstraint("number", name="pk_determination"),
        sa.ForeignKeyConstraint(
            ["observation"],
            ["observation.number"],
            name="fk_determination_observation",
            ondelete="CASCADE",
        ),
        sa.UniqueConstraint("observation", "id", name="uq_determination_observation_id"),
    )
    names = sa.Column("names", sa.Text, nullable=False, server_default=sa.text("''"))
    op.add_column("answer", names)
    _fill_in(op.get_bind())
    op.create_index("ix_observation_owner_made_at_id", "observation", ["owner", "made_at", "id"])
    op.create_index("ix_observation_made_at", "observation", ["made_at"])
    op.create_index("ix_photo_photo_id", "photo", ["photo_id"])


def _fill_in(connection: sa.Connection) -> None:
    answer = sa.table("answer", sa.column("number"), sa.column("names"), sa.column("body"))
    last = 0
    while True:
        query = sa.select(answer.c.number, answer.c.body).where(answer.c.number > last)
        found = connection.execute(query.order_by(answer.c.number).limit(_BATCH)).all()
        if not found:
            return
        for number, body in found:
            own = sa.update(answer).where(answer.c.number == number)
            connection.execute(own.values(names=_names(body)))
        last = found[-1].number


def _names(body: str) -> str:
    """Return the first suggestion's names as this step's search wants them; none where unreadable."""
    try:
        taxon: dict[str, Any] = orjson.loads(body)["suggestions"][0]["taxon"]
        names = [taxon["scientific_name"], *taxon["common_names"]]
    except (orjson.JSONDecodeError, LookupError, TypeError):
        return ""
    return unicodedata.normalize("NFKC", "\n".join(names)).casefold()
