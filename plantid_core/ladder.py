"""The fallback ladder: fresh → stale → the other service → the offline model → none.

A step that is left is not come back to: where one service is silent and the other's answer is an
earlier one, the step is "other", and the sentence names both.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from plantid_core.palette import TITLES, age
from plantid_core.plants import LOCAL, Consensus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plantid_core.plants import Answer, Outcome, Rung

_HEARD = {"ok", "no_match", "not_a_plant"}
_HERE = {"offline": "the offline model", "herbarium": "the local herbarium"}


def rung(answers: Sequence[Answer]) -> Rung:
    """Return the lowest step of the ladder that these answers had to stand on."""
    heard = [answer for answer in answers if answer.status in _HEARD]
    services = [answer for answer in answers if answer.provider not in LOCAL]
    answered = [answer for answer in heard if answer.provider not in LOCAL]
    if not heard:
        return "none"
    if not answered:
        return "offline"
    if len(answered) < len(services):
        return "other"
    return "stale" if any(answer.source == "stale" for answer in answered) else "fresh"


def nobody(retry_after_s: float) -> Consensus:
    """Return the verdict where no provider answered: when to try again, by this machine's clock."""
    now = dt.datetime.now().astimezone()
    again = now + dt.timedelta(seconds=retry_after_s)
    if again.second or again.microsecond:
        again += dt.timedelta(minutes=1)  # the minute that is told must not be too early
    days = (again.date() - now.date()).days
    day = "" if days == 0 else "tomorrow " if days == 1 else f"{again:%Y-%m-%d} "
    return Consensus(abstained=f"No provider could answer. Try again after {day}{again:%H:%M}.")


def stand_in(outcome: Outcome) -> str:
    """Return the sentence that says who answered for whom; empty where nothing is to be said."""
    services = [answer for answer in outcome.answers if answer.provider not in LOCAL]
    silent = [_title(answer) for answer in services if answer.status not in _HEARD]
    stale = [answer for answer in services if answer.source == "stale"]
    oldest = age(max((answer.age_s for answer in stale), default=0))
    earlier = _list([_title(answer) for answer in stale])
    if outcome.rung == "stale":
        return f"{earlier} did not answer: an earlier answer stands in (stale, {oldest} old)."
    if outcome.rung == "offline" and silent:
        here = _list([_title(answer) for answer in outcome.answers if answer.status in _HEARD])
        return f"{_list(silent)} did not answer: only {here} did."
    if outcome.rung == "other":
        heard = [_title(answer) for answer in outcome.answers if answer.status in _HEARD]
        verb = "stands in" if len(heard) == 1 else "stand in"
        told = f"{_list(silent)} did not answer: {_list(heard)} {verb}."
        return (
            f"{told} What {earlier} said is an earlier answer (stale, {oldest} old)."
            if stale
            else told
        )
    return ""


def _title(answer: Answer) -> str:
    return _HERE.get(answer.provider) or TITLES.get(answer.provider, answer.provider)


def _list(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
