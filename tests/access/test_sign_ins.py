"""`SignIns`: what was ended stays so, in every process, for as long as a cookie could come again."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import sqlalchemy as sa

from plantid_core.access.sign_ins import KEPT, SignIns
from plantid_core.store.history.schema import ended_sign_in

if TYPE_CHECKING:
    from plantid_core.access.registry import Registry
    from plantid_core.store.history.engine import Database

BEGAN = dt.datetime(2026, 11, 26, 12, tzinfo=dt.UTC)
LATER = BEGAN + dt.timedelta(seconds=1)


def test_one_is_ended_and_no_other(registry: Registry, elsewhere: Registry) -> None:
    """Not the same person's next one, nor another person's that began with it."""
    registry.sign_ins.end("ann", BEGAN)
    registry.sign_ins.end("ann", BEGAN)

    assert elsewhere.sign_ins.is_over("ann", BEGAN)
    assert not elsewhere.sign_ins.is_over("ann", LATER)
    assert not elsewhere.sign_ins.is_over("eve", BEGAN)


def test_it_is_forgotten_with_the_last_cookie(database: Database) -> None:
    """When the next one is ended; so the table does not grow for ever."""
    days = [LATER]
    sign_ins = SignIns(database, now=lambda: days[-1])
    sign_ins.end("ann", BEGAN)
    days.append(LATER + KEPT + dt.timedelta(seconds=1))

    sign_ins.end("eve", LATER)

    query = sa.select(ended_sign_in.c.person)
    assert database.read(lambda one: one.execute(query).scalars().all()) == ["eve"]
