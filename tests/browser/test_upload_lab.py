"""Attacks in a real browser."""

from __future__ import annotations

import re
from itertools import product
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    Photograph = Callable[[Page, str, str, int], None]

pytestmark = pytest.mark.browser

PASSED, REFUSED, NOT_REACHED = "✓ passed", "✕ refused", "– not reached"


def expect_gates(page: Page, *said: str) -> None:
    """Wait until the page's gates say that; what is still drawn from a run before is waited out."""
    expect(page.locator(".pid-gate")).to_contain_text(list(said), timeout=60_000)


def test_a_bomb_stops_at_the_header_gate(browser: Browser, app_url: str) -> None:
    """The link to an attack throws it; the gate that stops it is told, the rest is not reached."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(f"{app_url}/upload_lab?attack=png-99-mpx")

    expect_gates(page, *[PASSED] * 3, REFUSED, *[NOT_REACHED] * 2)
    expect(page.locator(".pid-finding")).to_contain_text("pixels")
    page.get_by_text("It let in what is hostile").wait_for()
    page.close()


def test_a_link_to_the_page_brings_the_app_around_it(browser: Browser, app_url: str) -> None:
    """Also the first visitor, who comes by a link, finds the way to the other pages."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(f"{app_url}/upload_lab")

    page.get_by_role("link", name="Identify", exact=True).wait_for(timeout=60_000)

    assert page.get_by_role("link", name="app", exact=True).count() == 0
    page.close()


def test_a_chosen_attack_is_in_the_address(browser: Browser, app_url: str) -> None:
    """Throwing an attack by its button puts it into the page's address."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(f"{app_url}/upload_lab")
    page.get_by_role("button", name="photo.php.jpg", exact=True).click()

    expect_gates(page, PASSED, REFUSED, *[NOT_REACHED] * 4)
    expect(page).to_have_url(re.compile("attack=php-inside"))
    page.close()


def test_a_payload_is_shown_before_and_gone_after(browser: Browser, app_url: str) -> None:
    """What the file carried is listed; the clean copy carries nothing; the usual one still does."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(f"{app_url}/upload_lab?attack=comment")

    expect_gates(page, *[PASSED] * 6)

    page.get_by_text("comment, ").wait_for()
    page.get_by_text("nothing but the picture").first.wait_for()
    page.get_by_text("still holds the payload").wait_for()
    page.close()


def test_the_clean_photo_has_a_name_of_ours(
    browser: Browser, app_url: str, flower: bytes, tmp_path: Path
) -> None:
    """A file of one's own is judged, and its clean copy downloaded, under no name of its sender."""
    own = tmp_path / "sender's secret name.jpg"
    own.write_bytes(flower)
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(f"{app_url}/upload_lab")
    page.get_by_role("combobox").first.click()
    page.get_by_role("option", name="Your own file").click()
    page.locator("input[type=file]").set_input_files(own)
    expect_gates(page, *[PASSED] * 6)

    with page.expect_download() as download:
        page.get_by_role("button", name="Download clean photo").click()

    assert download.value.suggested_filename == "clean.jpg"
    page.close()


@pytest.mark.slow
def test_the_page_fits(browser: Browser, app_url: str, photograph: Photograph) -> None:
    """At both widths and in both schemes nothing runs over the page's side."""
    page = browser.new_page(viewport={"width": 1280, "height": 1150})
    page.goto(f"{app_url}/upload_lab?attack=jpeg-132-mpx")

    expect(page.locator(".pid-gate")).to_have_count(6, timeout=60_000)
    for scheme, width in product(("light", "dark"), (1280, 420)):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.set_viewport_size({"width": width, "height": 1150})
        expect(page.locator("[data-stale=true]")).to_have_count(0)

        assert page.evaluate("document.documentElement.scrollWidth") <= width
        photograph(page, "upload-lab", scheme, width)
    page.close()
