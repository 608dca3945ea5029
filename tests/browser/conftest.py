"""A real browser, and its camera."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Run a headless Chromium."""
    if CHROMIUM is None:
        pytest.skip("needs Debian's package chromium")
    from playwright.sync_api import expect, sync_playwright

    # The other core may be busy with another test's processes.
    expect.set_options(timeout=20_000)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def photograph(tmp_path: Path) -> Callable[[Page, str, str, int], None]:
    """Return a camera that takes the whole page, into PLANTID_SCREENSHOTS where that is set."""

    def take(page: Page, name: str, scheme: str, width: int) -> None:
        folder = Path(os.environ.get("PLANTID_SCREENSHOTS", str(tmp_path)))
        file = name if (scheme, width) == ("light", 1280) else f"{name}-{scheme}-{width}"
        # The page scrolls inside a box of its own: only a window as tall as that shows all of it.
        main = "document.querySelector('[data-testid=stMain]')"
        page.set_viewport_size({"width": width, "height": page.evaluate(f"{main}.scrollHeight")})
        page.evaluate(f"{main}.scrollTo(0, 0)")
        page.wait_for_timeout(300)
        page.screenshot(path=folder / f"{file}.png", full_page=True)

    return take
