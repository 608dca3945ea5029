"""A reader of torch's legacy checkpoint files that runs no code from them, and needs no torch.

The format: four pickles (magic number, protocol version, system info, the state dict), then the
list of storage keys, then each storage as an 8-byte count and its raw elements. The pickle machine
is held to an allow-list of what a state dict of tensors is made of; all else is refused.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import struct
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn, cast

import numpy as np
from numpy.typing import NDArray

from plantid_core.errors import ModelUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Tensor = NDArray[np.float32] | NDArray[np.int64]

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_DTYPES: dict[str, np.dtype[np.generic]] = {
    "FloatStorage": np.dtype("<f4"),
    "DoubleStorage": np.dtype("<f8"),
    "HalfStorage": np.dtype("<f2"),
    "LongStorage": np.dtype("<i8"),
    "IntStorage": np.dtype("<i4"),
}


# The pickle module promises no closed set: these are what its machine raises on damaged bytes.
_BROKEN_PICKLE = (
    pickle.UnpicklingError,
    struct.error,
    ArithmeticError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    MemoryError,  # a damaged index asks for a memo of 2^31 entries
    TypeError,
    ValueError,
)


@dataclass(frozen=True, slots=True)
class _Storage:
    key: str
    dtype: np.dtype[np.generic]
    count: int


@dataclass(frozen=True, slots=True)
class _View:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_state_dict(path: Path, sha256: str) -> dict[str, Tensor]:
    """Return the checkpoint's tensors by name.

    Raises `ModelUnavailable` where the file is missing, is not the one with this sha256 (64 hex
    digits), or holds anything but tensors.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelUnavailable(f"The model's weights cannot be read: {error.strerror}.") from error
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise ModelUnavailable(
            f"The model's weights are not the expected ones (sha256 {found[:16]}…, not {sha256[:16]}…)."
        )
    return parse(data)


def parse(data: bytes) -> dict[str, Tensor]:
    """Return the tensors in a checkpoint's bytes; raises `ModelUnavailable`."""
    stream = io.BytesIO(data)
    try:
        if _Reader(stream).load() != _LEGACY_MAGIC:
            _refuse("it does not begin as one")
        _Reader(stream).load()  # protocol version
        _Reader(stream).load()  # system info
        views = _Reader(stream).load()
        keys = cast("list[str]", _Reader(stream).load())
        storages = _read_storages(stream, keys, _storages_of(views))
    except _BROKEN_PICKLE as error:
        raise ModelUnavailable(f"The model's weights are no checkpoint: {error}.") from error
    return {name: _tensor(view, storages) for name, view in views.items()}


def _storages_of(views: object) -> dict[str, _Storage]:
    if not isinstance(views, OrderedDict):
        _refuse("it holds no state dict")
    for view in views.values():
        if not isinstance(view, _View):
            _refuse("it holds something that is no tensor")
    return {view.storage.key: view.storage for view in views.values()}


def _read_storages(
    stream: io.BytesIO, keys: list[str], storages: dict[str, _Storage]
) -> dict[str, NDArray[np.generic]]:
    arrays = {}
    for key in keys:
        storage = storages[key]
        (count,) = struct.unpack("<q", stream.read(8))
        if count != storage.count:
            _refuse("a storage has another size than announced")
        raw = stream.read(count * storage.dtype.itemsize)
        arrays[key] = np.frombuffer(raw, storage.dtype, count)
    return arrays


def _tensor(view: _View, storages: dict[str, NDArray[np.generic]]) -> Tensor:
    base = storages[view.storage.key]
    last = view.offset + sum(
        (size - 1) * stride for size, stride in zip(view.shape, view.strides, strict=True)
    )
    if view.offset < 0 or last >= base.size or min(view.strides, default=0) < 0:
        _refuse("a tensor reaches outside its storage")
    strides = tuple(stride * base.itemsize for stride in view.strides)
    strided = np.lib.stride_tricks.as_strided(base[view.offset :], view.shape, strides)
    return cast("Tensor", np.ascontiguousarray(strided))


def _rebuild_tensor(
    storage: _Storage,
    offset: int,
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    *_gradient_settings: object,
) -> _View:
    return _View(storage, offset, shape, strides)


class _Reader(pickle.Unpickler):
    """Knows three kinds of name: the ordered dict, the tensor's builder, five storages."""

    def find_class(self, module: str, name: str) -> Callable[..., object]:
        """Return one of the allowed names; raises ``UnpicklingError`` for any other."""
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild_tensor
        if module == "torch" and name in _DTYPES:
            return cast("Callable[..., object]", _Kind(_DTYPES[name]))
        raise pickle.UnpicklingError(f"{module}.{name} is not allowed in it")

    def persistent_load(self, pid: object) -> _Storage:
        """Return the storage that a tensor refers to."""
        kind, storage, key, _device, count = cast("tuple[str, object, str, str, int]", pid)[:5]
        if kind != "storage" or not isinstance(storage, _Kind):
            raise pickle.UnpicklingError("it refers to something that is no storage")
        return _Storage(str(key), storage.dtype, int(count))


@dataclass(frozen=True, slots=True)
class _Kind:
    dtype: np.dtype[np.generic]


def _refuse(why: str) -> NoReturn:
    raise ModelUnavailable(f"The model's weights are no checkpoint: {why}.")
