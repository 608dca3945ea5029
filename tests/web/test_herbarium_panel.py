"""The herbarium's panel, in each of its states."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

import pytest
from herbaria import copies, labelled
from processes import until
from streamlit.testing.v1 import AppTest

from plantid_core.access.principal import LOCAL
from plantid_core.desk import Desk
from plantid_core.providers.herbarium import place
from plantid_core.web import application
from plantid_core.web.herbarium_job import HerbariumJob

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = """
from plantid_core.web import herbarium_panel
from plantid_core.web.session import desk

herbarium_panel.show(desk())
"""


@pytest.fixture
def panel(data_dir: Path) -> AppTest:
    """Return the panel alone."""
    del data_dir
    return AppTest.from_string(SCRIPT, default_timeout=60)


def zipped(folder: Path) -> io.BytesIO:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        for path in folder.rglob("*.jpg"):
            made.write(path, path.relative_to(folder))
    return buffer


def job(archive: io.BytesIO) -> HerbariumJob:
    found = HerbariumJob(Desk(application.workbench(), LOCAL), archive, "plants.zip")
    assert until(lambda: not found.running, 30)
    return found


def test_from_nothing_to_a_herbarium(panel: AppTest, tmp_path: Path) -> None:
    """Empty, it says what it is and how it is built; built from a ZIP, how well it knows its plants."""
    empty = panel.run()
    assert "a herbarium of your own" in empty.info[0].value
    assert "plantid herbarium build" in empty.code[0].value
    photos = labelled(tmp_path / "photos", flowers=3, temples=2)
    (photos / "Dahlia pinnata" / "bad.jpg").write_bytes(b"no photo")

    built = job(zipped(photos))
    empty.session_state["herbarium_job"] = built
    shown = empty.run()

    assert [one.value for one in shown.metric][:3] == ["2", "5", "100 %"]
    assert "Built from 5 photos" in shown.success[0].value
    assert r"bad\.jpg" in shown.warning[0].value
    assert not shown.exception


def test_a_fault_is_a_sentence(panel: AppTest) -> None:
    """A damaged file and a build that failed are told of, and the page goes on without a path in it."""
    data_dir = application.workbench().settings.data_dir
    place.folder(data_dir).mkdir()
    place.path(data_dir).write_bytes(b"nothing")
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("123 456/a.jpg", copies(1, 1)[0])

    panel.session_state["herbarium_job"] = job(made)
    shown = panel.run()

    told = " ".join(error.value for error in shown.error)
    assert "It was not built" in told
    assert "no herbarium, or only a part of one" in told
    assert "/tmp" not in told
    assert not shown.exception
