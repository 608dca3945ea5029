"""Many minutes of everything, cut short."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from plantid_core.drill import LONG, NAMES, run
from plantid_core.drill.rig import Rig

if TYPE_CHECKING:
    from pathlib import Path


def test_it_is_no_part_of_all() -> None:
    """Whoever runs all drills does not wait for it."""
    assert "soak" in LONG
    assert not set(LONG) & set(NAMES)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_minute_of_everything(
    tmp_path: Path, model_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages, callers, hostile files and four troubles: nobody is left without an answer, or his own."""
    (tmp_path / "models").symlink_to(model_cache / "models")
    monkeypatch.setenv("PLANTID_DATA_DIR", str(tmp_path))
    with Rig() as rig:
        report = run("soak", lambda _: None, rig, minutes=1)

    assert report.passed, report.failures()
    assert report.figures["lost"] == 0
    assert int(report.figures["requests"]) > 200
