"""A person at a real browser, who goes through the pages again and again."""

from __future__ import annotations

import shutil
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from plantid_core.drill.photos import photo

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    from playwright.sync_api import Page

_PAGES = {
    "": "Identify a plant",
    "compare": "Compare",
    "history": "History",
    "batch": "Batch",
    "upload_lab": "Upload lab",
    "stampede_lab": "Stampede lab",
    "breaker_lab": "Breaker lab",
    "failure_demo": "Failure demo",
}
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync")
_PATIENCE_MS = 40_000
# A page as often at all times: of each that is closed Streamlit keeps the session for two minutes.
_PACE_S, _READING_S = 4.0, 1.0
_FIRST_PHOTO, _PHOTOS = 8000, 40


class Visitor:
    """The browser, on a thread of its own; ``absent`` says why there is none, or nothing."""

    def __init__(self, url: str) -> None:
        self.absent = _absent()
        self.pages = self.identified = 0
        self.failures: list[str] = []
        self._url, self._at = url, "before the first page"
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="soak-visitor", daemon=True)

    def __enter__(self) -> Self:
        if not self.absent:
            self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.end()

    def end(self) -> None:
        """Close the browser, once the page under way is read."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        from playwright.sync_api import Error

        tour = 0
        while not self._over.is_set():
            try:
                with _browser() as page:
                    page.set_default_timeout(_PATIENCE_MS)
                    self._tour(page, tour)
            except Error as error:
                first = str(error).strip().splitlines()[0]
                self.failures.append(f"tour {tour}, {self._at}: {first[:200]}")
                time.sleep(_READING_S)
            tour += 1

    def _tour(self, page: Page, tour: int) -> None:
        for path, title in _PAGES.items():
            if self._over.is_set():
                return
            self._at = title
            began = time.monotonic()
            page.goto(f"{self._url}/{path}")
            page.get_by_role("heading", name=title, exact=True, level=1).wait_for()
            if not path:
                self._identify(page, _FIRST_PHOTO + tour % _PHOTOS)
            if "Traceback" in page.content() or "Something went wrong" in page.content():
                self.failures.append(f"tour {tour}: {title} shows an error")
            self.pages += 1
            self._over.wait(max(_READING_S, began + _PACE_S - time.monotonic()))

    def _identify(self, page: Page, number: int) -> None:
        file = photo(number)
        page.locator("input[type=file]").first.set_input_files(
            {"name": file.filename, "mimeType": "image/jpeg", "buffer": file.data}
        )
        page.get_by_alt_text("Photo 1 of your plant").wait_for()
        page.get_by_role("button", name="Identify", exact=True).click()
        page.locator(".pid-verdict").wait_for()
        self.identified += 1


def _absent() -> str:
    try:
        import playwright.sync_api  # noqa: F401 - whether it is there
    except ImportError:
        return "playwright is not installed"
    return "" if _chromium() else "there is no Chromium"


def _chromium() -> str | None:
    return next((path for name in _BROWSERS if (path := shutil.which(name))), None)


@contextmanager
def _browser() -> Iterator[Page]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=_chromium(), args=list(_FLAGS))
        try:
            yield chromium.new_page(viewport={"width": 1280, "height": 900})
        finally:
            chromium.close()
