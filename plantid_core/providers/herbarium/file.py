"""The herbarium's one file: safetensors, which hold numbers and text and can run nothing.

What is no number (names, figures, calibration) is JSON in the file's own metadata, checked by type as
it is read; with it goes a digest of all that the file says, since the format has none.
"""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - pydantic reads it
import hashlib
import math
import os
import stat
import struct
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import orjson
from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from plantid_core.errors import HerbariumUnusable
from plantid_core.providers.herbarium.calibration import Calibration  # noqa: TC001 - pydantic reads it
from plantid_core.providers.herbarium.discriminant import Discriminant
from plantid_core.providers.herbarium.herbarium import Entry, Figures, Herbarium
from plantid_core.providers.herbarium.kept import WRITING, locked
from plantid_core.providers.herbarium.place import NAME, folder, path

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Tensors = dict[str, NDArray[np.generic]]

FORMAT = 1
MOST_BYTES = 1 << 27
"""More than a herbarium of as many plants as a labelled folder can hold: what loading takes is bound."""

# Its description included, which grows with the number of plants.
_MOST_HEADER = 1 << 24
_DIGEST = 32
_SHAPES = {
    "whitener": np.dtype(np.float32),
    "means": np.dtype(np.float32),
    "stranger": np.dtype(np.float32),
    "members": np.dtype(np.uint8),
}
_AGAIN = "Build it again: plantid herbarium build DIR."


@dataclass(frozen=True)
class _Said:
    """The metadata, as they are written."""

    format: int
    model: str
    made: dt.datetime
    entries: tuple[Entry, ...]
    calibration: Calibration
    figures: Figures


def save(herbarium: Herbarium, data_dir: Path) -> Path:
    """Write the file, whole or not at all, for its owner's eyes alone.

    Raises `HerbariumUnusable` where it cannot be written.
    """
    data = encode(herbarium)
    target = path(data_dir)
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=WRITING)
        try:
            with os.fdopen(handle, "wb") as file:
                os.fchmod(file.fileno(), 0o600)
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        reason = f"The herbarium could not be written: {error.strerror}. The former one stays."
        raise HerbariumUnusable("disk", reason) from error
    return target


def load(data_dir: Path) -> Herbarium:
    """Return the herbarium; raises `HerbariumUnusable`."""
    return decode(read(data_dir))


def read(data_dir: Path) -> bytes:
    """Return the file's bytes; raises `HerbariumUnusable` where there are none to be had."""
    try:
        _require_plain(path(data_dir).stat())
        with path(data_dir).open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        reason = "There is no local herbarium yet. Make one: plantid herbarium build DIR."
        raise HerbariumUnusable("missing", reason) from None
    except OSError as error:
        reason = f"The herbarium's file cannot be read: {error.strerror}."
        raise HerbariumUnusable("disk", reason) from error
    return data


def forget(data_dir: Path) -> bool:
    """Remove the herbarium and all that was kept of its photos; tell whether there was any.

    Raises `HerbariumUnusable` where that cannot be done.
    """
    root = folder(data_dir)
    if not root.is_dir():
        return False
    with locked(root):
        try:
            files = list(root.iterdir())
            for file in files:
                file.unlink()
            root.rmdir()
        except OSError as error:
            reason = f"The herbarium could not be removed: {error.strerror}."
            raise HerbariumUnusable("disk", reason) from error
    return any(file.name == NAME for file in files)


def encode(herbarium: Herbarium) -> bytes:
    """Return the file's bytes."""
    from safetensors.numpy import save as serialise

    model = herbarium.discriminant
    members = b"".join(sorted(herbarium.members))
    tensors: Tensors = {
        # The library writes the memory as it lies there, whatever its order.
        "whitener": np.ascontiguousarray(model.whitener),
        "means": np.ascontiguousarray(model.means),
        "stranger": np.ascontiguousarray(model.stranger),
        "members": np.frombuffer(members, np.uint8).reshape(-1, _DIGEST),
    }
    said = _Said(
        FORMAT,
        herbarium.model,
        herbarium.made,
        herbarium.entries,
        herbarium.calibration,
        herbarium.figures,
    )
    told = TypeAdapter(_Said).dump_json(said)
    metadata = {"plantid_herbarium": told.decode(), "sha256": _digest(told, tensors)}
    return bytes(serialise(tensors, metadata))


