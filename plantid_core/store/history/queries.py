"""Which observations are wanted, as SQL; where a page ends, as a word."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import sqlalchemy as sa

from plantid_core.errors import ObservationRefused
from plantid_core.store.history.limits import clean, is_id, require_search, require_time
from plantid_core.store.history.records import folded
from plantid_core.store.history.schema import answer, determination, observation

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from plantid_core.store.history.values import Filter, Observed

    Condition = ColumnElement[bool]

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)


def conditions(owner: str, wanted: Filter) -> list[Condition]:
    """Return what an observation must fulfil; raises `ObservationRefused` for a text too long."""
    found: list[Condition] = [observation.c.owner == owner]
    require_search(wanted.text)
    if text := folded(wanted.text.strip()):
        in_answer = answer.c.names.contains(text, autoescape=True)
        in_determination = determination.c.names.contains(text, autoescape=True)
        found.append(sa.or_(_with(answer, in_answer), _with(determination, in_determination)))
    if wanted.provider is not None:
        named = sa.and_(answer.c.provider == clean(wanted.provider), answer.c.status == "ok")
        found.append(_with(answer, named))
    if wanted.verified is not None:
        # NULL, where there is none, is not in the list, but neither is it "not in": hence coalesce.
        action = sa.func.coalesce(_standing_action(), "")
        verified = action.in_(("confirmed", "changed"))
        found.append(verified if wanted.verified else sa.not_(verified))
    if wanted.since is not None:
        found.append(observation.c.made_at >= require_time("since", wanted.since))
    if wanted.until is not None:
        found.append(observation.c.made_at < require_time("until", wanted.until))
    if not wanted.sandbox:
        found.append(sa.not_(_with(answer, answer.c.sandbox)))
    return found


def mark(observed: Observed) -> str:
    """Return what names the place after this observation in the order of pages."""
    return f"{(observed.made_at - _EPOCH) // _MICROSECOND}.{observed.id}"


def beyond(after: str) -> Condition:
    """Return the condition of coming after a mark; raises `ObservationRefused` for what is none."""
    time, _, id_ = after.partition(".")
    try:
        made_at = _EPOCH + int(time) * _MICROSECOND
    except (ValueError, OverflowError):
        made_at = None
    if made_at is None or not is_id(id_):
        raise ObservationRefused("after", "a page's own `after`", ascii(after[:80]))
    same = sa.and_(observation.c.made_at == made_at, observation.c.id < id_)
    return sa.or_(observation.c.made_at < made_at, same)


def _with(table: sa.Table, condition: Condition) -> Condition:
    return sa.exists().where(table.c.observation == observation.c.number, condition)


def _standing_action() -> sa.ScalarSelect[str]:
    query = sa.select(determination.c.action)
    query = query.where(determination.c.observation == observation.c.number)
    return query.order_by(determination.c.number.desc()).limit(1).scalar_subquery()
