"""The API where everybody is the local person, and where one needs a token."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rest import PRODUCTION, Rest, served

from plantid_core import open_workbench
from plantid_core.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import SandboxServer


@pytest.fixture(scope="session")
def development(
    tmp_path_factory: pytest.TempPathFactory, model_cache: Path, running_sandbox: SandboxServer
) -> Iterator[Rest]:
    """Serve the API in development."""
    yield from _serve(tmp_path_factory.mktemp("api"), model_cache, running_sandbox)


@pytest.fixture(scope="session")
def production(
    tmp_path_factory: pytest.TempPathFactory, model_cache: Path, running_sandbox: SandboxServer
) -> Iterator[Rest]:
    """Serve the API in production."""
    yield from _serve(tmp_path_factory.mktemp("api"), model_cache, running_sandbox, **PRODUCTION)


def _serve(
    folder: Path, model_cache: Path, sandbox: SandboxServer, **more: object
) -> Iterator[Rest]:
    (folder / "models").symlink_to(model_cache / "models")
    settings = load_settings(data_dir=folder, sandbox_url=sandbox.url, **more)
    with open_workbench(settings) as workbench, served(workbench) as rest:
        yield rest