def decode(data: bytes) -> Herbarium:
    """Return the herbarium in a file's bytes; raises `HerbariumUnusable`."""
    tables, metadata = _header(data)
    told = metadata.get("plantid_herbarium")
    if not isinstance(told, str):
        raise HerbariumUnusable("foreign", f"The file holds something else. {_AGAIN}")
    _require_known(told)
    if tables != _SHAPES.keys():
        raise _damaged("its tables are not those of one")
    tensors = _tensors(data)
    if any(tensors[name].dtype != dtype for name, dtype in _SHAPES.items()):
        raise _damaged("its tables are not those of one")
    if metadata.get("sha256") != _digest(told.encode(), tensors):
        raise _damaged("its digest does not fit")
    try:
        said = TypeAdapter(_Said).validate_json(told)
    except ValidationError:
        raise _damaged("its description is not that of one") from None
    if not _plausible(said):
        raise _damaged("its figures cannot be true")
    return Herbarium(
        entries=tuple(said.entries),
        discriminant=_discriminant(tensors, len(said.entries)),
        calibration=said.calibration,
        figures=said.figures,
        members=frozenset(row.tobytes() for row in tensors["members"]),
        model=said.model,
        made=said.made,
    )


def _require_plain(found: os.stat_result) -> None:
    # A pipe in its place would be waited for, for ever.
    if not stat.S_ISREG(found.st_mode):
        raise _damaged("it is no plain file")
    if found.st_size > MOST_BYTES:
        raise _damaged("it is larger than any herbarium")


def _header(data: bytes) -> tuple[set[str], dict[str, object]]:
    """Return the names of the tables, and the metadata, which the library reads from paths alone.

    Looked at first: a file that promises a million tables costs nothing then.
    """
    length = struct.unpack("<Q", data[:8])[0] if len(data) >= 8 else 0  # noqa: PLR2004 - a 64-bit number
    if not 0 < length <= min(_MOST_HEADER, len(data)):
        raise _no_herbarium()
    try:
        header = orjson.loads(data[8 : 8 + length])
    except orjson.JSONDecodeError:
        raise _no_herbarium() from None
    metadata = header.pop("__metadata__", None) if isinstance(header, dict) else None
    return set(header), metadata if isinstance(metadata, dict) else {}


def _tensors(data: bytes) -> Tensors:
    from safetensors import SafetensorError
    from safetensors.numpy import load as parse

    try:
        return cast("Tensors", parse(data))
    except (SafetensorError, KeyError, ValueError, TypeError):
        raise _no_herbarium() from None


def _plausible(said: _Said) -> bool:
    """Tell whether scores that are made with these numbers can be chances."""
    tuned, figures = said.calibration, said.figures
    shares = (
        *(figures.top1, figures.top5, figures.low, figures.high),
        *(figures.named, figures.strangers_named),
    )
    return (
        0 < tuned.temperature < math.inf
        and all(map(math.isfinite, tuned.weights))
        and 0 < tuned.ceiling < 1
        and all(entry.photos > 0 for entry in said.entries)
        and all(share is None or 0 <= share <= 1 for share in shares)
    )


def _require_known(told: str) -> None:
    try:
        found = orjson.loads(told)["format"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise _damaged("its description cannot be read") from None
    if found != FORMAT:
        reason = (
            f"The herbarium is of format {found!r:.20}, and this version reads {FORMAT}."
            f" Update this program, or build it again: plantid herbarium build DIR."
        )
        raise HerbariumUnusable("newer", reason)


def _discriminant(tensors: Tensors, species: int) -> Discriminant:
    whitener, means, stranger, members = (tensors[name] for name in _SHAPES)
    size = whitener.shape[-1] if whitener.ndim else 0
    fits = (
        whitener.shape == (size, size)
        and means.shape == (species, size)
        and stranger.shape == (size,)
        and members.ndim == 2  # noqa: PLR2004 - rows of digests
        and members.shape[1] == _DIGEST
    )
    if not fits or not species:
        raise _damaged("its tables do not fit together")
    parts = [cast("NDArray[np.float32]", table) for table in (whitener, means, stranger)]
    if not all(np.isfinite(table).all() for table in parts):
        raise _damaged("its tables hold what is no number")
    return Discriminant(*parts)


def _digest(told: bytes, tensors: Tensors) -> str:
    whole = hashlib.sha256(told)
    for name in sorted(tensors):
        whole.update(f"\0{name}{tensors[name].shape}".encode())
        whole.update(np.ascontiguousarray(tensors[name]).data)
    return whole.hexdigest()


def _no_herbarium() -> HerbariumUnusable:
    reason = f"The file is no herbarium, or only a part of one. {_AGAIN}"
    return HerbariumUnusable("damaged", reason)


def _damaged(why: str) -> HerbariumUnusable:
    return HerbariumUnusable("damaged", f"The herbarium's file is damaged: {why}. {_AGAIN}")
