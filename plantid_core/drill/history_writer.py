"""``python -m plantid_core.drill.history_writer``: a process that keeps observations, one after another.

It reads a `Setup`. Once an observation is kept, its id goes to the process's own file: what stands
there was acknowledged, however the process ends. Every fifth is determined as well, and every tenth
sent again, as a client does whose answer was lost.
"""

from __future__ import annotations

import datetime as dt
import os
import sys
from dataclasses import dataclass

from pydantic import TypeAdapter

from plantid_core.plants import Answer, Consensus, ConsensusEntry, Suggestion, Taxon
from plantid_core.store.history.history import History
from plantid_core.store.history.values import Circumstances, Determination, KeptPhoto, Observed

OWNER = "drill"
DETERMINED_EACH, AGAIN_EACH = 5, 10
_TAXON = Taxon("Prunus serrulata", "Lindl.", family="Rosaceae", genus="Prunus")


@dataclass(frozen=True, slots=True)
class Setup:
    """Which database (an address), which writer this is, how many it writes, where it notes them."""

    url: str
    number: int
    writes: int
    acknowledged: str
    wait_s: float = 60.0


_SETUP = TypeAdapter(Setup)


def observed(id_: str) -> Observed:
    """Return an observation as a sandbox answered it."""
    named = (Suggestion(_TAXON, 0.9),)
    said = Answer("plant_id", "ok", "upstream", sandbox=True, elapsed_ms=300.0, suggestions=named)
    joint = Consensus((ConsensusEntry(_TAXON.scientific_name, "species", 0.9, ("plant_id",)),))
    photo = KeptPhoto(id_.rjust(64, "0"), "flower", 640, 480, "JPEG")
    now = dt.datetime.now(dt.UTC)
    return Observed(id_, OWNER, now, Circumstances(), "en", (photo,), (said,), joint, "fresh")


def write(setup: Setup) -> None:
    """Keep so many observations."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    acknowledged = os.open(setup.acknowledged, flags, 0o600)
    with History(setup.url, wait_s=setup.wait_s) as history:
        for n in range(1, setup.writes + 1):
            one = observed(f"{setup.number:02}{n:06}")
            history.add(one, {"plant_id": f"plantid:identify:{one.id}"})
            if n % DETERMINED_EACH == 0:
                now = dt.datetime.now(dt.UTC)
                made = Determination(f"d{one.id}", now, OWNER, "confirmed", _TAXON, sandbox=True)
                history.determine(OWNER, one.id, made)
            if n % AGAIN_EACH == 0:
                history.add(one)
            os.write(acknowledged, f"{one.id}\n".encode())
    os.close(acknowledged)


if __name__ == "__main__":
    write(_SETUP.validate_json(sys.stdin.buffer.readline()))
