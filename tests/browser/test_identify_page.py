"""The main job in a real browser: drop a photo, read the species."""

from __future__ import annotations

import csv
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect
from processes import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Browser, Page

    Photograph = Callable[[Page, str, str, int], None]

pytestmark = pytest.mark.browser

_OVERFLOWING = """[...document.querySelectorAll('.pid-name')]
    .filter(line => line.scrollWidth > line.clientWidth).map(line => line.innerText)"""


def identify(page: Page, app_url: str, photo: Path) -> None:
    page.goto(app_url)
    page.get_by_role("heading", name="Identify a plant").wait_for(timeout=60_000)
    page.locator("input[type=file]").set_input_files(photo)
    page.get_by_alt_text("Photo 1 of your plant").wait_for(timeout=30_000)
    page.get_by_role("button", name="Identify", exact=True).click()
    page.locator(".pid-verdict").wait_for(timeout=60_000)
    expect(page.locator("[data-stale=true]")).to_have_count(0)


def test_a_dropped_photo_is_named(
    browser: Browser, app_url: str, flower: bytes, tmp_path: Path, photograph: Photograph
) -> None:
    """A photo dropped on the page is named by three sources, without a traceback.

    At both widths and in both schemes nothing of the answer runs over the page's side.
    """
    photo = tmp_path / "flower.jpg"
    photo.write_bytes(flower)
    page = browser.new_page(viewport={"width": 1280, "height": 1150})

    identify(page, app_url, photo)

    expect(page.locator(".pid-verdict")).to_contain_text("Leucanthemum vulgare")
    titles = page.locator(".pid-title")
    expect(titles).to_contain_text(["Plant.id", "Pl@ntNet", "Offline model"])
    expect(titles.locator(".pid-mark", has_text="SANDBOX")).to_have_count(2)
    assert "Traceback" not in page.content()
    for scheme, width in product(("light", "dark"), (1280, 420)):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.set_viewport_size({"width": width, "height": 1150})
        page.wait_for_timeout(300)

        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(_OVERFLOWING) == []
        photograph(page, "identify", scheme, width)
    page.close()


def test_the_sandbox_is_downloaded_only_on_demand(
    browser: Browser, app_url: str, flower: bytes, tmp_path: Path
) -> None:
    """Its rows are in no file unless they are asked for; then the file's name says so too."""
    photo = tmp_path / "flower.jpg"
    photo.write_bytes(flower)
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    identify(page, app_url, photo)
    page.get_by_role("button", name="Export").click()

    plain = downloaded(page, "plant.csv")
    page.get_by_text("With the sandbox's answers, marked").click()
    marked = downloaded(page, "plant-sandbox.csv")

    assert {row["provider"] for row in plain} == {"offline"}
    assert {row["provider"] for row in marked if row["sandbox"] == "True"} == {
        "plant_id",
        "plantnet",
    }
    page.close()


def downloaded(page: Page, name: str) -> list[dict[str, str]]:
    """Return the rows of the file that is offered, once it is the one of that name."""
    tables: list[Path] = []

    def there() -> bool:
        with page.expect_download() as download:
            page.get_by_role("button", name="Download CSV").click()
        tables.append(Path(download.value.path()))
        return download.value.suggested_filename == name

    assert until(there, 20)
    return list(csv.DictReader(tables[-1].read_text(encoding="utf-8").splitlines()))
