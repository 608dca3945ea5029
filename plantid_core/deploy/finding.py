"""A finding, and the checks that make them: small pure functions of `Facts`, by a stable id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from plantid_core.deploy.facts import Facts

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What is amiss: ``message`` tells what was found, ``hint`` what to do. Neither holds a secret."""

    id: str
    severity: Severity
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Check:
    """One question: ``find`` returns what is amiss in a sentence, None where nothing is."""

    id: str
    severity: Severity
    hint: str
    find: Callable[[Facts], str | None]

    def finding(self, facts: Facts) -> Finding | None:
        """Return the finding, if there is one."""
        message = self.find(facts)
        return None if message is None else Finding(self.id, self.severity, message, self.hint)


class Checklist(list[Check]):
    """Checks of one subject, in the order in which they stand in their module."""

    def error(
        self, name: str, hint: str
    ) -> Callable[[Callable[[Facts], str | None]], Callable[[Facts], str | None]]:
        """Add a check of what must not be."""
        return self._adding(name, "error", hint)

    def warning(
        self, name: str, hint: str
    ) -> Callable[[Callable[[Facts], str | None]], Callable[[Facts], str | None]]:
        """Add a check of what should not be."""
        return self._adding(name, "warning", hint)

    def _adding(
        self, name: str, severity: Severity, hint: str
    ) -> Callable[[Callable[[Facts], str | None]], Callable[[Facts], str | None]]:
        def add(find: Callable[[Facts], str | None]) -> Callable[[Facts], str | None]:
            self.append(Check(name, severity, hint, find))
            return find

        return add
