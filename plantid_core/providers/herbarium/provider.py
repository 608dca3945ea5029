"""The local herbarium as a provider: offered as long as there is one, and always the newest."""

from __future__ import annotations

import hashlib
import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plantid_core.errors import HerbariumUnusable, ModelUnavailable, ProviderUnavailable
from plantid_core.plants import Reply, Suggestion
from plantid_core.providers.herbarium import place

if TYPE_CHECKING:
    from pathlib import Path

    from plantid_core.deadline import Deadline
    from plantid_core.plants import Observation
    from plantid_core.providers.herbarium.herbarium import Herbarium
    from plantid_core.providers.recognition import Head

NAME = "herbarium"

_IS_PLANT = 0.05
_LEAST_SCORE = 0.01
_SHOWN = 5


@dataclass(frozen=True, slots=True, eq=False)
class _Loaded:
    """The file as it was when it had this ``mark``."""

    mark: tuple[int, int, int] | None
    scope: str
    herbarium: Herbarium | HerbariumUnusable


class HerbariumProvider:
    """Names plants by the user's own labelled photos; reads them anew when they were built anew."""

    name = NAME
    sandbox = False

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._path = str(place.path(data_dir))
        self._head: Head | None = None
        self._loaded: _Loaded | None = None
        self._lock = threading.Lock()

    @property
    def offered(self) -> bool:
        """Tell whether there is a herbarium, sound or not; one look at the disk."""
        return self._mark() is not None

    @property
    def cache_scope(self) -> str:
        """Return the digest of the herbarium's file: answers of a former one are not asked for again."""
        return self._current().scope

    def herbarium(self) -> Herbarium:
        """Return the herbarium as it is now; raises `HerbariumUnusable`."""
        found = self._current().herbarium
        if isinstance(found, HerbariumUnusable):
            # Anew each time: an error that is raised by several threads would gather their traces.
            raise HerbariumUnusable(found.reason, str(found))
        return found

    def seen(self, sha256: str) -> bool:
        """Tell whether the herbarium, if there is one, was made from the photo of this digest."""
        try:
            return self.herbarium().seen(sha256)
        except HerbariumUnusable:
            return False

    def identify(self, observation: Observation, deadline: Deadline) -> Reply:
        """Return what the herbarium makes of the pictures together.

        A plant that is probably none of its own gives no names; neither does what is no plant. Raises
        `ProviderUnavailable` where the herbarium or the image model cannot be loaded.
        """
        import numpy as np

        from plantid_core.providers.herbarium.calibration import NAMED_FROM

        deadline.require()
        try:
            herbarium = self.herbarium()
            head = self._model()
        except HerbariumUnusable as error:
            raise ProviderUnavailable(NAME, error.reason, str(error)) from error
        except ModelUnavailable as error:
            raise ProviderUnavailable(NAME, "model", str(error)) from error
        except OSError as error:
            # Its own text holds a path of this machine.
            reason = f"The image model could not be loaded: {error.strerror}."
            raise ProviderUnavailable(NAME, "model", reason) from error
        sights = [head.see(picture.jpeg) for picture in observation.pictures]
        features = np.stack([sight.features for sight in sights])
        distances = herbarium.discriminant.distances(features).mean()
        known = float(herbarium.calibration.known(distances)[0])
        plant_mass = float(np.mean([sight.plant_mass for sight in sights]))
        if known < NAMED_FROM:
            return Reply(
                "not_a_plant" if plant_mass < _IS_PLANT else "no_match", is_plant=plant_mass
            )
        scores = herbarium.calibration.scores(distances)[0]
        first = np.argsort(-scores, kind="stable")[:_SHOWN]
        suggestions = tuple(
            Suggestion(herbarium.entries[at].taxon, float(scores[at]))
            for at in first
            if scores[at] >= _LEAST_SCORE
        )
        return Reply(
            "ok" if suggestions else "no_match", suggestions, is_plant=max(known, plant_mass)
        )

    def _mark(self) -> tuple[int, int, int] | None:
        try:
            # A text, since every request asks: to put a path together costs ten times the look.
            found = os.stat(self._path)  # noqa: PTH116
        except OSError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns

    def _current(self) -> _Loaded:
        mark = self._mark()
        with self._lock:
            if self._loaded is None or self._loaded.mark != mark:
                self._loaded = self._read(mark)
            return self._loaded

    def _read(self, mark: tuple[int, int, int] | None) -> _Loaded:
        from plantid_core.providers.herbarium import file
        from plantid_core.providers.herbarium.kept import SIZE
        from plantid_core.providers.recognition import digest

        data = b""
        found: Herbarium | HerbariumUnusable
        try:
            data = file.read(self._data_dir)
            found = file.decode(data)
            if found.model != digest("lite0") or found.discriminant.stranger.size != SIZE:
                reason = (
                    "The herbarium was made with another image model."
                    " Build it again: plantid herbarium build DIR."
                )
                found = HerbariumUnusable("model", reason)
        except HerbariumUnusable as error:
            found = error.with_traceback(None)
        return _Loaded(mark, hashlib.sha256(data).hexdigest(), found)

    def _model(self) -> Head:
        with self._lock:
            if self._head is None:
                from plantid_core.providers.recognition import load_head

                self._head = load_head("lite0", self._data_dir)
            return self._head
