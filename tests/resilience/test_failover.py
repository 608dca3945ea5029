"""A real failover under load; here, since the tests beside it have the machine to themselves too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from plantid_core.drill import run
from plantid_core.drill.rig import Rig

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def _data(tmp_path: Path, model_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models").symlink_to(model_cache / "models")
    monkeypatch.setenv("PLANTID_DATA_DIR", str(tmp_path))


@pytest.mark.usefixtures("_data")
@pytest.mark.slow
def test_a_primary_dies_under_load() -> None:
    """All are answered, both processes share the new primary, and the old one comes back under it."""
    with Rig() as rig:
        report = run("failover", lambda _: None, rig)

    assert report.passed, report.failures()
    assert report.figures["answered"] == report.figures["asked"]
    assert float(report.figures["degraded_beyond_failover_s"]) <= 5.0
