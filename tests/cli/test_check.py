"""``plantid check``, as a person and as a script runs it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

PLANTID = Path(sys.executable).parent / "plantid"
RUN = Path(__file__).parents[2] / "docs" / "recipe" / "run"
BAD = {
    "PLANTID_ENVIRONMENT": "production",
    "PLANTID_SECRET_KEY": "changeme",
    "PLANTID_SECRET_KEY_FALLBACKS": "changeme",
    "PLANTID_ALLOWED_HOSTS": "*",
    "PLANTID_ALLOW_SANDBOX": "1",
    "PLANTID_PUBLIC_URL": "http://plants.example.org",
    "PLANTID_HTTPS_REDIRECT": "0",
    "PLANTID_HSTS_SECONDS": "0",
    "PLANTID_HSTS_PRELOAD": "1",
    "PLANTID_HOST": "0.0.0.0",  # noqa: S104 - that is what is found
    "PLANTID_METRICS_TOKEN": "hush-hush",
    "PLANTID_REDIS_URL": "redis://10.0.0.5:6379/0",
    "PLANTID_DATABASE_URL": "postgresql://app:hush-hush@10.0.0.6/plants",
    "PLANTID_THROTTLE_USER": "off",
    "PLANTID_THROTTLE_EXEMPT": "0.0.0.0/0",
    "PLANTID_LOG_LEVEL": "debug",
    "PLANTID_REQUEST_DEADLINE_S": "soon",
    "PLANTID_PLANT_ID_API_KEY_FILE": "/nowhere",
}


def run(*words: str, more: Mapping[str, str], cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PLANTID, "check", *words],
        env={**os.environ, "PLANTID_DATA_DIR": str(cwd / "data"), **more},
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def found(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return list(json.loads(done.stdout)["findings"])


def test_a_bad_environment_has_many_findings_and_tells_no_secret(tmp_path: Path) -> None:
    """Also one that the app would not start with: all at once, exit 5."""
    done = run("--deploy", "--json", more=BAD, cwd=tmp_path)

    findings = found(done)
    assert done.returncode == 5
    assert len({one["id"] for one in findings}) == len(findings) >= 20
    assert {"setting.request_deadline_s", "file.plant_id_api_key", "hosts.any"} <= {
        one["id"] for one in findings
    }
    assert all(set(one) == {"id", "severity", "message", "hint"} for one in findings)
    assert "hush" not in done.stdout + done.stderr


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs Debian's package openssl")
def test_the_recipes_settings_have_no_finding(tmp_path: Path) -> None:
    """As `docs/recipe/run --prepare` writes them, once the keys are in their files."""
    made = subprocess.run(
        [RUN, "--prepare", tmp_path], capture_output=True, text=True, timeout=60, check=False
    )
    if made.returncode == 2:
        pytest.skip(made.stderr)
    for name in ("plant_id_api_key", "plantnet_api_key", "oidc_client_secret"):
        key = tmp_path / "secrets" / name
        key.write_text("0123456789abcdef" * 3)
        key.chmod(0o600)
    lines = (tmp_path / "production.env").read_text().splitlines()
    settings = dict(line.split("=", 1) for line in lines if line.startswith("PLANTID_"))

    done = run("--deploy", "--json", more=settings, cwd=tmp_path)

    assert found(done) == []
    assert done.returncode == 0


def test_without_deploy_the_defaults_are_well(tmp_path: Path) -> None:
    """A fresh checkout has nothing amiss; it says so in a sentence."""
    done = run(more={}, cwd=tmp_path)

    assert (done.returncode, done.stdout) == (0, "Nothing is amiss.\n")
