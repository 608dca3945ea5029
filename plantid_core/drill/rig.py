"""What every drill of a run stands on: a folder, one sandbox, and the way to start processes.

All of it is private to the run and gone with it, also where the run is killed (see `lab.live.guard`).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from plantid_core.drill.services import Services
from plantid_core.errors import ConfigurationError, PlantIDError
from plantid_core.settings import load_settings
from plantid_core.supervise.python import module_command, python_path

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Self

# So many that no drill but the one of quotas ever uses them up.
_QUOTA = "10000000"
_END_S = 10.0
_SETTLE_S = 1.0
_REFUSED = (
    "{} is set: drills break services and stores on purpose, and never go near real ones."
    " Unset it to run them."
)


class Rig:
    """A run's folder and sandbox. ``weakened`` settings switch a protection off, to see drills fail.

    Raises `ConfigurationError` where the settings in force name a real key or somebody's Redis.
    """

    def __init__(self, weakened: Mapping[str, object] | None = None) -> None:
        models = _refuse_the_real() / "models"
        self.weakened = dict(weakened or {})
        self.folder = Path(tempfile.mkdtemp(prefix="drill-"))
        self._processes: list[subprocess.Popen[bytes]] = []
        self._guard = subprocess.Popen(  # noqa: S603 - our own module
            module_command("plantid_core.lab.live.guard", str(self.folder)),
            stdin=subprocess.PIPE,
            env=_environment(),
            process_group=0,
        )
        try:
            if models.is_dir():
                shutil.copytree(models, self.folder / "models")
            self._services = self._start_services()
        except BaseException:  # also Ctrl-C: nobody else could end what was begun
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def start(self, command: Sequence[str], *, talks: bool = True) -> subprocess.Popen[bytes]:
        """Start a process that ends with the rig; ``talks`` gives it pipes."""
        pipe = subprocess.PIPE if talks else subprocess.DEVNULL
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(  # noqa: S603 - the drills' own commands
                command,
                stdin=pipe,
                stdout=pipe,
                stderr=log,
                cwd=self.folder,
                env=_environment(),
                process_group=self._guard.pid,
            )
        self._processes.append(process)
        return process

    def services(self) -> Services:
        """Return the services, well and unused.

        A sandbox that is still busy with calls whose clients have gone gives way to a new one.
        """
        until = time.monotonic() + _SETTLE_S
        while any(self._services.look().in_flight.values()):
            if time.monotonic() > until:
                self._sandbox.kill()
                self._services = self._start_services()
            time.sleep(0.05)
        self._services.calm()
        return self._services

    def last_words(self) -> str:
        """Return the last line that any process wrote to its standard error."""
        lines = (self.folder / "log").read_text(errors="replace").split("\n")
        return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "nothing")

    def close(self) -> None:
        """End everything, and remove the folder."""
        # The guard's own end ends the others: there is one way, and it is tried every time.
        if self._guard.stdin is not None:
            self._guard.stdin.close()
        self._guard.wait(_END_S)
        for process in self._processes:
            process.kill()
            process.wait(_END_S)
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with suppress(OSError):
                        pipe.close()
        # What was still written while the guard removed it.
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start_services(self) -> Services:
        options = ("--seed", "7", "--quota", _QUOTA, "--cache-dir", str(self.folder))
        self._sandbox = self.start(module_command("plantid_core.sandbox", *options))
        line = self._sandbox.stdout.readline() if self._sandbox.stdout else b""
        if not line:
            raise PlantIDError(f"The drills' sandbox did not start: {self.last_words()}")
        return Services(str(json.loads(line)["url"]))


def _environment() -> dict[str, str]:
    """Return this process's environment without any setting of ours."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith("PLANTID_")
    }
    return {**inherited, "PYTHONPATH": python_path()}


def _refuse_the_real() -> Path:
    """Return the data directory in force, whose built models save the drills some seconds."""
    settings = load_settings()
    real = {
        "PLANTID_PLANT_ID_API_KEY": settings.plant_id_api_key,
        "PLANTID_PLANTNET_API_KEY": settings.plantnet_api_key,
        "PLANTID_REDIS_URL": settings.redis_url,
    }
    if faults := [_REFUSED.format(name) for name, value in real.items() if value is not None]:
        raise ConfigurationError(faults)
    return settings.data_dir
