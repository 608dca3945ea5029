"""The shortest way from a question to its answer: what is at hand is told on the loop's own thread.

Everything else goes by a lane. Whoever owns the answer finds it in their history: one that was paid for
before they are told of it, one from memory in a moment (see `keeper`).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from plantid_core.errors import HistoryUnavailable, QuotaExceeded, StorageFailed
from plantid_core.web.api.answering import Busy
from plantid_core.web.api.encoded import encoded

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from plantid_core.at_hand import Answered
    from plantid_core.desk import Desk
    from plantid_core.plants import Organ, Outcome, Place
    from plantid_core.upload import Upload
    from plantid_core.web.lane import Lane

# What is put in `degraded` where the answer could not be kept, or not yet.
HISTORY = "history"

_DURABLE_S = 2.0


@dataclass(frozen=True, slots=True)
class Asked:
    """One question: the photos of one plant, and what is known of it."""

    uploads: Sequence[Upload]
    organs: Sequence[Organ] = ()
    place: Place | None = None
    date: dt.date | None = None
    language: str = "en"


@dataclass(frozen=True, slots=True)
class Told:
    """An outcome, and its JSON."""

    outcome: Outcome
    body: bytes


async def identified(desk: Desk, lane: Lane, asked: Asked) -> Told:
    """Return what every provider says, kept in the desk's history where it has an owner.

    Where it could not be kept (in time), the outcome is told all the same, "history" among what is
    degraded: it may have cost a credit. What no provider answered is not kept. Raises what
    `Desk.answer` raises, and `Busy`.
    """
    found = desk.at_hand(
        asked.uploads,
        organs=asked.organs,
        place=asked.place,
        date=asked.date,
        language=asked.language,
    )
    if found is None:
        found = await _by_lane(desk, lane, asked)
    outcome = found.outcome
    if desk.owner is not None and outcome.rung != "none" and not await _keep(desk, lane, found):
        outcome = replace(outcome, degraded=(*outcome.degraded, HISTORY))
    return Told(outcome, encoded(outcome))


async def _by_lane(desk: Desk, lane: Lane, asked: Asked) -> Answered:
    if lane.full():
        raise Busy
    return await lane.run(
        lambda: desk.answer(
            asked.uploads,
            organs=asked.organs,
            place=asked.place,
            date=asked.date,
            language=asked.language,
        )
    )


async def _keep(desk: Desk, lane: Lane, found: Answered) -> bool:
    """Tell whether it is kept, or will be in a moment."""
    try:
        if desk.keeps_at_once:
            durable = desk.keep_soon(found)
        else:
            # The first one has the database's libraries loaded: not on the loop.
            durable = await lane.run(lambda: desk.keep_soon(found))
        if durable is not None:
            waiting = asyncio.shield(asyncio.wrap_future(durable))
            await asyncio.wait_for(waiting, _DURABLE_S)
    except (TimeoutError, HistoryUnavailable, StorageFailed, QuotaExceeded):
        return False
    return True
