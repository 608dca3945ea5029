"""Pictures and places that many tests share."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import requests
import structlog
from hypothesis import HealthCheck, settings
from PIL import Image
from processes import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from plantid_core import Workbench

pytest_plugins = ["databases", "planted"]

# How long an example takes is the machine's affair, and no property of the code.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the browser last: while it is driven, its library has this thread's event loop."""
    items.sort(key=lambda item: item.path.parent.name == "browser")


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """Let no test that listens to the log leave it set up: the next one would tell on stdout."""
    was = structlog.is_configured()
    yield
    if not was:
        structlog.reset_defaults()


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no variable of the machine decide a test."""
    for name in [name for name in os.environ if name.startswith("PLANTID_")]:
        if name != "PLANTID_SCREENSHOTS":
            monkeypatch.delenv(name)


@pytest.fixture
def quadrants() -> Callable[..., bytes]:
    """Return an encoder of a 320 x 240 picture: red, green / blue, white."""

    def encode(format_name: str = "JPEG", mode: str = "RGB", **options: object) -> bytes:
        pixels = np.zeros((240, 320, 3), np.uint8)
        pixels[:120, :160] = (255, 0, 0)
        pixels[:120, 160:] = (0, 255, 0)
        pixels[120:, :160] = (0, 0, 255)
        pixels[120:, 160:] = (255, 255, 255)
        buffer = io.BytesIO()
        Image.fromarray(pixels).convert(mode).save(buffer, format_name, **options)
        return buffer.getvalue()

    return encode


@pytest.fixture(scope="session")
def model_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which the image models are built once for all tests."""
    folder = tmp_path_factory.mktemp("cache")
    (folder / "models").mkdir()
    return folder


@pytest.fixture(scope="session")
def flower() -> bytes:
    """Return a real photo of a flower, shipped by scikit-learn."""
    from plantid_core.workbench import sample_photo

    return sample_photo().data


@dataclass(frozen=True)
class SandboxServer:
    """A running sandbox."""

    url: str

    def faults(self, **faults: object) -> None:
        requests.post(f"{self.url}/_faults", json=faults, timeout=10).raise_for_status()

    def calls(self, service: str, route: str) -> dict[str, int]:
        return dict(self._stats().get(service, {}).get(route, {}))

    def in_flight(self) -> int:
        """Return how many calls somebody waits for."""
        return sum(self._stats()["in_flight"].values())

    def settle(self) -> None:
        """Wait until every call has been counted, also those whose client has left."""
        assert until(lambda: not self._busy(), 60)

    def _busy(self) -> bool:
        stats = self._stats()
        return any(sum(stats[kind].values()) for kind in ("in_flight", "abandoned"))

    def mend(self) -> None:
        for service in ("plant_id", "plantnet"):
            self.faults(service=service)

    def clear(self) -> None:
        self.mend()
        requests.delete(f"{self.url}/_stats", timeout=10).raise_for_status()

    def _stats(self) -> dict[str, Any]:
        found: dict[str, Any] = requests.get(f"{self.url}/_stats", timeout=10).json()
        return found


@pytest.fixture(scope="session")
def running_sandbox(model_cache: Path) -> Iterator[SandboxServer]:
    """Run ``python -m plantid_core.sandbox`` for the whole session."""
    command = [sys.executable, "-m", "plantid_core.sandbox", "--seed", "7", "--quota", "100000"]
    with subprocess.Popen(
        [*command, "--cache-dir", str(model_cache)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield SandboxServer(json.loads(process.stdout.readline())["url"])
        process.send_signal(signal.SIGTERM)


@pytest.fixture
def sandbox(running_sandbox: SandboxServer) -> Iterator[SandboxServer]:
    """Give the session's sandbox with no faults and no calls counted, and leave it well."""
    running_sandbox.clear()
    yield running_sandbox
    running_sandbox.mend()


@pytest.fixture
def workbench(tmp_path: Path, model_cache: Path, sandbox: SandboxServer) -> Iterator[Workbench]:
    """Open a workbench on a store of its own and the session's sandbox."""
    from plantid_core import open_workbench
    from plantid_core.settings import load_settings

    (tmp_path / "models").symlink_to(model_cache / "models")
    settings = load_settings(data_dir=tmp_path, sandbox_url=sandbox.url)
    with open_workbench(settings) as opened:
        yield opened


@pytest.fixture(scope="session")
def app_url(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Iterator[str]:
    """Run ``plantid serve`` on a free port, and end it with SIGINT."""
    data_dir = tmp_path_factory.mktemp("app")
    (data_dir / "models").symlink_to(model_cache / "models")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    import planted

    own = {"PLANTID_DATA_DIR": str(data_dir), "PLANTID_PORT": str(port)}
    environment = {**os.environ, **planted.SETTINGS, **own}
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen(
        [Path(sys.executable).parent / "plantid", "serve"], env=environment
    ) as process:
        _wait(url)
        yield url
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0


def _wait(url: str) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        try:
            if requests.get(f"{url}/healthz", timeout=1).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.1)
    raise TimeoutError("the app did not start")
