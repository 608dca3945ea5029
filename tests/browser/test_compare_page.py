"""Who is quick shows first, and from an answer one comes to its table, in a real browser."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    Photograph = Callable[[Page, str, str, int], None]

pytestmark = pytest.mark.browser

WAIT_MS = 60_000


def turned(flower: bytes, path: Path, degrees: int) -> Path:
    """Write a photo that no other test asks about."""
    buffer = io.BytesIO()
    Image.open(io.BytesIO(flower)).rotate(degrees).save(buffer, "JPEG")
    path.write_bytes(buffer.getvalue())
    return path


def ask(page: Page, app_url: str, photo: Path) -> None:
    # What is set otherwise stands in the address, and must not be in the way of another page.
    page.goto(f"{app_url}/?language=Deutsch")
    page.locator("input[type=file]").set_input_files(photo, timeout=WAIT_MS)
    page.get_by_alt_text("Photo 1 of your plant").wait_for(timeout=WAIT_MS)
    page.get_by_role("button", name="Identify", exact=True).click()


@pytest.fixture
def slow_plantnet(browser: Browser, app_url: str) -> Iterator[None]:
    """Have Pl@ntNet answer slowly, by the demo page's own button, and mend it afterwards."""
    demo = browser.new_page()
    demo.goto(f"{app_url}/failure_demo")
    demo.get_by_role("button", name="Slow Pl@ntNet").click(timeout=WAIT_MS)
    demo.get_by_role("button", name="Make Pl@ntNet quick").wait_for(timeout=WAIT_MS)
    yield
    demo.get_by_role("button", name="Reset everything").click()
    demo.get_by_role("button", name="Slow Pl@ntNet").wait_for(timeout=WAIT_MS)
    demo.close()


@pytest.mark.usefixtures("slow_plantnet")
def test_the_quick_service_shows_before_the_slow_one(
    browser: Browser, app_url: str, flower: bytes, tmp_path: Path
) -> None:
    """Plant.id's card is there while Pl@ntNet's place is still held, and the verdict waits for both."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    ask(page, app_url, turned(flower, tmp_path / "turned.jpg", 3))
    titles = page.locator(".pid-title")

    titles.filter(has_text="Plant.id").wait_for(timeout=WAIT_MS)

    assert titles.filter(has_text="Pl@ntNet").count() == 0
    assert page.locator("[data-testid^=stSkeleton]").count() > 0
    assert page.locator(".pid-verdict").count() == 0
    page.close()


def test_an_answer_is_named_anew_and_compared(
    browser: Browser, app_url: str, flower: bytes, tmp_path: Path, photograph: Photograph
) -> None:
    """A name of one's own is read as it is typed; *Compare* lays the answers side by side."""
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    ask(page, app_url, turned(flower, tmp_path / "turned.jpg", 5))

    page.get_by_role("button", name="It is something else…").click(timeout=WAIT_MS)
    page.get_by_label("Scientific name").fill("Dahlia pinnata Cav.")
    page.get_by_label("Scientific name").press("Tab")
    page.get_by_text("Read as the species").wait_for(timeout=WAIT_MS)
    page.get_by_role("button", name="Save this name").click()
    page.get_by_text("You named it").wait_for(timeout=WAIT_MS)
    page.get_by_role("button", name="Compare", exact=True).click()

    table = page.locator(".pid-table")
    table.wait_for(timeout=WAIT_MS)
    expect(table.locator("thead th")).to_contain_text(["Plant", "Plant.id", "Pl@ntNet", "Offline"])
    expect(table.locator("thead .pid-mark")).to_have_count(2)
    assert "Traceback" not in page.content()
    photograph(page, "compare", "light", 1280)
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size({"width": 420, "height": 1000})
    page.wait_for_timeout(300)
    photograph(page, "compare", "dark", 420)
    assert page.evaluate("document.documentElement.scrollWidth") <= 420
    page.close()
