"""No secret comes out: the watch over all tests, and an app that is driven to tell all it can."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import planted
import pytest
import requests
from collectors import Collector

from plantid_core.lab.attacks import ATTACKS

if TYPE_CHECKING:
    from conftest import SandboxServer

_TESTS = """
import logging, os
import planted

def test_prints(): print(planted.PLANT_ID_KEY.upper())
def test_starts_one_who_tells(): os.system(f"echo {planted.EMAIL} >&2")
def test_logs(): logging.getLogger("x").warning(planted.LATITUDE)
def test_is_silent(): print("nothing")
"""


@pytest.mark.parametrize("only", ["", "silent"])
def test_the_watch_fails_a_session_that_lets_one_out(tmp_path: Path, only: str) -> None:
    """Also where every test passes, in processes of their own; and it lets the others alone."""
    (tmp_path / "test_one.py").write_text(_TESTS)
    plugins = ["-p", "xdist", "-p", "planted"]

    done = subprocess.run(
        [sys.executable, "-m", "pytest", *plugins, "-n", "1", "-k", only, "test_one.py"],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(Path(planted.__file__).parent),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    found = [
        line.split("::")[1].split(":")[0] for line in done.stdout.splitlines() if " holds " in line
    ]
    expected = [] if only else ["test_prints", "test_starts_one_who_tells", "test_logs"]
    assert found == expected
    assert done.returncode == (0 if only else 1)
    assert " passed" in done.stdout


class Driven:
    """An app in a process of its own, which logs all it can; what it wrote is read at the end."""

    def __init__(self, directory: Path, sandbox: str, collector: str, model_cache: Path) -> None:
        (directory / "models").symlink_to(model_cache / "models")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        settings = {
            "DATA_DIR": str(directory),
            "PORT": str(port),
            "LOG_FORMAT": "json",
            "LOG_LEVEL": "debug",
            "PLANT_ID_API_KEY": planted.PLANT_ID_KEY,
            "PLANT_ID_URL": sandbox,
            "PLANTNET_API_KEY": planted.PLANTNET_KEY,
            "PLANTNET_URL": sandbox,
            # Nothing listens there, which is told with a reason.
            "REDIS_URL": f"redis://app:{planted.PASSWORD}@127.0.0.1:1/0",
            "ALERT_WEBHOOK": f"http://127.0.0.1:1/{planted.MARK}-hook",
            "BREAKER_FAIL_MAX": "2",
            "OTEL_ENDPOINT": collector,
        }
        self.process = subprocess.Popen(
            [Path(sys.executable).parent / "plantid", "serve"],
            env={
                **os.environ,
                **planted.SETTINGS,
                **{f"PLANTID_{name}": value for name, value in settings.items()},
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    @property
    def scraper(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {planted.SETTINGS['PLANTID_METRICS_TOKEN']}"}

    def wait(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                if requests.get(f"{self.url}/healthz", timeout=1).ok:
                    return
            except requests.ConnectionError:
                time.sleep(0.1)
        raise TimeoutError("the app did not start")

    def identify(self, data: bytes, name: str, **headers: str) -> requests.Response:
        return requests.post(
            f"{self.url}/api/v1/identify",
            files=[("images", (name, data))],
            data={"lat": planted.LATITUDE, "lon": planted.LONGITUDE},
            headers=headers,
            timeout=60,
        )

    def told(self) -> str:
        self.process.send_signal(signal.SIGINT)
        return self.process.communicate(timeout=30)[0]


def test_an_app_that_tells_all_it_can_tells_no_secret(
    tmp_path: Path, model_cache: Path, sandbox: SandboxServer, flower: bytes
) -> None:
    """Answers, refusals, failures of services and stores, wrong tokens: names, but no mark."""
    collector = Collector()
    app = Driven(tmp_path, sandbox.url, collector.url, model_cache)
    try:
        app.wait()
        answered = app.identify(flower, planted.FILE)
        for attack in ATTACKS[:6]:
            app.identify(attack.make(), f"{planted.MARK} {attack.filename}")
        app.identify(
            flower, planted.FILE, Authorization=f"Bearer plantid_{planted.MARK}_0123456789"
        )
        app.identify(flower, planted.FILE, Authorization=f"Basic {planted.MARK}")
        app.identify(flower, planted.FILE, Cookie=f"_streamlit_user={planted.MARK}")
        for service in ("plant_id", "plantnet"):
            sandbox.faults(service=service, errors=[{"rate": 1, "status": 500}])
        for number in range(4):
            # Other bytes behind the picture's end would be refused; another place is another question.
            requests.post(
                f"{app.url}/api/v1/identify",
                files=[("images", (planted.FILE, flower))],
                data={"lat": f"{number}", "lon": planted.LONGITUDE},
                timeout=60,
            )
        for path in ("api/v1/nothing", "api/v1/photos", "media", f"{planted.MARK}", "metrics"):
            requests.get(f"{app.url}/{path}/{planted.MARK}?name={planted.MARK}", timeout=10)
        figures = requests.get(f"{app.url}/metrics", headers=app.scraper, timeout=10).text
    finally:
        told = app.told()
        collector.close()

    assert answered.status_code == 200
    lines = [json.loads(line) for line in told.splitlines() if line.startswith("{")]
    events = {line["event"] for line in lines}
    assert {
        "api.answered", "provider.called", "upload.verdict", "breaker_open", "alarm_not_sent",
    } <= events  # fmt: skip
    assert {"POST", "validate", "plant_id", "provider.call"} <= {
        span.name for span in collector.spans
    }
    posts = {span.span_id for span in collector.spans if span.name == "POST"}
    calls = [span for span in collector.spans if span.name == "provider.call"]
    assert {span.parent_span_id for span in calls} <= posts
    assert 'method="POST",route="/api/v1/identify",status="200"' in figures
    assert 'plantid_provider_calls_total{outcome="http_5xx",provider="plant_id"}' in figures
    for text in (told, figures, str(collector.spans)):
        assert planted.found_in(text) == []
    called = {line["request_id"] for line in lines if line["event"] == "provider.called"}
    asked = {line["request_id"] for line in lines if line["event"] == "api.answered"}
    assert called <= asked
    assert answered.headers["x-request-id"] in called
