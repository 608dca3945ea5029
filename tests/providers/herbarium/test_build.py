"""From a folder of photos to a herbarium: refused, kept, renamed, ended in the middle."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from herbaria import FLOWER, TEMPLE, copies, labelled
from processes import until

from plantid_core.compare.names.reconcile import shipped
from plantid_core.compare.specimens import specimens
from plantid_core.errors import HerbariumUnusable
from plantid_core.providers.herbarium import file
from plantid_core.providers.herbarium.build import build
from plantid_core.providers.herbarium.place import folder
from plantid_core.upload import admit

if TYPE_CHECKING:
    from pathlib import Path

    from plantid_core.providers.herbarium.specimen import Built, Progress


@pytest.fixture
def data_dir(tmp_path: Path, model_cache: Path) -> Path:
    """Return a data directory whose image model is built."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "models").symlink_to(model_cache / "models")
    return tmp_path / "data"


def built(photos: Path, data_dir: Path) -> Built:
    found = build(specimens(photos, shipped()), data_dir)
    assert found is not None
    return found


def counts(found: Built) -> dict[str, int]:
    return {entry.taxon.scientific_name: entry.photos for entry in found.herbarium.entries}


def test_a_folder_becomes_a_herbarium(tmp_path: Path, data_dir: Path) -> None:
    """Both plants, told apart when each photo is left out; it knows which photos it has seen."""
    photos = labelled(tmp_path / "photos")
    told: list[Progress] = []

    found = build(specimens(photos, shipped()), data_dir, tell=told.append)

    assert found is not None
    assert counts(found) == {FLOWER: 4, TEMPLE: 3}
    assert (found.embedded, found.reused, found.refused) == (7, 0, ())
    assert found.herbarium.figures.top1 == 1.0
    assert [progress.done for progress in told] == list(range(1, 8))
    kept = file.load(data_dir)
    assert kept.about() == found.herbarium.about()
    member = admit((photos / FLOWER / "0.jpg").read_bytes(), "0.jpg")
    assert kept.seen(member.sha256)


def test_only_what_is_new_is_looked_at(tmp_path: Path, data_dir: Path) -> None:
    """A photo is added, one goes, and a folder has another name: one look is taken."""
    photos = labelled(tmp_path / "photos")
    built(photos, data_dir)
    (photos / FLOWER / "new.jpg").write_bytes(copies(1, 1, seed=9)[0])
    (photos / FLOWER / "0.jpg").unlink()
    (photos / TEMPLE).rename(photos / "Prunus persica")

    found = built(photos, data_dir)

    assert (found.embedded, found.reused) == (1, 6)
    assert counts(found) == {FLOWER: 4, "Prunus persica": 3}


def test_what_is_refused_is_listed_and_the_rest_goes_on(tmp_path: Path, data_dir: Path) -> None:
    """A disguise, a picture twice, and a picture under two names."""
    photos = labelled(tmp_path / "photos", flowers=2, temples=2)
    (photos / FLOWER / "page.jpg").write_bytes(b"<html>no photo</html>")
    (photos / FLOWER / "again.jpg").write_bytes((photos / FLOWER / "0.jpg").read_bytes())
    (photos / TEMPLE / "flower.jpg").write_bytes((photos / FLOWER / "1.jpg").read_bytes())

    found = built(photos, data_dir)

    assert counts(found) == {FLOWER: 2, TEMPLE: 2}
    assert {one.file.split("/")[1]: one.code for one in found.refused} == {
        "again.jpg": "duplicate",
        "page.jpg": "type",
        "flower.jpg": "duplicate",
    }
    assert any("another name" in one.message for one in found.refused)


def test_a_picture_that_is_there_twice_is_looked_at_once(tmp_path: Path, data_dir: Path) -> None:
    """Also where its file differs in what is stripped, and is left out again by each build."""
    photos = labelled(tmp_path / "photos", flowers=2, temples=0)
    plain = (photos / FLOWER / "0.jpg").read_bytes()
    comment = b"\xff\xfe\x00\x07hello"
    (photos / FLOWER / "said.jpg").write_bytes(plain[:2] + comment + plain[2:])
    built(photos, data_dir)

    found = built(photos, data_dir)

    assert (found.embedded, found.reused) == (0, 2)
    assert [one.code for one in found.refused] == ["duplicate"]


def test_a_model_that_cannot_be_kept_is_one_sentence(tmp_path: Path) -> None:
    """A file stands where the models' folder should be."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "models").write_bytes(b"")

    with pytest.raises(HerbariumUnusable, match="image model") as caught:
        built(labelled(tmp_path / "photos", flowers=1, temples=0), tmp_path / "data")

    assert caught.value.reason == "disk"


def test_where_nothing_is_left_the_former_herbarium_stays(tmp_path: Path, data_dir: Path) -> None:
    """The error names the first file and its fault."""
    built(labelled(tmp_path / "photos", flowers=1, temples=1), data_dir)
    (tmp_path / "bad" / FLOWER).mkdir(parents=True)
    (tmp_path / "bad" / FLOWER / "a.jpg").write_bytes(b"GIF89a")

    with pytest.raises(HerbariumUnusable, match=r"a\.jpg") as caught:
        built(tmp_path / "bad", data_dir)

    assert caught.value.reason == "empty"
    assert file.load(data_dir).photos == 2


def test_a_stopped_build_is_gone_on_with(tmp_path: Path, data_dir: Path) -> None:
    """No herbarium yet; the next build looks only at the rest."""
    photos, stop = labelled(tmp_path / "photos"), threading.Event()

    def tell(progress: Progress) -> None:
        if progress.done == 2:
            stop.set()

    assert build(specimens(photos, shipped()), data_dir, tell=tell, stop=stop) is None
    assert not (folder(data_dir) / "herbarium.safetensors").exists()

    found = built(photos, data_dir)

    assert (found.embedded, found.reused) == (5, 2)


def test_a_killed_build_is_gone_on_with(tmp_path: Path, data_dir: Path) -> None:
    """SIGKILL in the middle costs what was under way, and nothing that was done."""
    photos = labelled(tmp_path / "photos", flowers=12, temples=12)
    environment = {**os.environ, "PLANTID_DATA_DIR": str(data_dir)}
    command = [
        sys.executable,
        "-m",
        "plantid_core.cli",
        "herbarium",
        "build",
        str(photos),
        "--json",
    ]
    kept = folder(data_dir) / "features.bin"
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        assert until(lambda: kept.is_file() and kept.stat().st_size > 4 * 5204, 30)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL

    done = subprocess.run(command, env=environment, capture_output=True, check=True, timeout=60)

    told = json.loads(done.stdout)
    assert told["reused"] >= 4
    assert told["embedded"] + told["reused"] == told["photos"] == 24


def test_copies_of_one_picture_are_left_out_together(tmp_path: Path, data_dir: Path) -> None:
    """With one source a plant there is nothing left to try it on, and the figures say so."""
    photos = labelled(tmp_path / "photos", flowers=3, temples=2)

    found = build(specimens(photos, shipped(), group_by="^[^/]+"), data_dir)

    assert found is not None
    figures = found.herbarium.figures
    assert (figures.left_out, figures.judged, figures.lone) == ("source", 0, 2)
    assert figures.top1 is None
