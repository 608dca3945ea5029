"""What a provider's score is worth: a monotone map from its score to the share of right first names.

Beta calibration: logit p = a ln s - b ln(1 - s) + c, with a, b ≥ 0 (Kull, Silva Filho and Flach, "Beyond
sigmoids: how to obtain well-calibrated probabilities from binary classifiers with beta calibration",
Electronic Journal of Statistics 11, 2017, section 4). Unlike Platt's sigmoid it contains the identity, and
unlike isotonic regression (Zadrozny and Elkan, KDD 2002) it can be told by few photos: the latter overfits
below some thousand (Niculescu-Mizil and Caruana, ICML 2005). Right and wrong are smoothed to
(n₊ + 1) / (n₊ + 2) and 1 / (n₋ + 2), so that no map is surer than its photos (Platt, "Probabilistic outputs
for support vector machines", 1999, equation 5).

Maps are kept by provider *and* by who answered in its stead: the sandbox's is never the service's.
"""

from __future__ import annotations

import math
import os
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
from pydantic import TypeAdapter, ValidationError

from plantid_core.errors import InputUnreadable, TooFewPhotos
from plantid_core.telemetry import shout

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

FILE = "calibration.json"
# Fewer than this many photos, or of right or wrong first names, tell nothing.
LEAST, LEAST_OF_EACH = 30, 5

_VERSION = 1
_EDGE = 1e-6


@dataclass(frozen=True, slots=True)
class BetaMap:
    """One provider's map, and the number of photos it was fitted on. Raises ValueError if not monotone."""

    a: float
    b: float
    c: float
    photos: int

    def __post_init__(self) -> None:
        if not (self.a >= 0 and self.b >= 0 and math.isfinite(self.a + self.b + self.c)):
            raise ValueError("a and b must be 0 or more, and all three finite")

    def __call__(self, score: float) -> float:
        """Return the share of right names to expect at a score in 0…1; never falls as it rises."""
        inner = min(1.0 - _EDGE, max(_EDGE, score))
        logit = self.a * math.log(inner) - self.b * math.log1p(-inner) + self.c
        return 1.0 / (1.0 + math.exp(min(700.0, -logit)))


@dataclass(frozen=True, slots=True)
class Calibration:
    """The maps by provider; the identity where there is none. ``sandbox`` has the emulators' own."""

    services: Mapping[str, BetaMap] = field(default_factory=dict)
    sandbox: Mapping[str, BetaMap] = field(default_factory=dict)

    def apply(self, provider: str, score: float, *, sandbox: bool) -> float:
        """Return the calibrated score, in 0…1."""
        fitted = (self.sandbox if sandbox else self.services).get(provider)
        return score if fitted is None else fitted(score)

    def fitted(
        self, provider: str, scores: Sequence[float], correct: Sequence[bool], *, sandbox: bool
    ) -> Calibration:
        """Return this with one provider's map fitted anew, as `fit` does; raises `TooFewPhotos`."""
        own = {provider: fit(scores, correct)}
        if sandbox:
            return Calibration(self.services, {**self.sandbox, **own})
        return Calibration({**self.services, **own}, self.sandbox)

    def save(self, data_dir: Path) -> Path:
        """Write ``calibration.json``, whole or not at all, and return its path; raises `OSError`."""
        path = data_dir / FILE
        handle, temporary = tempfile.mkstemp(prefix=f".{FILE}-", dir=data_dir)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(orjson.dumps({"version": _VERSION, **asdict(self)}))
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        return path


@dataclass(frozen=True, slots=True)
class _Kept:
    version: int
    services: dict[str, BetaMap]
    sandbox: dict[str, BetaMap]


_KEPT: TypeAdapter[_Kept] = TypeAdapter(_Kept)


def fit(scores: Sequence[float], correct: Sequence[bool]) -> BetaMap:
    """Return the map for first names with these scores (0…1), of which these were right.

    Raises `TooFewPhotos` below 30, or below 5 right or wrong ones.
    """
    right = sum(correct)
    if len(scores) < LEAST or min(right, len(scores) - right) < LEAST_OF_EACH:
        raise TooFewPhotos(len(scores), right, LEAST, LEAST_OF_EACH)
    import numpy as np

    given = np.clip(np.asarray(scores, float), _EDGE, 1 - _EDGE)
    columns = np.column_stack([np.log(given), -np.log1p(-given)])
    truth = np.asarray(correct, bool)
    used = [0, 1]
    slopes, offset = _logistic(columns, truth)
    while used and slopes.min() < 0:
        # As its authors do: what would make the map fall is left out, and the rest fitted again.
        used.pop(int(slopes.argmin()))
        slopes, offset = _logistic(columns[:, used], truth)
    whole = dict(zip(used, slopes, strict=True))
    return BetaMap(float(whole.get(0, 0.0)), float(whole.get(1, 0.0)), offset, len(scores))


def _logistic(
    columns: np.ndarray[tuple[int, int], np.dtype[np.float64]],
    truth: np.ndarray[tuple[int], np.dtype[np.bool_]],
) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], float]:
    """Return the slopes and the offset, every photo counted as right and wrong by its smoothed share."""
    import numpy as np

    right = int(truth.sum())
    share = np.where(truth, (right + 1) / (right + 2), 1 / (len(truth) - right + 2))
    if columns.shape[1] == 0:
        mean = float(share.mean())
        return np.zeros(0), math.log(mean / (1 - mean))
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=math.inf, max_iter=1000, tol=1e-8)
    model.fit(
        np.vstack([columns, columns]),
        np.repeat([1, 0], len(truth)),
        sample_weight=np.concatenate([share, 1 - share]),
    )
    return model.coef_[0], float(model.intercept_[0])


def read(path: Path) -> Calibration:
    """Return what a file holds; raises `InputUnreadable` where it is damaged or of another version."""
    try:
        kept = _KEPT.validate_json(path.read_bytes())
    except OSError as error:
        raise InputUnreadable(str(path), f"it could not be read ({error.strerror}).") from error
    except ValidationError as error:
        raise InputUnreadable(str(path), "it is no calibration, or damaged.") from error
    if kept.version != _VERSION:
        reason = f"it is of version {kept.version}; this program reads version {_VERSION}."
        raise InputUnreadable(str(path), reason)
    return Calibration(kept.services, kept.sandbox)


def load(data_dir: Path) -> Calibration:
    """Return the data directory's calibration; with none, or one that cannot be read, the identity."""
    path = data_dir / FILE
    if not path.exists():
        return Calibration()
    try:
        return read(path)
    except InputUnreadable as error:
        shout("calibration_ignored", reason=error.reason)
        return Calibration()
