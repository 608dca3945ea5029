"""What is kept, in a real browser: found again, put right, exported, deleted."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Browser, Page

    Photograph = Callable[[Page, str, str, int], None]

pytestmark = pytest.mark.browser

WAIT_MS = 30_000


def press(page: Page, label: str) -> None:
    page.get_by_role("button", name=label).first.click(timeout=WAIT_MS)


def expect_gone(page: Page) -> None:
    expect(page.get_by_role("dialog")).to_have_count(0, timeout=WAIT_MS)


def test_a_plant_is_found_again_put_right_exported_and_deleted(
    browser: Browser, app_url: str, photograph: Photograph
) -> None:
    """The whole life of an observation, from the sample photo to its deletion."""
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    page.set_default_timeout(WAIT_MS)
    page.goto(app_url)
    press(page, "Try the sample photo")
    page.get_by_alt_text("Photo 1 of your plant").wait_for()
    page.get_by_role("button", name="Identify", exact=True).click()
    page.get_by_text("Kept in your history.").wait_for()

    page.goto(f"{app_url}/history")
    first = page.locator(".pid-row").first
    expect(first).to_contain_text("suggested: Leucanthemum vulgare")
    expect(first.get_by_role("img")).to_have_attribute("alt", "Photo of Leucanthemum vulgare")

    press(page, "It is something else…")
    name = page.get_by_label("Scientific name")
    name.fill("12 cats")
    name.press("Enter")
    page.get_by_text("is no scientific name").wait_for()
    expect(page.get_by_role("button", name="Save this name")).to_be_disabled()
    name.fill("Dahlia coccinea")
    name.press("Enter")
    page.get_by_text("Read as the species").wait_for()
    page.get_by_label("Why, if you like").fill("From our <b>garden</b>")
    press(page, "Save this name")
    expect_gone(page)
    expect(first).to_contain_text(re.compile("verified.*Dahlia coccinea.*<b>garden</b>", re.DOTALL))

    page.goto(f"{app_url}/history?find=coccinea&state=verified")
    page.get_by_text("1 of 1", exact=True).wait_for()
    photograph(page, "history", "light", 1280)
    page.set_viewport_size({"width": 420, "height": 1000})
    assert page.evaluate("document.documentElement.scrollWidth") <= 420
    page.set_viewport_size({"width": 1280, "height": 1000})
    press(page, "Export")
    press(page, "Prepare the file")
    with page.expect_download() as download:
        press(page, "Download the file")
    table = Path(download.value.path()).read_text(encoding="utf-8-sig")
    assert ",changed,Dahlia coccinea," in table
    assert ",plant_id," not in table  # the sandbox answered for it
    page.keyboard.press("Escape")

    page.get_by_text("Details").click()
    press(page, "Delete this observation")
    expect(page.get_by_role("dialog")).to_contain_text("Nothing brings them back")
    press(page, "Delete 1 observation")
    expect_gone(page)
    page.get_by_text(re.compile("is left by these filters|every plant that you")).wait_for()
    assert "Traceback" not in page.content()
    page.close()
