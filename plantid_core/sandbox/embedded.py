"""The embedded sandbox: one a data directory, shared and ended by the same rules as the store."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import requests

from plantid_core.supervise import Attachment, ServerSpec, attach

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

_READY_FILE = "address.json"
_READY_S = 60.0


@dataclass(frozen=True, slots=True)
class EmbeddedSandbox:
    """A hold on the data directory's sandbox, both services at ``url``."""

    url: str
    _attachment: Attachment

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go; the sandbox ends with its last user."""
        self._attachment.close()


def open_sandbox(data_dir: Path) -> EmbeddedSandbox:
    """Return a hold on the directory's sandbox, found or started and ready.

    A sandbox that is restarted takes its old port again. Raises `PlantIDError`.
    """
    directory = data_dir / "sandbox"
    ready_file = directory / _READY_FILE
    command = (
        sys.executable,
        "-m",
        "plantid_core.sandbox",
        "--ready-file",
        _READY_FILE,
        "--cache-dir",
        str(data_dir),
    )
    spec = ServerSpec("sandbox", directory, command, lambda: _answers(ready_file), ready_s=_READY_S)
    attachment = attach(spec)
    return EmbeddedSandbox(_url(ready_file), attachment)


def _url(ready_file: Path) -> str:
    return str(json.loads(ready_file.read_text())["url"])


def _answers(ready_file: Path) -> bool:
    session = requests.Session()
    session.trust_env = False
    try:
        with session.get(f"{_url(ready_file)}/_stats", timeout=1.0) as response:
            return response.ok
    except (OSError, ValueError, KeyError):  # requests' errors are OSErrors
        return False
    finally:
        session.close()
