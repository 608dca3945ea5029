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

from plantid_core.access.principal import ANONYMOUS, LOCAL, Principal, owner_of
from plantid_core.desk import Desk
from plantid_core.errors import PermissionDenied, PlantIDError
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
def desk(workbench: Workbench) -> Desk:
    """Return the desk of the one person of this machine."""
    return Desk(workbench, LOCAL)


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
    desk: Desk, sandbox: SandboxServer, archive: list[tuple[str, BinaryIO]]
) -> None:
    """What was answered is not asked again; when all is done, only the table is kept."""
    batch = batch_job.prepare(desk, archive)
    assert (batch.estimate.photos, batch.estimate.credits) == (PHOTOS, 2 * PHOTOS)
    first = finished(BatchJob(desk, batch, max_credits=4))
    assert first.done is not None
    assert first.done.stopped == "credits"

    again = batch_job.prepare(desk, archive)
    assert again.estimate.credits == 2 * PHOTOS - 4
    finished(BatchJob(desk, again, max_credits=None))

    with again.table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    names = {f"meadow/{number:03}.jpg" for number in range(PHOTOS)}
    assert {row["file"] for row in rows} == names
    assert {row["observation"] for row in rows} == {"answered"}
    assert sum(sandbox.calls("plantnet", "POST /v2/identify/all").values()) == PHOTOS
    assert not (again.place / "photos").exists()
    known = batch_job.prepare(desk, archive)
    assert (known.estimate.credits, known.finished) == (0, True)
    assert not (known.place / "photos").exists()


def test_whoever_deletes_all_leaves_no_batch(
    desk: Desk, archive: list[tuple[str, BinaryIO]]
) -> None:
    """The photos as they were brought, with whatever their files tell, go with everything else."""
    batch = batch_job.prepare(desk, archive)
    job = BatchJob(desk, batch, max_credits=None)

    assert batch_job.forget_all(desk) == 1

    assert not job.running
    assert not batch.place.exists()
    assert batch_job.latest(desk) is None


def test_a_batch_is_its_owners_alone(
    workbench: Workbench, desk: Desk, archive: list[tuple[str, BinaryIO]]
) -> None:
    """The same photos, brought by two people, are two batches; neither sees or deletes the other's."""
    other = Desk(workbench, Principal("person", "user", owner_of("https://id.example", "ben")))
    mine, theirs = batch_job.prepare(desk, archive), batch_job.prepare(other, archive)
    job = finished(BatchJob(desk, mine, max_credits=0))

    assert mine.place != theirs.place
    assert batch_job.latest(desk) is job
    assert batch_job.latest(other) is None
    with pytest.raises(PermissionDenied):
        BatchJob(other, mine, max_credits=None)
    assert batch_job.forget_all(other) == 1
    assert mine.table.exists()
    assert not theirs.place.exists()


def test_whoever_has_not_signed_in_is_invited_to(workbench: Workbench) -> None:
    """There is no field for photos, and nothing is kept for nobody."""
    nobody = Desk(workbench, ANONYMOUS)
    page = AppTest.from_function(_page, default_timeout=30)
    page.session_state["desk"] = nobody
    page.run()

    assert "Sign in to identify many photos" in page.info[0].value
    assert not page.file_uploader
    assert batch_job.latest(nobody) is None


def test_a_running_batch_is_found_again_and_no_other_begins(
    desk: Desk,
    sandbox: SandboxServer,
    archive: list[tuple[str, BinaryIO]],
    flower: bytes,
) -> None:
    """A page that is loaded again, or a second one, sees the same job."""
    for service in ("plant_id", "plantnet"):
        sandbox.faults(service=service, latency_ms={"p50": 500, "p99": 500})
    batch = batch_job.prepare(desk, archive)
    other = batch_job.prepare(desk, [("other.jpg", io.BytesIO(flower))])
    job = BatchJob(desk, batch, max_credits=None)

    assert batch_job.prepare(desk, archive) is batch
    assert batch_job.job_of(batch) is batch_job.latest(desk) is job
    with pytest.raises(BatchBusy):
        BatchJob(desk, other, max_credits=None)
    job.stop()
    finished(job)


def test_a_batch_ends_with_its_owners_right_to_it(
    workbench: Workbench, sandbox: SandboxServer, tmp_path: Path, flower: bytes
) -> None:
    """Whoever is deactivated spends little more; what was answered is kept."""
    for service in ("plant_id", "plantnet"):
        sandbox.faults(service=service, latency_ms={"p50": 500, "p99": 500})
    people = workbench.access.people
    ben = people.register("https://id.example", "ben")
    desk = Desk(workbench, ben.principal)
    photos = [
        (path.name, io.BytesIO(path.read_bytes())) for path in crops(flower, tmp_path / "many", 20)
    ]
    job = BatchJob(desk, batch_job.prepare(desk, photos), max_credits=None)
    assert until(lambda: job.progress is not None, 30)

    people.deactivate(ben.id)
    finished(job)

    assert job.done is not None
    assert (job.done.stopped, job.done.counts.left > 0) == ("interrupted", True)


def test_two_files_of_one_name_are_refused(desk: Desk, flower: bytes) -> None:
    """One of them would be lost; what was written of them until then does not stay."""
    with pytest.raises(PlantIDError, match=r"called a\.jpg"):
        batch_job.prepare(desk, [("a.jpg", io.BytesIO(flower))] * 2)

    assert list(desk.settings.data_dir.rglob("a.jpg")) == []


def test_another_service_makes_it_another_batch(
    desk: Desk, archive: list[tuple[str, BinaryIO]]
) -> None:
    """Whoever adds a service can ask again; what the others said stays where it is."""
    before = batch_job.prepare(desk, archive)
    place.folder(desk.settings.data_dir).mkdir()
    place.path(desk.settings.data_dir).write_bytes(b"offered, sound or not")

    after = batch_job.prepare(desk, archive)

    assert len(after.services) == len(before.services) + 1
    assert after.place != before.place
    assert before.place.exists()


def test_the_page_says_what_will_be_here(desk: Desk) -> None:
    """Nobody is asked before photos are brought."""
    page = AppTest.from_function(_page, default_timeout=30)
    page.session_state["desk"] = desk
    page.run()

    assert not page.exception
    assert "table of all answers" in page.info[0].value
    most = page.file_uploader[0].proto.max_upload_size_mb
    assert 0 < most <= st.get_option("server.maxUploadSize")


def test_a_name_from_an_archive_is_no_markdown(desk: Desk) -> None:
    """A stranger's archive has the page fetch nothing."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("../![](https://evil.example/x.png).jpg", b"")
    page = AppTest.from_function(_page, default_timeout=30)
    page.session_state["desk"] = desk
    page.run()

    page.file_uploader[0].set_value(("plants.zip", packed.getvalue(), "application/zip")).run()

    assert "leads out" in page.error[0].value
    assert "![](" not in page.error[0].value


def _page() -> None:
    import streamlit as st

    from plantid_core.web import batch_panel

    batch_panel.show(st.session_state["desk"])
