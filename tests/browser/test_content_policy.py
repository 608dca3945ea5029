"""The content policy, in a real browser: it breaks nothing on any page, and lets nothing else run."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import TimeoutError, expect  # noqa: A004 - not the built-in one

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

WAIT_MS = 60_000
CHART = ".js-plotly-plot"
PAGES = ("Compare", "Batch", "Upload lab", "Breaker lab", "Failure demo", "Stampede lab")
LISTEN = """
addEventListener("securitypolicyviolation", event =>
    console.error("violation", event.effectiveDirective, event.blockedURI, location.pathname))
"""


def listened_to(browser: Browser) -> tuple[Page, list[str]]:
    """Return a page, and what it says of the policies it breaks."""
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    page.set_default_timeout(WAIT_MS)
    said: list[str] = []
    page.add_init_script(LISTEN)
    page.on(
        "console",
        lambda one: (
            said.append(one.text)
            if any(word in one.text for word in ("violat", "Security Policy", "Permissions-Policy"))
            else None
        ),
    )
    return page, said


def take_a_photo(page: Page) -> None:
    """Press the button as a person does: again, where the camera had no picture yet and took none."""
    taken = page.get_by_role("button", name="Clear photo")
    for _ in range(10):
        with suppress(TimeoutError):
            page.get_by_role("button", name="Take Photo").click(timeout=5_000)
            taken.wait_for(timeout=5_000)
        if taken.is_visible():
            return
    taken.wait_for()


def test_no_page_breaks_it(browser: Browser, app_url: str) -> None:
    """Photos, the camera, the services' pictures, charts, a download: nothing of ours is blocked."""
    page, said = listened_to(browser)
    answer = page.goto(app_url)
    assert answer is not None
    assert "'sha256-" in answer.headers["content-security-policy"]

    page.get_by_role("button", name="Try the sample photo").click()
    page.get_by_alt_text("Photo 1 of your plant").wait_for()
    page.get_by_role("button", name="Identify", exact=True).click()
    page.get_by_text("Kept in your history.").wait_for()
    with page.expect_response(lambda one: "/_media/" in one.url and one.ok):
        page.get_by_text("Pictures and care").first.click()
    page.get_by_text("Take a photo").click()
    page.get_by_text("Camera on").click()
    take_a_photo(page)

    # By the menu: the policy is the same document's, and a page is there in a moment.
    page.get_by_role("link", name="History").click()
    page.get_by_role("heading", name="History", level=1).wait_for()
    expect(page.get_by_text("Kept in your history.")).to_be_hidden()  # nor its own Export
    page.get_by_role("button", name="Export").first.click()
    page.get_by_role("button", name="Prepare the file").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the file").click()
    assert download.value.path().stat().st_size > 0

    for name in PAGES:
        page.get_by_role("link", name=name, exact=True).click()
        page.get_by_role("heading", name=name, level=1).wait_for()
    page.locator(CHART).first.wait_for()

    assert said == []
    page.close()


def test_it_lets_no_script_of_somebody_elses_run(browser: Browser, app_url: str) -> None:
    """A script that gets into the page, inline or from elsewhere, is blocked, and so is a frame."""
    page, said = listened_to(browser)
    page.goto(app_url)
    page.get_by_role("heading", level=1).first.wait_for()

    page.evaluate("""() => {
        const inline = document.createElement("script");
        inline.textContent = "window.broken = 1";
        const foreign = document.createElement("script");
        foreign.src = "https://evil.example/a.js";
        const frame = document.createElement("iframe");
        frame.src = "https://evil.example/";
        document.body.append(inline, foreign, frame);
    }""")

    expect(page.locator("iframe[src*=evil]")).to_be_attached()
    assert page.evaluate("window.broken") is None
    assert any("script-src" in one and "inline" in one for one in said)
    assert any("script-src" in one and "evil.example" in one for one in said)
    assert any("frame-src" in one for one in said)
    page.close()
