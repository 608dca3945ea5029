"""One drill's surroundings on the run's rig: a fresh store, clients, services that are well."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from plantid_core.drill.clients import Client, Crowd
from plantid_core.drill.store import Store

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Sequence
    from typing import Self

    from plantid_core.drill.checks import Checks
    from plantid_core.drill.report import Timeline
    from plantid_core.drill.rig import Rig


class Scene:
    """Where a drill takes place; what it starts ends with it."""

    def __init__(self, rig: Rig, name: str, timeline: Timeline, checks: Checks) -> None:
        self._rig = rig
        self._timeline = timeline
        self._stack = ExitStack()
        self._clients = 0
        self.checks = checks
        self.folder = rig.folder
        self.services = rig.services()
        self.store = Store(rig, name)
        self._stack.callback(self.store.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def at_the_end(self, do: Callable[[], object]) -> None:
        """Have something done when the drill ends, before the processes started so far are ended."""
        self._stack.callback(do)

    def note(self, who: str, event: str, detail: str = "") -> None:
        """Add a moment to the timeline."""
        self._timeline.note(who, event, detail)

    def crowd(self, count: int, **settings: object) -> Crowd:
        """Return client processes, ready; ``settings`` are their workbenches'."""
        clients = [self._client(settings) for _ in range(count)]
        crowd = self._stack.enter_context(Crowd(clients))
        self.note("clients", "ready", f"{count} processes")
        return crowd

    def start(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        """Return a process with pipes that ends with the drill."""
        process = self._rig.start(command)
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)
        return process

    def _client(self, settings: dict[str, object]) -> Client:
        self._clients += 1
        own = {
            "data_dir": str(self._rig.folder),
            "redis_url": self.store.url,
            "sandbox_url": self.services.url,
        }
        return Client(self._rig, self._clients, {**own, **settings, **self._rig.weakened})
