"""How each provider stands during one batch: asked, left alone until a time, or given up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from plantid_core.batch.told import KEY_REFUSED, final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from plantid_core.plants import Answer

PATIENCE_S = 300.0
_FRUITLESS_TURNS = 4
_FIRST_PAUSE_S = 1.0
# Refusals of our own: a full queue says nothing of the next photo, a breaker that it was not asked.
_FULL, _NOT_ASKED = "bulkhead_full", frozenset({"bulkhead_full", "breaker_open"})


@dataclass(slots=True)
class Standing:
    """One provider's standing; times are monotonic seconds.

    Where it names a time after which it may be asked (Retry-After, a breaker's or a quota's), it is left
    alone until then. Given up for this run: one whose key is refused, one that has said nothing for
    `PATIENCE_S` or would not before, and one that four turns in a row brought nothing from.
    """

    name: str
    until: float = 0.0
    silent_since: float | None = None
    asked: int = 0
    answered: int = 0
    fruitless: int = 0
    given_up: bool = False
    last: Answer | None = None

    def take(self, answer: Answer, now: float, patience_s: float) -> None:
        """Take note of an answer."""
        error = answer.error
        code = error["code"] if error else ""
        after_s = error["retry_after_s"] if error else None
        self.asked += code not in _NOT_ASKED
        if final(answer):
            self.answered += 1
            self.silent_since = None
            return
        if self.last is None or code not in _NOT_ASKED:
            # What the service itself said tells more than that it is left alone for that.
            self.last = answer
        if self.silent_since is None:
            self.silent_since = now
        if code == KEY_REFUSED:
            self.given_up = True
        elif after_s is not None and code != _FULL:
            self.until = max(self.until, now + after_s)
            self.given_up |= self.until > self.silent_since + patience_s

    def may_be_asked(self, now: float) -> bool:
        """Tell whether it may be asked now."""
        return not self.given_up and now >= self.until

    def end_turn(self, now: float) -> None:
        """Draw the conclusion of a turn."""
        if self.asked:
            self.fruitless = 0 if self.answered else self.fruitless + 1
        self.given_up |= self.fruitless >= _FRUITLESS_TURNS
        if self.fruitless:
            self.until = max(self.until, now + _FIRST_PAUSE_S * 2 ** (self.fruitless - 1))
        self.asked = self.answered = 0


@dataclass(frozen=True, slots=True)
class Standings:
    """All providers of a batch."""

    each: dict[str, Standing]
    patience_s: float = PATIENCE_S

    @classmethod
    def of(cls, names: Iterable[str], patience_s: float = PATIENCE_S) -> Standings:
        """Return providers of whom nothing is known yet."""
        return cls({name: Standing(name) for name in names}, patience_s)

    def take(self, answers: Iterable[Answer], now: float) -> None:
        """Take note of what was just answered."""
        for answer in answers:
            self.each[answer.provider].take(answer, now, self.patience_s)

    def askable(self, names: Iterable[str], now: float) -> tuple[str, ...]:
        """Return those of the names that may be asked now."""
        return tuple(name for name in names if self.each[name].may_be_asked(now))

    def rest_s(self, names: Iterable[str], now: float) -> float | None:
        """End a turn: return the seconds to the next, None where none of the names is worth another."""
        for one in self.each.values():
            one.end_turn(now)
        due = [self.each[name].until for name in names if not self.each[name].given_up]
        return max(0.0, min(due) - now) if due else None
