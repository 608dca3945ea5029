"""What the guards find out of a request, for the line in the log and the counts at its end.

The note lies in the scope as one object, so that a guard that hands on a copy of the scope hands on the
same note.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import Scope

_KEY = "plantid.seen"


@dataclass(slots=True)
class Seen:
    """``route`` is the path's template, ``principal`` the kind of who asks ("" where nobody looked)."""

    request_id: str = ""
    route: str = ""
    principal: str = ""


def begin(scope: Scope, request_id: str) -> Seen:
    """Lay a new note into the scope."""
    scope[_KEY] = found = Seen(request_id)
    return found


def seen(scope: Scope) -> Seen:
    """Return the request's note; one that nobody reads where no guard laid one."""
    found = scope.get(_KEY)
    return found if isinstance(found, Seen) else Seen()


def request_id_of(scope: Scope) -> str:
    """Return the request's id, "" where no guard gave it one."""
    return seen(scope).request_id
