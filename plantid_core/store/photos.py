"""Photos that their owners asked to keep, on disk, each stored once.

::

    root/blobs/ab/<sha256 of the bytes>.jpg
    root/owners/<sha256 of the owner's id>/<sha256 of the bytes>.jpg    a hard link to the blob
    root/incoming/                                                      what is being written
    root/lock

The links are the records: a blob's link count is its reference count, the sizes in an owner's folder
are what the owner uses, and no file beside them could disagree. A blob is on disk before its first
record and goes after its last: a crash leaves at worst a blob without one, for `PhotoStore.sweep`.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import math
import os
import re
import stat
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from plantid_core import errors
from plantid_core.upload.sniff import format_of_prefix

if TYPE_CHECKING:
    from collections.abc import Iterator

_ID = re.compile(r"[0-9a-f]{64}")
_POLL_S = 0.005
_MOST_LINKS = 1000  # a file may have 65,000 on ext4, 1,024 on NTFS
_REASONS = dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "full")
_REASONS |= dict.fromkeys((errno.EROFS, errno.EACCES), "read_only")
_ADVICE = {
    "full": "The disk that keeps photos is full: delete photos or free space there, then try again.",
    "read_only": "Photos cannot be kept: mount their folder writable, and let the app's user write there.",
    "busy": "The folder that keeps photos is locked by another process: try again in a moment.",
    "io": "The disk that keeps photos failed ({}): check it, and that its file system has hard links.",
}


class OwnedPhoto(NamedTuple):
    """A photo that an owner keeps."""

    photo_id: str
    size_bytes: int


class PhotoStore:
    """The photos under ``root``, a folder that is made when the first one comes.

    Each owner may keep ``most_photos`` of ``quota_bytes`` together; one kept by several counts for
    each of them. Any threads and processes may use one root: changes take turns and wait up to
    ``wait_s`` seconds, reading waits for nobody. Every method raises `StorageFailed` where the disk
    cannot be used.
    """

    def __init__(
        self,
        root: Path,
        *,
        quota_bytes: int = 1 << 30,
        most_photos: int = 10_000,
        wait_s: float = 10.0,
    ) -> None:
        self.quota_bytes = quota_bytes
        self.most_photos = most_photos
        self._wait_s = wait_s
        self._root = root.resolve()
        self._lock, self._incoming = self._root / "lock", self._root / "incoming"
        self._blobs, self._owners = self._root / "blobs", self._root / "owners"

    def put(self, owner: str, photo_bytes: bytes) -> str:
        """Keep a sanitised JPEG for the owner and return its id; once it returns, it is on disk.

        A photo that the owner keeps already changes nothing, unless its file is damaged: then it is
        replaced. Raises `UploadRejected` for what is no JPEG, and `QuotaExceeded`.
        """
        if (found := format_of_prefix(photo_bytes)) != "JPEG":
            message = "Only sanitised JPEG photos are kept. Send the file through the upload first."
            raise errors.UploadRejected("type", message, layer="type", limit="JPEG", detected=found)
        photo_id = hashlib.sha256(photo_bytes).hexdigest()
        with self._locked():
            if not _is_intact(self._record(owner, photo_id), photo_id):
                # The owner's damaged file of this id, if there is one, makes room for the new one.
                kept = [size for other, size in self.owned(owner) if other != photo_id]
                if len(kept) >= self.most_photos:
                    raise errors.QuotaExceeded(self.most_photos, len(kept), 1, "photos")
                if sum(kept) + len(photo_bytes) > self.quota_bytes:
                    raise errors.QuotaExceeded(self.quota_bytes, sum(kept), len(photo_bytes))
                self._add(self._folder(owner), self._blob(photo_id), photo_bytes)
        return photo_id

    def get(self, owner: str, photo_id: str) -> bytes:
        """Return the bytes stored; raises `PhotoNotFound`, and `PhotoDamaged` where they changed."""
        record = self._record(owner, photo_id)
        with _explained():
            try:
                data = _load(record, photo_id)
            except FileNotFoundError:
                raise errors.PhotoNotFound from None
        if data is None:
            raise errors.PhotoDamaged(photo_id)
        return data

    def holds(self, owner: str, photo_id: str, size_bytes: int) -> bool:
        """Tell whether the owner keeps this photo, as far as its size tells; one look at the disk."""
        record = self._folder(owner) / f"{photo_id}.jpg"
        try:
            found = record.lstat()
        except OSError:
            return False
        return stat.S_ISREG(found.st_mode) and found.st_size == size_bytes

    def delete(self, owner: str, photo_id: str) -> None:
        """Forget the owner's photo, and its bytes unless others keep it; raises `PhotoNotFound`."""
        record = self._record(owner, photo_id)
        with self._locked():
            if not os.path.lexists(record):
                raise errors.PhotoNotFound
            self._forget(record.parent, [self._blob(photo_id)])

    def delete_all(self, owner: str) -> int:
        """Forget all of the owner's photos as `delete` does, and return how many there were."""
        with self._locked():
            if owned := self.owned(owner):
                self._forget(self._folder(owner), [self._blob(photo.photo_id) for photo in owned])
        return len(owned)

    def owned(self, owner: str) -> tuple[OwnedPhoto, ...]:
        """Return the owner's photos in the order of their ids, damaged ones among them."""
        folder, owned = self._folder(owner), []
        with _explained(), suppress(FileNotFoundError):
            for file in folder.iterdir() if self._is_ours(folder) else ():
                # Read without the lock: what is deleted meanwhile is not owned.
                with suppress(FileNotFoundError):
                    found = file.lstat()
                    if stat.S_ISREG(found.st_mode) and _ID.fullmatch(file.stem):
                        owned.append(OwnedPhoto(file.stem, found.st_size))
        return tuple(sorted(owned))

    def used_bytes(self, owner: str) -> int:
        """Return the bytes that count against the owner's quota."""
        return sum(photo.size_bytes for photo in self.owned(owner))

    def sweep(self, older_than_s: float = 3600.0) -> int:
        """Remove what crashes left behind so many seconds ago or more; return how many files."""
        removed = 0
        with self._locked():
            before = time.time() - older_than_s
            for folder in (self._incoming, *_folders_in(self._blobs)):
                stale = [file for file in folder.iterdir() if _is_left_over(file, before)]
                removed += len(stale)
                for file in stale:
                    file.unlink()
                if stale:
                    _sync(folder)
            for folder in _folders_in(self._owners):
                _remove_if_empty(folder)
        return removed

    def _folder(self, owner: str) -> Path:
        # surrogatepass: an id that is no proper text is still an id of its own.
        return self._owners / hashlib.sha256(owner.encode("utf-8", "surrogatepass")).hexdigest()

    def _blob(self, photo_id: str) -> Path:
        return self._blobs / photo_id[:2] / f"{photo_id}.jpg"

    def _record(self, owner: str, photo_id: str) -> Path:
        """Return the path of the owner's record, there or not; raises `PhotoNotFound`."""
        folder = self._folder(owner)
        if not _ID.fullmatch(photo_id) or not self._is_ours(folder):
            raise errors.PhotoNotFound
        return folder / f"{photo_id}.jpg"

    def _is_ours(self, folder: Path) -> bool:
        """Tell whether the folder lies in the root, and no symbolic link leads to another place."""
        real = Path(os.path.realpath(folder))  # Path.resolve chokes on links in a circle
        return real.is_relative_to(self._root) and real == folder and not folder.is_symlink()

    def _add(self, folder: Path, blob: Path, photo_bytes: bytes) -> None:
        """Write the blob unless it is there intact, then the record in ``folder``: both or neither."""
        record = folder / blob.name
        _make_private(folder)
        try:
            _make_private(blob.parent)
            # The links of a full one keep it alive; the next owners share a fresh one.
            if not _is_intact(blob, blob.stem) or blob.lstat().st_nlink >= _MOST_LINKS:
                self._write(blob, photo_bytes)
            record.unlink(missing_ok=True)
            record.hardlink_to(blob)
            _sync(folder)
        except BaseException:
            # The first error says more, and what cannot be undone now is left to a sweep.
            with suppress(OSError):
                self._forget(folder, [blob])
            raise

    def _write(self, blob: Path, photo_bytes: bytes) -> None:
        descriptor, name = tempfile.mkstemp(dir=self._incoming)
        try:
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(descriptor, 0o600)
                file.write(photo_bytes)
                file.flush()
                os.fsync(descriptor)
            Path(name).replace(blob)
        finally:
            Path(name).unlink(missing_ok=True)
        _sync(blob.parent)

    def _forget(self, folder: Path, blobs: list[Path]) -> None:
        """Remove the blobs' records from an owner's folder, then those that nobody else keeps."""
        for blob in blobs:
            (folder / blob.name).unlink(missing_ok=True)
        _sync(folder)
        orphans = [blob for blob in blobs if os.path.lexists(blob) and _is_left_over(blob)]
        for blob in orphans:
            blob.unlink()
        for parent in {blob.parent for blob in orphans}:
            _sync(parent)
        _remove_if_empty(folder)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Make the folders, and hold the root's lock, alone among all threads and processes."""
        with _explained():
            self._root.parent.mkdir(parents=True, exist_ok=True)
            for folder in (self._root, self._blobs, self._owners, self._incoming):
                _make_private(folder)
            descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            try:
                os.fchmod(descriptor, 0o600)
                _take(descriptor, self._wait_s)
                yield
            finally:
                # Not by closing alone: a child forked meanwhile holds a copy of the descriptor.
                fcntl.flock(descriptor, fcntl.LOCK_UN)
                os.close(descriptor)


