"""The load on the API: what is posted, and that both sides of the comparison are what they say."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx
import pytest

from plantid_core.bench import bare, load
from plantid_core.bench.wrk import Wrk
from plantid_core.errors import PlantIDError
from plantid_core.settings import load_settings
from plantid_core.upload.chain import admit

if TYPE_CHECKING:
    from pathlib import Path


def test_the_photo_weighs_what_is_said_and_is_a_photo() -> None:
    """Within some hundredths, and it passes the upload's gates."""
    photo = load.photo_of(60_000)

    assert abs(len(photo) - 60_000) < 2000
    assert admit(photo, "flower.jpg", isolate=False).source_format == "JPEG"


def test_the_bare_route_reads_the_form_and_returns_the_bytes() -> None:
    """The same form as the app's."""
    headers = {"Content-Type": "multipart/form-data; boundary=plantid-load"}

    async def post() -> httpx.Response:
        transport = httpx.ASGITransport(bare.application(b'{"id": 1}'))
        async with httpx.AsyncClient(transport=transport, base_url="http://bare") as client:
            return await client.post(
                bare.PATH, content=load.form_of(b"\xff\xd8\xff"), headers=headers
            )

    answer = asyncio.run(post())

    assert (answer.status_code, answer.content) == (200, b'{"id": 1}')


def test_the_app_s_settings_are_production_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what a machine without HTTPS in front cannot have is left out."""
    for name, value in load.settings_of(tmp_path, 8765).items():
        monkeypatch.setenv(name, value)

    settings = load_settings()

    assert (settings.production, settings.port, settings.data_dir) == (True, 8765, tmp_path)
    assert not settings.redirects_to_https


def test_without_wrk_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is started."""
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(PlantIDError, match="apt install wrk"):
        Wrk(tmp_path, b"body", {})


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_every_answer_of_the_app_is_kept() -> None:
    """A short round of the real app: no errors, a row an answer. How fast it is, is no test's affair."""
    report = load.run(lambda _: None, seconds=2, rounds=1)

    held = {ratio.name: ratio.holds for ratio in report.ratios}
    assert held["errors of the app"]
    assert held["answered and not kept"]
    assert report.median("cached, 200 KB", "app", "answered") > 0
    assert report.median("cached, 200 KB", "bare route", "refused") == 0
