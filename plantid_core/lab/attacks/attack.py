"""One hostile or difficult file, made when it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from plantid_core.upload.chain import Upload

if TYPE_CHECKING:
    from collections.abc import Callable

MARK = b"PAYLOAD"


@dataclass(frozen=True, slots=True)
class Attack:
    """``story`` says in a sentence what it tries; ``expect`` is the verdict that is right.

    An attack that is accepted is harmless in what comes out: no output holds `MARK`.
    """

    id: str
    vector: str
    title: str
    story: str
    expect: Literal["accept", "reject"]
    filename: str
    make: Callable[[], bytes]

    def upload(self) -> Upload:
        """Return the file as it would be sent."""
        return Upload(self.make(), self.filename, "image/jpeg")
