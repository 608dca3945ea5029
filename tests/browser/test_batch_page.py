"""Many photos in a real browser: estimated, answered, found again, taken away."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import pytest
from folders import crops

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    Photograph = Callable[[Page, str, str, int], None]

pytestmark = pytest.mark.browser

WAIT_MS = 30_000
PHOTOS = 12


def test_photos_become_a_table_that_is_still_there_after_a_reload(
    browser: Browser, app_url: str, tmp_path: Path, flower: bytes, photograph: Photograph
) -> None:
    """Nobody is asked before the price is told; a refused file is told with the others."""
    paths = crops(flower, tmp_path / "meadow", PHOTOS)
    (tmp_path / "meadow" / "notes.jpg").write_text("no photo")
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(WAIT_MS)
    page.goto(f"{app_url}/batch")
    page.get_by_text("Nobody is asked before you have seen what it takes").wait_for()

    page.locator("input[type=file]").set_input_files([*paths, tmp_path / "meadow" / "notes.jpg"])
    page.get_by_text(f"At most {2 * PHOTOS + 2} credits").wait_for()
    page.get_by_role("button", name="Identify them all").click()
    page.get_by_text(f"{PHOTOS} answered, 1 refused").wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the table").click()

    assert download.value.suggested_filename == "plants-sandbox.csv"
    with download.value.path().open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["file"] for row in rows if row["observation"] == "refused"} == {"notes.jpg"}
    assert {row["file"] for row in rows if row["sandbox"] == "True"} == {
        path.name for path in paths
    }
    page.get_by_test_id("stDataFrame").locator("canvas").first.wait_for()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for width in (1280, 420):
            photograph(page, "batch", scheme, width)

    page.reload()
    page.get_by_text("The last batch").wait_for()
    page.get_by_role("button", name="Download the table").wait_for()
    page.close()
