"""Eight processes write observations, one of them is killed: nothing acknowledged is lost or doubled."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Protocol

import orjson

from plantid_core.drill.history_writer import DETERMINED_EACH, OWNER, Setup
from plantid_core.drill.postgres import Postgres, PostgresAbsent
from plantid_core.errors import PlantIDError
from plantid_core.store.history.history import History
from plantid_core.supervise.python import module_command

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from plantid_core.drill.scene import Scene

_WRITERS, _WRITES = 8, 500
_MORE = 4
_PATIENCE_S = 240.0
_TRAVERSABLE = 0o711


@dataclass(frozen=True, slots=True)
class Tally:
    """What was acknowledged, and what is there.

    ``lost`` were acknowledged and are not whole; ``doubled`` are rows beyond one an observation;
    ``unacknowledged`` are whole, and nobody was told: the killed writer's last, at most.
    """

    acknowledged: int
    kept: int
    lost: int
    doubled: int
    unacknowledged: int
    failed_writers: int
    killed_after: int
    seconds: float


class Process(Protocol):
    """A process, as `subprocess.Popen` has it."""

    def poll(self) -> int | None:
        """Return how it ended, None while it runs."""

    def wait(self, timeout: float) -> int:
        """Return how it ended, once it has, within so many seconds."""

    def kill(self) -> None:
        """End it with SIGKILL."""


def contend(
    url: str, folder: Path, begin: Callable[[Setup], Process], writers: int, writes: int
) -> Tally:
    """Have so many processes write at once, kill the first with SIGKILL midway, and count.

    Their notes go into ``folder``. The database is new: they also are the first to open it.
    """
    notes = [folder / f"acknowledged-{number}" for number in range(writers)]
    began = time.monotonic()
    # The first has more to do than it comes to, so that it is killed in the midst of it.
    share = [writes * _MORE, *[writes] * (writers - 1)]
    processes = [
        begin(Setup(url, number, share[number], str(note))) for number, note in enumerate(notes)
    ]
    until = began + _PATIENCE_S
    while len(_lines(notes[0])) < writes // 2 and processes[0].poll() is None:
        if time.monotonic() > until:
            raise PlantIDError("The writers did not come to their middle.")
        time.sleep(0.01)
    processes[0].kill()
    ends = [process.wait(max(1.0, until - time.monotonic())) for process in processes]
    seconds = time.monotonic() - began
    acknowledged = [id_ for note in notes for id_ in _lines(note)]
    return _count(
        url, acknowledged, sum(end != 0 for end in ends[1:]), len(_lines(notes[0])), seconds
    )


def history(scene: Scene) -> None:
    """Eight processes write to SQLite, then to Postgres; each time one of them is killed."""
    folder = scene.folder
    for name in ("sqlite", "postgres"):
        own = folder / name
        try:
            url = _sqlite(own) if name == "sqlite" else _postgres(scene, own)
        except PostgresAbsent as absent:
            scene.checks.figure(f"{name}_absent", str(absent))
            continue
        notes = folder / f"{name}-notes"
        notes.mkdir()
        scene.note(name, "ready", f"{_WRITERS} processes begin, {_WRITES} observations each")
        tally = contend(url, notes, lambda setup: _begin(scene, setup), _WRITERS, _WRITES)
        _check(scene, name, tally)


def _check(scene: Scene, name: str, tally: Tally) -> None:
    checks = scene.checks
    scene.note(name, "writer killed", f"after its {tally.killed_after} observations")
    checks.figure(f"{name}_acknowledged", tally.acknowledged)
    checks.figure(f"{name}_written_per_s", tally.acknowledged / tally.seconds)
    checks.equal(f"{name}_lost", tally.lost, 0)
    checks.equal(f"{name}_doubled", tally.doubled, 0)
    checks.equal(f"{name}_failed_writers", tally.failed_writers, 0)
    checks.at_most(f"{name}_unacknowledged", tally.unacknowledged, 1)
    checks.at_least(f"{name}_killed_after", tally.killed_after, _WRITES // 2)
    checks.equal(f"{name}_killed_midway", tally.killed_after < _MORE * _WRITES, bar=True)
    least = (_WRITERS - 1) * _WRITES + tally.killed_after
    checks.at_least(f"{name}_kept", tally.kept, least)


def _sqlite(folder: Path) -> str:
    folder.mkdir()
    return f"sqlite:///{folder / 'history.sqlite'}"


def _postgres(scene: Scene, folder: Path) -> str:
    # Where root runs this, the server's user must get through to its own folder.
    scene.folder.chmod(_TRAVERSABLE)
    server = Postgres(folder, scene.start)
    scene.at_the_end(server.stop)
    return server.create("drill")


def _begin(scene: Scene, setup: Setup) -> subprocess.Popen[bytes]:
    process = scene.start(module_command("plantid_core.drill.history_writer"))
    if process.stdin is None:
        raise PlantIDError("A writer was started without its pipe.")
    process.stdin.write(orjson.dumps(asdict(setup)) + b"\n")
    process.stdin.flush()
    return process


def _lines(note: Path) -> list[str]:
    # Each was written by one call, so that no half line is ever seen.
    return note.read_text().split() if note.exists() else []


def _count(
    url: str, acknowledged: list[str], failed: int, killed_after: int, seconds: float
) -> Tally:
    with History(url) as kept:
        found = list(kept.all(OWNER))
    times = Counter(one.id for one in found)
    whole = {
        one.id
        for one in found
        if len(one.photos) == len(one.answers) == 1
        and len(one.determinations) >= (int(one.id[2:]) % DETERMINED_EACH == 0)
    }
    doubled = sum(
        len(one.photos) > 1 or len(one.answers) > 1 or len(one.determinations) > 1 for one in found
    )
    return Tally(
        acknowledged=len(acknowledged),
        kept=len(times),
        lost=len(set(acknowledged) - whole),
        doubled=doubled + sum(count - 1 for count in times.values()),
        unacknowledged=len(set(times) - set(acknowledged)),
        failed_writers=failed,
        killed_after=killed_after,
        seconds=seconds,
    )
