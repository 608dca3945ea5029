"""Labelled photos are put to the workbench's providers."""

from __future__ import annotations

import csv
import io
import threading
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from recomputed import Row, recomputed, spent, split, waited

from plantid_core.compare.calibration import Calibration
from plantid_core.compare.evaluate.labels import read
from plantid_core.compare.evaluate.measure import measure
from plantid_core.errors import PlantIDError, SandboxNotBotany
from plantid_core.evaluation import Evaluation, Progress, evaluate, tables
from plantid_core.evaluation.calibrate import calibrated
from plantid_core.evaluation.report import report
from plantid_core.plants import Taxon
from plantid_core.providers.herbarium.build import build
from plantid_core.providers.herbarium.specimen import Specimen

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import SandboxServer

    from plantid_core import Workbench
    from plantid_core.compare.evaluate.label import Labelled


def crops(flower: bytes, count: int) -> list[bytes]:
    """Return different cuts of the flower."""
    cut = []
    with Image.open(io.BytesIO(flower)) as whole:
        for number in range(count):
            buffer = io.BytesIO()
            whole.crop((0, 0, whole.width - 20 * number, whole.height)).save(buffer, "JPEG")
            cut.append(buffer.getvalue())
    return cut


@pytest.fixture
def folder(tmp_path: Path, flower: bytes) -> Path:
    """Return a labelled folder: three flowers, of which two are labelled wrong, a chair and a text."""
    root = tmp_path / "labelled"
    labels = ("Leucanthemum vulgare", "Zea mays", "Dahlia", "not a plant")
    for number, (label, jpeg) in enumerate(zip(labels, crops(flower, 4), strict=True)):
        (root / label).mkdir(parents=True)
        (root / label / f"{number}.jpg").write_bytes(jpeg)
    (root / "Zea mays" / "notes.jpg").write_text("no photo")
    return root


@pytest.fixture
def labelled(folder: Path, workbench: Workbench) -> tuple[Labelled, ...]:
    return read(folder, workbench.names)


def as_rows(made: Evaluation) -> list[Row]:
    return list(csv.DictReader(io.StringIO(tables.answers(made).to_csv(index=False))))


def require_recomputed(made: Evaluation) -> None:
    """Hold every figure against plain loops over the written answers."""
    rows = as_rows(made)
    for provider, figures in made.measured.providers.items():
        expected = recomputed(rows, provider)
        if provider != "consensus":
            expected |= {
                "credits_per_photo": spent(rows, provider),
                "latency_ms": waited(rows, provider),
            }
        for metric, value in expected.items():
            assert figures[metric].value == pytest.approx(value, abs=1e-9), (provider, metric)
    for pair in made.measured.pairs:
        found = {
            "difference": pair.difference.value, "only_a": pair.mcnemar.only_a,
            "only_b": pair.mcnemar.only_b, "p": pair.mcnemar.p,
        }  # fmt: skip
        assert found == pytest.approx(dict(split(rows, pair.a, pair.b)), abs=1e-9)


def test_the_sandbox_is_not_even_asked(
    workbench: Workbench, sandbox: SandboxServer, labelled: tuple[Labelled, ...]
) -> None:
    """Without being asked for, its answers are in nothing: no figure, no joint ranking, no table."""
    made = evaluate(workbench, labelled, resamples=50)

    assert list(made.measured.providers) == ["offline", "consensus"]
    assert made.sandbox == ()
    assert not any(row["sandbox"] == "True" for row in as_rows(made))
    assert any("not asked" in note for note in made.notes)
    assert sandbox.calls("plantnet", "identify") == sandbox.calls("plant_id", "identify") == {}


def test_a_refused_photo_is_told_of_and_the_rest_goes_on(
    workbench: Workbench, labelled: tuple[Labelled, ...]
) -> None:
    """With the sandbox asked for, all are measured, and marked; each photo is asked once."""
    seen: list[Progress] = []

    made = evaluate(workbench, labelled, include_sandbox=True, tell=seen.append, resamples=50)

    assert list(made.measured.providers) == ["plant_id", "plantnet", "offline", "consensus"]
    assert made.sandbox == ("plant_id", "plantnet", "consensus")
    assert [one.file for one in made.refused] == ["Zea mays/notes.jpg"]
    assert made.measured.n == 4
    assert (seen[-1].done, seen[-1].total, seen[-1].left_s) == (5, 5, 0)
    assert [one.photo.file for one in made.heard] == [
        one.file for one in labelled if "notes" not in one.file
    ]
    require_recomputed(made)


def test_only_the_sandbox_is_no_evaluation(
    workbench: Workbench, labelled: tuple[Labelled, ...]
) -> None:
    """Who would be answered by it is named."""
    with pytest.raises(SandboxNotBotany) as refused:
        evaluate(workbench, labelled, providers=["plantnet"])

    assert refused.value.providers == ("plantnet",)


