"""The offline model as a provider: nothing leaves the machine."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from plantid_core.errors import ModelUnavailable, ProviderUnavailable
from plantid_core.plants import Reply, Suggestion

if TYPE_CHECKING:
    from pathlib import Path

    from plantid_core.deadline import Deadline
    from plantid_core.plants import Observation
    from plantid_core.providers.recognition import Head

NAME = "offline"
TITLE = "Offline model"

_IS_PLANT = 0.05
_LEAST_MASS = 0.01
_SHOWN = 5


class OfflineProvider:
    """EfficientNet-Lite0 over 23 taxa; the model is loaded when it is first asked."""

    name = NAME
    sandbox = False

    def __init__(self, cache_dir: Path) -> None:
        self._cache_dir = cache_dir
        self._head: Head | None = None
        self._lock = threading.Lock()

    @property
    def cache_scope(self) -> str:
        """Return the identity of the model and its table."""
        from plantid_core.providers.recognition import digest

        return digest("lite0")

    def identify(self, observation: Observation, deadline: Deadline) -> Reply:
        """Return what the model knows; raises `ProviderUnavailable` where it cannot be loaded."""
        deadline.require()
        head = self._loaded()
        jpegs = [picture.jpeg for picture in observation.pictures]
        seen = head.recognise_many(jpegs, observation.language)
        if seen.plant_mass < _IS_PLANT:
            return Reply("not_a_plant", is_plant=seen.plant_mass)
        suggestions = tuple(
            Suggestion(taxon, mass) for taxon, mass in seen.taxa[:_SHOWN] if mass >= _LEAST_MASS
        )
        return Reply("ok" if suggestions else "no_match", suggestions, is_plant=seen.plant_mass)

    def _loaded(self) -> Head:
        with self._lock:
            if self._head is None:
                from plantid_core.providers.recognition import load_head

                try:
                    self._head = load_head("lite0", self._cache_dir)
                except ModelUnavailable as error:
                    raise ProviderUnavailable(NAME, "model", str(error)) from error
                except OSError as error:
                    # Its own text holds a path of this machine.
                    reason = f"The model could not be loaded: {error.strerror}."
                    raise ProviderUnavailable(NAME, "model", reason) from error
            return self._head
