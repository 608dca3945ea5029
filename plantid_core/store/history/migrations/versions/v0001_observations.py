"""Observations, their photos, and the answers to them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the three tables."""
    op.create_table(
        "observation",
        sa.Column("number", _NUMBER, nullable=False),
        sa.Column("owner", sa.String(255), nullable=False),
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("made_at", _TIME, nullable=False),
        sa.Column("observed_on", sa.Date),
        sa.Column("latitude", sa.Float(53)),
        sa.Column("longitude", sa.Float(53)),
        sa.Column("uncertainty_m", sa.Float(53)),
        sa.Column("recorded_by", sa.String(500), nullable=False),
        sa.Column("licence", sa.String(500), nullable=False),
        sa.Column("language", sa.String(64), nullable=False),
        sa.Column("rung", sa.String(64), nullable=False),
        sa.Column("consensus", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_observation"),
        sa.UniqueConstraint("owner", "id", name="uq_observation_owner_id"),
    )
    op.create_table(
        "photo",
        sa.Column("number", _NUMBER, nullable=False),
        sa.Column("observation", _NUMBER, nullable=False),
        sa.Column("photo_id", sa.String(64), nullable=False),
        sa.Column("organ", sa.String(64), nullable=False),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sa.Column("source_format", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_photo"),
        _of_an_observation("photo"),
    )
    op.create_index("ix_photo_observation", "photo", ["observation"])
    op.create_table(
        "answer",
        sa.Column("number", _NUMBER, nullable=False),
        sa.Column("observation", _NUMBER, nullable=False),
        sa.Column("provider", sa.String(64), nullable=False),
        sa.Column("status", sa.String(64), nullable=False),
        sa.Column("sandbox", sa.Boolean, nullable=False),
        sa.Column("cache_key", sa.String(500)),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_answer"),
        _of_an_observation("answer"),
    )
    op.create_index("ix_answer_observation", "answer", ["observation"])


def _of_an_observation(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["observation"],
        ["observation.number"],
        name=f"fk_{table}_observation",
        ondelete="CASCADE",
    )