def test_an_unknown_provider_is_named(workbench: Workbench, labelled: tuple[Labelled, ...]) -> None:
    """With those that there are."""
    with pytest.raises(PlantIDError, match="no provider called 'oracle'"):
        evaluate(workbench, labelled, providers=["oracle"])


def test_a_herbarium_is_not_flattered_by_its_own_photos(
    workbench: Workbench, labelled: tuple[Labelled, ...]
) -> None:
    """What it was built from is no evidence of it, not even through the joint ranking."""
    plants = [one for one in labelled if one.truth and "notes" not in one.file]
    specimens = [Specimen(one.file, one.path, Taxon(one.label)) for one in plants[:2]]
    build(specimens, workbench.settings.data_dir)

    made = evaluate(workbench, labelled, providers=["herbarium", "offline"], resamples=50)

    asked = {one.photo.file for one in made.judgements if one.provider == "herbarium"}
    own = {specimen.file for specimen in specimens}
    assert asked == {one.photo.file for one in made.heard} - own
    assert made.measured.providers["herbarium"]["answered"].n == 2
    assert made.measured.providers["offline"]["answered"].n == 4
    for one in made.heard:
        voices = {name for entry in one.joint.suggestions for name in entry.providers}
        assert one.photo.file not in own or "herbarium" not in voices
    assert any("2 photos of these went into the local herbarium" in note for note in made.notes)


def test_a_service_that_is_down_is_reported_and_not_wrong(
    workbench: Workbench, sandbox: SandboxServer, labelled: tuple[Labelled, ...]
) -> None:
    """Its photos are not answered, and none counts as a wrong name."""
    sandbox.faults(service="plantnet", errors=[{"status": 500, "rate": 1.0}])

    made = evaluate(
        workbench, labelled, include_sandbox=True, providers=["plantnet", "offline"], resamples=50
    )

    figures = made.measured.providers["plantnet"]
    assert (figures["answered"].value, figures["answered"].n) == (0, 4)
    assert (figures["top1"].value, figures["top1"].n) == (None, 0)
    assert any("Pl@ntNet did not answer" in note for note in made.notes)


def test_a_stopped_evaluation_is_of_what_was_answered(
    workbench: Workbench, labelled: tuple[Labelled, ...]
) -> None:
    """No photo is begun once it is told to stop."""
    stop = threading.Event()

    made = evaluate(
        workbench, labelled, concurrency=1, tell=lambda _: stop.set(), stop=stop, resamples=50
    )

    assert made.stopped
    assert made.measured.n + len(made.refused) == 1


def test_a_report_shows_what_was_confused(
    workbench: Workbench, labelled: tuple[Labelled, ...]
) -> None:
    """With the photo's own small picture."""
    made = evaluate(workbench, labelled, resamples=50)

    page = report(made, workbench)

    assert made.confusions["offline"]
    assert 'src="data:image/jpeg;base64,' in page


def test_too_few_photos_calibrate_nothing(
    workbench: Workbench, labelled: tuple[Labelled, ...]
) -> None:
    """What was known stays, and the reason is told."""
    made = evaluate(workbench, labelled, resamples=50)

    found, told = calibrated(made, Calibration())

    assert found == Calibration()
    assert [sentence.partition(":")[0] for sentence in told] == ["Offline model"]


def test_shared_photos_equal_their_recomputation(
    pytestconfig: pytest.Config, workbench: Workbench
) -> None:
    """Every figure of labelled photos beside the checkout, to 1e-9; intervals hold their values."""
    path: Path = pytestconfig.rootpath.parent / "shared" / "photos-dev" / "manifest.csv"
    if not path.is_file():
        pytest.skip("needs ../shared/photos-dev")

    some = read(path, workbench.names)[::2]

    made = evaluate(workbench, some, include_sandbox=True, resamples=200)

    require_recomputed(made)
    assert made.measured == measure(made.judgements, made.seed, 200)
    for figures in made.measured.providers.values():
        for metric in ("top1", "genus_top1", "rejection", "coverage"):
            figure = figures[metric]
            assert figure.value is not None
            assert 0 <= figure.low <= figure.value <= figure.high <= 1


def test_agreement_is_of_all_photos_whatever_their_labels(
    workbench: Workbench, labelled: tuple[Labelled, ...]
) -> None:
    """Each two providers at three levels, counted again over the written answers."""
    made = evaluate(workbench, labelled, include_sandbox=True, resamples=20)

    pairs = {(one.a, one.b, one.level): one for one in made.agreement}
    firsts: dict[str, dict[str, str]] = {}
    for row in as_rows(made):
        if row["rank"] == "1":
            firsts.setdefault(row["provider"], {})[row["file"]] = row["species"]
    one, other = firsts["plant_id"], firsts["plantnet"]
    both = [file for file in one if one[file] and other.get(file)]
    assert len(pairs) == 9
    found = pairs["plant_id", "plantnet", "species"]
    assert found.n == len(both) > 0
    assert found.first == sum(one[file] == other[file] for file in both) / len(both)
    assert "How far they agree" in report(made, workbench)
