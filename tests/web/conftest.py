"""The app as Streamlit's own test runner runs it, on a data directory of its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from streamlit.testing.v1 import AppTest

from plantid_core.web import application

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import SandboxServer

SCRIPT = Path(__file__).parents[2] / "app.py"


@pytest.fixture
def data_dir(
    tmp_path: Path, model_cache: Path, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """Have the app use this empty folder and the session's sandbox; its workbench is closed after it."""
    (tmp_path / "models").symlink_to(model_cache / "models")
    monkeypatch.setenv("PLANTID_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("PLANTID_SANDBOX_URL", sandbox.url)
    yield tmp_path
    application.close_workbench()


@pytest.fixture
def page(data_dir: Path) -> AppTest:
    """Return the app, not yet run."""
    del data_dir
    return AppTest.from_file(str(SCRIPT), default_timeout=60)
