"""What every drill of a run stands on: a folder, one sandbox, and the way to start processes.

All of it is private to the run and gone with it, also where the run is killed (see `supervise.group`).
"""

from __future__ import annotations

import json
import shutil
import time
from typing import TYPE_CHECKING

from plantid_core.drill.services import Services
from plantid_core.errors import ConfigurationError, PlantIDError
from plantid_core.settings import load_settings
from plantid_core.supervise.group import Group
from plantid_core.supervise.python import module_command

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Self

# So many that no drill but the one of quotas ever uses them up.
_QUOTA = "10000000"
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
        self._group = Group("drill")
        self.folder = self._group.folder
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
        return self._group.start(command, talks=talks, listens=talks)

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
        return self._group.last_words()

    def close(self) -> None:
        """End everything, and remove the folder."""
        self._group.close()

    def _start_services(self) -> Services:
        options = ("--seed", "7", "--quota", _QUOTA, "--cache-dir", str(self.folder))
        self._sandbox = self.start(module_command("plantid_core.sandbox", *options))
        line = self._sandbox.stdout.readline() if self._sandbox.stdout else b""
        if not line:
            raise PlantIDError(f"The drills' sandbox did not start: {self.last_words()}")
        return Services(str(json.loads(line)["url"]))


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
