"""Many photos on a page: the job behind it, and the page as it opens."""

from __future__ import annotations

import csv
import io
import zipfile
from typing import TYPE_CHECKING

import pytest
import streamlit as st
from folders import crops
from processes import until
from streamlit.testing.v1 import AppTest

from plantid_core.errors import PlantIDError
from plantid_core.providers.herbarium import place
from plantid_core.web import batch_job
from plantid_core.web.batch_job import BatchBusy, BatchJob

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

    from plantid_core import Workbench
    from tests.conftest import SandboxServer

PHOTOS = 4


@pytest.fixture
def archive(tmp_path: Path, flower: bytes) -> list[tuple[str, BinaryIO]]:
    """Return a ZIP of four photos."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        for path in crops(flower, tmp_path / "photos", PHOTOS):
            file.write(path, f"meadow/{path.name}")
    return [("meadow.zip", packed)]


def finished(job: BatchJob) -> BatchJob:
    assert until(lambda: not job.running, 30)
    assert job.error == ""
    return job


def test_a_stopped_batch_is_found_again_by_the_same_photos(
    workbench: Workbench, sandbox: SandboxServer, archive: list[tuple[str, BinaryIO]]
) -> None:
    """What was answered is not asked again; when all is done, only the table is kept."""
    batch = batch_job.prepare(workbench, archive)
    assert (batch.estimate.photos, batch.estimate.credits) == (PHOTOS, 2 * PHOTOS)
    first = finished(BatchJob(workbench, batch, max_credits=4))
    assert first.done is not None
    assert first.done.stopped == "credits"

    again = batch_job.prepare(workbench, archive)
    assert again.estimate.credits == 2 * PHOTOS - 4
    finished(BatchJob(workbench, again, max_credits=None))

    with again.table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    names = {f"meadow/{number:03}.jpg" for number in range(PHOTOS)}
    assert {row["file"] for row in rows} == names
    assert {row["observation"] for row in rows} == {"answered"}
    assert sum(sandbox.calls("plantnet", "POST /v2/identify/all").values()) == PHOTOS
    assert not (again.place / "photos").exists()
    known = batch_job.prepare(workbench, archive)
    assert (known.estimate.credits, known.finished) == (0, True)
    assert not (known.place / "photos").exists()


def test_whoever_deletes_all_leaves_no_batch(
    workbench: Workbench, archive: list[tuple[str, BinaryIO]]
) -> None:
    """The photos as they were brought, with whatever their files tell, go with everything else."""
    batch = batch_job.prepare(workbench, archive)
    job = BatchJob(workbench, batch, max_credits=None)

    assert batch_job.forget_all(workbench) == 1

    assert not job.running
    assert not batch.place.exists()
    assert batch_job.latest(workbench) is None


def test_a_running_batch_is_found_again_and_no_other_begins(
    workbench: Workbench,
    sandbox: SandboxServer,
    archive: list[tuple[str, BinaryIO]],
    flower: bytes,
) -> None:
    """A page that is loaded again, or a second one, sees the same job."""
    for service in ("plant_id", "plantnet"):
        sandbox.faults(service=service, latency_ms={"p50": 500, "p99": 500})
    batch = batch_job.prepare(workbench, archive)
    other = batch_job.prepare(workbench, [("other.jpg", io.BytesIO(flower))])
    job = BatchJob(workbench, batch, max_credits=None)

    assert batch_job.prepare(workbench, archive) is batch
    assert batch_job.job_of(batch) is batch_job.latest(workbench) is job
    with pytest.raises(BatchBusy):
        BatchJob(workbench, other, max_credits=None)
    job.stop()
    finished(job)


def test_two_files_of_one_name_are_refused(workbench: Workbench, flower: bytes) -> None:
    """One of them would be lost; what was written of them until then does not stay."""
    with pytest.raises(PlantIDError, match=r"called a\.jpg"):
        batch_job.prepare(workbench, [("a.jpg", io.BytesIO(flower))] * 2)

    assert list(workbench.settings.data_dir.rglob("a.jpg")) == []


def test_another_service_makes_it_another_batch(
    workbench: Workbench, archive: list[tuple[str, BinaryIO]]
) -> None:
    """Whoever adds a service can ask again; what the others said stays where it is."""
    before = batch_job.prepare(workbench, archive)
    place.folder(workbench.settings.data_dir).mkdir()
    place.path(workbench.settings.data_dir).write_bytes(b"offered, sound or not")

    after = batch_job.prepare(workbench, archive)

    assert len(after.services) == len(before.services) + 1
    assert after.place != before.place
    assert before.place.exists()


def test_the_page_says_what_will_be_here(workbench: Workbench) -> None:
    """Nobody is asked before photos are brought."""
    page = AppTest.from_function(_page, default_timeout=30)
    page.session_state["bench"] = workbench
    page.run()

    assert not page.exception
    assert "table of all answers" in page.info[0].value
    most = page.file_uploader[0].proto.max_upload_size_mb
    assert 0 < most <= st.get_option("server.maxUploadSize")


def test_a_name_from_an_archive_is_no_markdown(workbench: Workbench) -> None:
    """A stranger's archive has the page fetch nothing."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("../![](https://evil.example/x.png).jpg", b"")
    page = AppTest.from_function(_page, default_timeout=30)
    page.session_state["bench"] = workbench
    page.run()

    page.file_uploader[0].set_value(("plants.zip", packed.getvalue(), "application/zip")).run()

    assert "leads out" in page.error[0].value
    assert "![](" not in page.error[0].value


def _page() -> None:
    import streamlit as st

    from plantid_core.web import batch_panel

    batch_panel.show(st.session_state["bench"])
