"""The features of every photo, kept as they come, so that a build that ends early is not lost.

One file to which records of one length are only added: a digest of the raw file, that of the sanitised
photo, the plant mass, the features, and a checksum over these. Whatever the last record was when a
process was killed, those before it are whole.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import struct
import tempfile
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from plantid_core.errors import HerbariumUnusable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from types import TracebackType
    from typing import Self

    from numpy.typing import NDArray

SIZE: Final = 1280

WRITING = ".building-"
"""How the herbarium's file is called while it is written."""

_NAME, _LOCK, _REWRITING = "features.bin", "lock", ".features-"
_LEFTOVERS = (WRITING, _REWRITING)
_MAGIC = b"plantid features 1\n"
_HEAD = struct.Struct(f"<{len(_MAGIC)}s32s")
_BODY = struct.Struct(f"<32s32sf{4 * SIZE}s")
_CHECK = 16
_RECORD = _BODY.size + _CHECK


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """What is kept of one photo: its sanitised form's sha256 (32 bytes), plant mass, features (1280,)."""

    sha256: bytes
    plant_mass: float
    features: NDArray[np.float32]


class KeptFeatures:
    """The features under a folder, by the sha256 of the raw file; one process at a time.

    ``scope`` tells what shaped them; those of another scope are forgotten. Opened by ``with``, which
    raises `HerbariumUnusable` where another build is under way or the disk fails.
    """

    def __init__(self, folder: Path, scope: str) -> None:
        self._folder = folder
        self._path = folder / _NAME
        self._head = _HEAD.pack(_MAGIC, hashlib.sha256(scope.encode()).digest())
        self._kept: dict[bytes, Features] = {}

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            undo.enter_context(locked(self._folder))
            try:
                self._sweep()
                self._load()
            except OSError as error:
                raise _disk(error) from error
            self._stack = undo.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # On a full disk closing tries once more to write what could not be written, and fails again.
        with self._stack, suppress(OSError):
            self._file.close()

    def get(self, raw_sha256: bytes) -> Features | None:
        """Return what is kept of the file with this digest."""
        return self._kept.get(raw_sha256)

    def add(self, raw_sha256: bytes, found: Features) -> None:
        """Keep a photo's features; whatever ends this process afterwards, they are there."""
        try:
            self._file.write(_record(raw_sha256, found))
            self._file.flush()
        except OSError as error:
            raise _disk(error) from error
        self._kept[raw_sha256] = found

    def keep_only(self, raw_sha256s: Collection[bytes]) -> None:
        """Forget all photos but these."""
        wanted = set(raw_sha256s)
        if self._kept.keys() <= wanted:
            return
        self._kept = {raw: found for raw, found in self._kept.items() if raw in wanted}
        try:
            self._file.close()
            self._rewrite()
        except OSError as error:
            raise _disk(error) from error

    def _sweep(self) -> None:
        """Remove what builds that were killed while they wrote have left."""
        for prefix in _LEFTOVERS:
            for left in self._folder.glob(f"{prefix}*"):
                left.unlink(missing_ok=True)

    def _load(self) -> None:
        torn = True
        if self._path.is_file():
            data = self._path.read_bytes()
            if data.startswith(self._head):
                records = list(_records(data[len(self._head) :]))
                self._kept = dict(filter(None, records))
                torn = None in records
        if torn:
            self._rewrite()
        else:
            self._open()

    def _open(self) -> None:
        self._file = self._path.open("ab")
        os.fchmod(self._file.fileno(), 0o600)

    def _rewrite(self) -> None:
        handle, name = tempfile.mkstemp(dir=self._folder, prefix=_REWRITING)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(self._head)
                for raw, found in self._kept.items():
                    file.write(_record(raw, found))
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(self._path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        self._open()


def _record(raw_sha256: bytes, found: Features) -> bytes:
    features = found.features.astype("<f4").tobytes()
    body = _BODY.pack(raw_sha256, found.sha256, found.plant_mass, features)
    return body + _check(body)


def _records(data: bytes) -> Iterator[tuple[bytes, Features] | None]:
    """Yield each record; None in the place of one that is not whole."""
    for start in range(0, len(data), _RECORD):
        record = data[start : start + _RECORD]
        body, check = record[: _BODY.size], record[_BODY.size :]
        if len(record) < _RECORD or _check(body) != check:
            yield None
            continue
        raw, sha256, mass, features = _BODY.unpack(body)
        yield raw, Features(sha256, mass, np.frombuffer(features, "<f4").astype(np.float32))


def _check(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()[:_CHECK]


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Make the folder, and hold it alone among all processes; raises `HerbariumUnusable`."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise _disk(error) from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever forgets the herbarium removes the lock too: one that is no longer there locks nothing.
            held = os.path.samestat(os.fstat(lock), (folder / _LOCK).stat())
        except (BlockingIOError, FileNotFoundError):
            held = False
        if not held:
            reason = "Another build of the herbarium is under way. Wait until it has ended."
            raise HerbariumUnusable("busy", reason)
        yield
    finally:
        os.close(lock)


def _disk(error: OSError) -> HerbariumUnusable:
    reason = f"The herbarium's folder cannot be used: {error.strerror}."
    return HerbariumUnusable("disk", reason)
