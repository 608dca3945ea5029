"""Files that a command is pointed at."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from plantid_core.errors import PlantIDError, UploadRejected
from plantid_core.upload.chain import Upload, require_size
from plantid_core.upload.rejection import reject

if TYPE_CHECKING:
    from plantid_core.upload.policy import Policy


def read(path: Path, policy: Policy) -> Upload:
    """Return the file; raises `UploadRejected` for one that cannot be a photo by its size or kind.

    Raises `PlantIDError` where it cannot be read.
    """
    try:
        require_there(path)
        if not path.is_file():
            raise reject(
                "not_a_file", detected="a directory" if path.is_dir() else "a special file"
            )
        require_size(path.stat().st_size, policy)
        with path.open("rb") as file:
            return Upload(file.read(policy.max_bytes + 1), path.name)
    except OSError as error:
        raise PlantIDError(f"{path}: {error.strerror}.") from error


def require_there(path: Path) -> None:
    """Raise `PlantIDError` where there is nothing of that name."""
    if not path.exists():
        raise PlantIDError(f"{path}: there is no such file.")


def named(path: Path, rejected: UploadRejected) -> UploadRejected:
    """Return the refusal with the file's name before its sentence."""
    return UploadRejected(
        rejected.code,
        f"{path.name or path}: {rejected}",
        layer=rejected.layer,
        limit=rejected.limit,
        value=rejected.value,
        detected=rejected.detected,
        transient=rejected.transient,
    )


def write_atomically(path: Path, data: bytes) -> None:
    """Write the file, whole or not at all; raises `PlantIDError` where that cannot be done."""
    try:
        handle, name = tempfile.mkstemp(prefix=".plantid-", dir=path.parent or Path())
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.chmod(0o644)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise PlantIDError(f"{path} could not be written: {error.strerror}.") from error
