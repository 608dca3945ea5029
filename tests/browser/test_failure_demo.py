"""The running app is broken and mended in a real browser."""

from __future__ import annotations

import re
from itertools import product
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page

    Photograph = Callable[[Page, str, str, int], None]

pytestmark = pytest.mark.browser

WAIT_MS = 40_000
OVERFLOWING = """[...document.querySelectorAll('.pid-part')]
    .filter(part => part.scrollWidth > part.clientWidth).length"""


def press(page: Page, label: str) -> None:
    page.get_by_role("button", name=label, exact=True).click(timeout=WAIT_MS)


def expect_told(page: Page, words: str) -> None:
    """Wait until the picture's text says so."""
    expect(page.locator(".pid-map")).to_have_attribute(
        "aria-label", re.compile(words), timeout=WAIT_MS
    )


def expect_figure(page: Page, words: str) -> None:
    expect(page.locator(".pid-ticker")).to_contain_text(re.compile(words), timeout=WAIT_MS)


@pytest.fixture
def demo(browser: Browser, app_url: str) -> Iterator[Callable[..., Page]]:
    """Return an opener of the page; what it broke is mended in the end."""
    opened: list[Page] = []

    def open_page() -> Page:
        page = browser.new_page(viewport={"width": 1280, "height": 1150})
        opened.append(page)
        page.goto(f"{app_url}/failure_demo")
        page.get_by_role("button", name="Kill Redis").wait_for(timeout=60_000)
        return page

    yield open_page
    for page in opened:
        press(page, "Reset everything")
        expect_told(page, "People quiet; Workbench answers; Redis keeps answers")
        page.close()


def test_breaking_the_app_fails_nobody(demo: Callable[..., Page], photograph: Photograph) -> None:
    """Redis is killed and Plant.id goes down: both are seen, people are answered, reset mends.

    With all of that on it, nothing runs over the page's side, at both widths and in both schemes.
    """
    page = demo()
    press(page, "2 people a second")
    expect_told(page, "People steady")
    expect_figure(page, "[1-9]answered")

    press(page, "Kill Redis")
    expect_told(page, "Redis (down|back|comes back)")
    press(page, "Take Plant.id down")
    expect_told(page, "; Plant.id down;")
    press(page, "1,000 people at once")
    expect_figure(page, r"1,\d+answered")

    expect_figure(page, r"answered0failed")
    press(page, "Slow Pl@ntNet")
    expect_told(page, "Plant.id breaker open; .*Pl@ntNet slow")
    for scheme, width in product(("light", "dark"), (1280, 420)):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.set_viewport_size({"width": width, "height": 1150})

        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(OVERFLOWING) == 0
        photograph(page, "failure-demo", scheme, width)

    press(page, "Reset everything")
    expect_told(page, "Workbench answers; .*Plant.id breaker closed; .*; Plant.id up;")
    expect_figure(page, r"answered0failed")
    assert "Traceback" not in page.content()
