"""Drills for real, as processes: what they print, how they end, and what they leave behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from processes import until

from plantid_core.drill import NAMES, run
from plantid_core.drill.rig import Rig
from plantid_core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PLANTID = Path(sys.executable).parent / "plantid"


@pytest.fixture
def environment(tmp_path: Path, model_cache: Path) -> Iterator[dict[str, str]]:
    """Give an environment whose data directory has the models, and whose temporary one is ours."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "models").symlink_to(model_cache / "models")
    # Not below the test's own folder, whose path is too long for a unix socket.
    with tempfile.TemporaryDirectory(prefix="t", dir="/tmp") as temporary:
        yield {**os.environ, "PLANTID_DATA_DIR": str(data), "TMPDIR": temporary}


def drill(
    environment: Mapping[str, str], *arguments: str, timeout_s: float = 60
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PLANTID, "drill", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def left_behind(environment: Mapping[str, str]) -> list[str]:
    """Return the folders that are left, and the processes that still work in one."""
    temporary = environment["TMPDIR"]
    found = [path.name for path in Path(temporary).glob("drill-*")]
    for process in psutil.process_iter(["cwd", "cmdline"]):
        words = " ".join(process.info["cmdline"] or ())
        if temporary in (process.info["cwd"] or "") or temporary in words:
            found.append(words)
    return found


@pytest.mark.parametrize(
    "name",
    [
        "leader-killed",
        pytest.param("stampede", marks=pytest.mark.slow),
        pytest.param("quota-exhausted", marks=pytest.mark.slow),
    ],
)
def test_a_drill_prints_json_and_nothing_else(name: str, environment: dict[str, str]) -> None:
    """Figures, a timeline in order, exit 0; nothing of it is left."""
    done = drill(environment, name, "--json")

    found = json.loads(done.stdout)
    assert (done.returncode, found["passed"]) == (0, True), done.stderr
    assert set(found) == {"drill", "passed", "figures", "timeline"}
    assert found["drill"] == name
    assert found["figures"]
    times = [entry["t_s"] for entry in found["timeline"]]
    assert times == sorted(times)
    assert {tuple(entry) for entry in found["timeline"]} == {("t_s", "who", "event", "detail")}
    assert "check holds" in done.stderr
    assert left_behind(environment) == []


def test_a_drill_can_fail(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """With the breaker out of reach, a service that answers nonsense is asked again and again."""
    monkeypatch.setenv("PLANTID_DATA_DIR", environment["PLANTID_DATA_DIR"])
    out_of_reach = {"breaker_fail_max": 1_000_000, "breaker_minimum_calls": 1_000_000}

    with Rig(weakened=out_of_reach) as rig:
        report = run("malformed", lambda _: None, rig)

    assert not report.passed
    assert any("plant_id_calls" in reason for reason in report.failures())


def test_a_drill_that_failed_ends_with_5(environment: dict[str, str]) -> None:
    """The table says which, and why."""
    script = (
        "from plantid_core import drill\n"
        "from plantid_core.cli import main\n"
        "drill._PLACES['stampede'] = 'crowds.nowhere'\n"
        "import plantid_core.drill.crowds as crowds\n"
        "crowds.nowhere = lambda scene: scene.checks.equal('answered', 999, 1000)\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "drill", "stampede"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 5
    assert "answered 999" in done.stdout
    assert "NO" in done.stdout


@pytest.mark.parametrize(
    "name", ["PLANT_ID_API_KEY", "PLANTNET_API_KEY", "PLANTNET_API_KEY_FILE", "REDIS_URL"]
)
def test_real_keys_and_a_foreign_redis_are_refused(
    name: str, environment: dict[str, str], tmp_path: Path
) -> None:
    """Exit 2, and a sentence that says why; nothing is started."""
    (tmp_path / "key").write_text("secret-key")
    value = "redis://localhost:6379" if name == "REDIS_URL" else "secret-key"
    if name.endswith("_FILE"):
        value = str(tmp_path / "key")

    done = drill({**environment, f"PLANTID_{name}": value}, "stampede", "--json")

    assert (done.returncode, done.stdout) == (2, "")
    assert name.removesuffix("_FILE") in done.stderr
    assert "drills break services" in done.stderr
    assert "secret-key" not in done.stderr
    assert left_behind(environment) == []


def test_a_page_is_refused_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs a drill."""
    monkeypatch.setenv("PLANTID_PLANTNET_API_KEY", "secret-key")

    with pytest.raises(ConfigurationError, match="PLANTID_PLANTNET_API_KEY"):
        run("stampede", lambda _: None)


def test_unknown_drill_is_a_usage_error(environment: dict[str, str]) -> None:
    """The names that there are, are told."""
    done = drill(environment, "nope")

    assert done.returncode == 2
    assert "stampede" in done.stderr


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_however_it_ends(end: signal.Signals, environment: dict[str, str]) -> None:
    """Folder, sandbox, store and clients go with the drill's own process."""
    with subprocess.Popen(
        [PLANTID, "drill", "redis-down"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert until(lambda: len(left_behind(environment)) > 4, 20)
        time.sleep(0.5)
        process.send_signal(end)
        process.wait(20)

    assert until(lambda: not left_behind(environment), 10), left_behind(environment)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_all_drills_pass(environment: dict[str, str]) -> None:
    """In one run, within five minutes."""
    done = drill(environment, "all", "--json", timeout_s=300)

    found = json.loads(done.stdout)
    assert [report["drill"] for report in found] == list(NAMES)
    failed = {r["drill"]: r["timeline"] for r in found if not r["passed"]}
    assert not failed
    assert done.returncode == 0
