"""``plantid compare``: the answers side by side."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, NamedTuple

import pytest

from plantid_core import cli
from plantid_core.compare.calibration import BetaMap, Calibration

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import SandboxServer

    Compare = Callable[..., "Done"]


class Done(NamedTuple):
    """How a command ended, and what it printed."""

    code: int
    stdout: str
    stderr: str


@pytest.fixture
def compare(
    tmp_path: Path,
    model_cache: Path,
    sandbox: SandboxServer,
    flower: bytes,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Compare:
    """Return the command on a photo of a flower, in this process: to start another takes seconds."""
    (tmp_path / "flower.jpg").write_bytes(flower)
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    (data_dir / "models").symlink_to(model_cache / "models")
    monkeypatch.setenv("PLANTID_DATA_DIR", str(data_dir))
    monkeypatch.setenv("PLANTID_SANDBOX_URL", sandbox.url)

    def run(*arguments: str) -> Done:
        argv = ["plantid", "compare", str(tmp_path / "flower.jpg"), *arguments]
        monkeypatch.setattr(sys, "argv", argv)
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return Done(int(ended.value.code or 0), *capsys.readouterr())

    return run


def test_json_has_a_row_a_taxon(compare: Compare) -> None:
    """Every taxon has its rank and score by each provider that names it, and the mark is there."""
    done = compare("--json")

    told = json.loads(done.stdout)
    first = told["taxa"][0]
    assert done.code == 0
    assert {
        "id", "photos", "taxa", "agreement", "consensus", "sandbox", "rung"
    } <= set(told)  # fmt: skip
    assert first["scientific_name"] == "Leucanthemum vulgare"
    assert set(first) == {
        "scientific_name", "rank", "how", "species", "genus", "family", "providers"
    }  # fmt: skip
    assert set(first["providers"]) == {"plant_id", "plantnet", "offline"}
    assert set(first["providers"]["plantnet"]) == {"rank", "score", "given"}
    assert told["agreement"]["sentence"] == "All three name Leucanthemum vulgare first."
    assert told["consensus"]["suggestions"][0]["scientific_name"] == "Leucanthemum vulgare"
    assert told["sandbox"] is True


def test_scores_of_the_verdict_are_calibrated(compare: Compare, tmp_path: Path) -> None:
    """A map kept in the data directory weighs the joint score; a provider's own stays as it was."""
    level = BetaMap(a=0.0, b=0.0, c=0.0, photos=40)
    Calibration(sandbox={"plantnet": level}).save(tmp_path / "data")

    told = json.loads(compare("--provider", "plantnet", "--json").stdout)

    assert told["taxa"][0]["providers"]["plantnet"]["score"] > 0.6
    assert told["consensus"]["suggestions"][0]["score"] == 1 / len(told["taxa"])


def test_people_get_a_table_that_marks_the_sandbox(compare: Compare) -> None:
    """The sentence stands above a column a provider."""
    done = compare("--provider", "plantnet", "--provider", "offline")

    assert done.code == 0
    assert "Both name Leucanthemum vulgare first." in done.stdout
    assert done.stdout.partition("\n")[0].endswith("named by 2 of 2 · SANDBOX")
    assert done.stdout.count("SANDBOX") == 2  # the verdict and Pl@ntNet's column
    assert "1. " in done.stdout


def test_nobody_answering_exits_with_four(compare: Compare, sandbox: SandboxServer) -> None:
    """Where the only provider asked fails, there is JSON without a taxon, and the exit code says so."""
    sandbox.faults(service="plant_id", errors=[{"status": 500, "rate": 1.0}])

    done = compare("--provider", "plant_id", "--json")

    told = json.loads(done.stdout)
    assert (done.code, told["taxa"], told["rung"]) == (4, [], "none")
    assert told["agreement"]["sentence"] == "No service names a plant."


def test_half_a_place_is_a_mistake_in_usage(compare: Compare) -> None:
    """A latitude without a longitude stops the command before anything is asked."""
    done = compare("--lat", "48.2")

    assert done.code == 2
    assert "--lon" in done.stderr