@contextmanager
def _explained() -> Iterator[None]:
    """Turn the operating system's errors into `StorageFailed`, with what to do about them."""
    try:
        yield
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, "io")
        raise errors.StorageFailed(reason, _ADVICE[reason].format(error.strerror)) from error


def _take(descriptor: int, within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            # Its holder may be suspended, or its disk hang: nobody waits for that for ever.
            if time.monotonic() > deadline:
                raise errors.StorageFailed("busy", _ADVICE["busy"]) from None
        time.sleep(_POLL_S)


def _make_private(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700)
        folder.chmod(0o700)  # whatever the umask took away
        _sync(folder.parent)
    except FileExistsError:
        if folder.is_symlink() or not folder.is_dir():
            raise


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _load(path: Path, photo_id: str) -> bytes | None:
    """Return the photo's bytes, None where something else lies there; raises OSError."""
    if not stat.S_ISREG(path.lstat().st_mode):
        return None
    # O_NOFOLLOW: a symbolic link may have been put there since.
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
        data = file.read()
    return data if hashlib.sha256(data).hexdigest() == photo_id else None


def _is_intact(path: Path, photo_id: str) -> bool:
    return os.path.lexists(path) and _load(path, photo_id) is not None


def _is_left_over(file: Path, before: float = math.inf) -> bool:
    """Tell whether no second link holds it, and none has since ``before`` (seconds of the epoch)."""
    found = file.lstat()
    # The inode's change, not the file's: a blob's last record may go long after it was written.
    return found.st_ctime <= before and found.st_nlink == 1 and not stat.S_ISDIR(found.st_mode)


def _folders_in(folder: Path) -> list[Path]:
    return [inner for inner in folder.iterdir() if not inner.is_symlink() and inner.is_dir()]


def _remove_if_empty(folder: Path) -> None:
    if not any(folder.iterdir()):
        folder.rmdir()
        _sync(folder.parent)
