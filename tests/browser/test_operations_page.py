"""The page *Operations* in a real browser."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import pytest
import requests
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Browser, Page

    Photograph = Callable[[Page, str, str, int], None]

pytestmark = pytest.mark.browser


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name).click()


def test_a_breaker_is_held_open_and_reset_by_hand(browser: Browser, app_url: str) -> None:
    """The card says so by itself, in a few seconds, and again once it is reset."""
    page = browser.new_page(viewport={"width": 1280, "height": 1400})
    page.goto(f"{app_url}/operations")
    states = page.locator(".pid-state")
    expect(states).to_have_count(3)

    press(page, "Hold or reset a breaker")
    press(page, "Hold Plant.id open")

    expect(page.get_by_text("held open by hand")).to_be_visible()
    expect(page.get_by_text("Plant.id is held open, in every process.")).to_be_visible()
    page.get_by_text("Reset", exact=True).click()
    press(page, "Reset Plant.id")
    expect(page.get_by_text("held open by hand")).to_have_count(0)
    page.close()


@pytest.mark.slow
def test_the_page_fits(
    browser: Browser, app_url: str, flower: bytes, photograph: Photograph
) -> None:
    """At both widths and in both schemes nothing runs over the page's side, on any tab."""
    page = browser.new_page(viewport={"width": 1280, "height": 1150})
    photo = {"images": ("flower.jpg", flower, "image/jpeg")}
    for _ in range(3):
        requests.post(f"{app_url}/api/v1/identify", files=photo, timeout=60).raise_for_status()
    page.goto(f"{app_url}/operations")

    expect(page.locator(".pid-state")).to_have_count(3)
    for scheme, width in product(("light", "dark"), (1280, 420)):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.set_viewport_size({"width": width, "height": 1150})
        expect(page.get_by_test_id("stMetric")).to_have_count(4)

        assert page.evaluate("document.documentElement.scrollWidth") <= width
        photograph(page, "operations", scheme, width)
    page.set_viewport_size({"width": 420, "height": 1150})
    for tab in ("Access", "Deployment", "Settings"):
        page.get_by_role("tab", name=tab).click()
        expect(page.get_by_role("tab", name=tab)).to_have_attribute("aria-selected", "true")
        expect(page.locator("[data-stale=true]")).to_have_count(0)
        assert page.evaluate("document.documentElement.scrollWidth") <= 420
    page.close()
