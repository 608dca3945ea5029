"""The fallback ladder: fresh → stale → the other service → the offline model → none.

A step that is left is not come back to: where one service is silent and the other's answer is an
earlier one, the step is "other", and the sentence names both.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from plantid_core.palette import age, in_text, listed
from plantid_core.plants import HEARD, LOCAL, Consensus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plantid_core.plants import Answer, Outcome, Rung


def rung(answers: Sequence[Answer]) -> Rung:
    """Return the lowest step of the ladder that these answers had to stand on."""
    heard = [answer for answer in answers if answer.status in HEARD]
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
    silent = [in_text(answer.provider) for answer in services if answer.status not in HEARD]
    stale = [answer for answer in services if answer.source == "stale"]
    oldest = age(max((answer.age_s for answer in stale), default=0))
    earlier = listed([in_text(answer.provider) for answer in stale])
    if outcome.rung == "stale":
        return f"{earlier} did not answer: an earlier answer stands in (stale, {oldest} old)."
    if outcome.rung == "offline" and silent:
        here = listed(
            [in_text(answer.provider) for answer in outcome.answers if answer.status in HEARD]
        )
        return f"{listed(silent)} did not answer: only {here} did."
    if outcome.rung == "other":
        heard = [in_text(answer.provider) for answer in outcome.answers if answer.status in HEARD]
        verb = "stands in" if len(heard) == 1 else "stand in"
        told = f"{listed(silent)} did not answer: {listed(heard)} {verb}."
        return (
            f"{told} What {earlier} said is an earlier answer (stale, {oldest} old)."
            if stale
            else told
        )
    return ""
