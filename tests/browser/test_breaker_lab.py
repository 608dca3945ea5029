"""A breaker at work, and its simulation, in a real browser."""

from __future__ import annotations

import re
from contextlib import suppress
from itertools import product
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Browser, Page

    Photograph = Callable[[Page, str, str, int], None]

pytestmark = pytest.mark.browser


def press(page: Page, name: str) -> None:
    # Streamlit's own header has a button to stop a page, too.
    page.get_by_test_id("stMain").get_by_role("button", name=name, exact=True).click()


def fail_every_call(page: Page) -> None:
    """Turn the error rate up; a redraw that falls together with the key puts it back, so look and repeat."""
    slider = page.get_by_role("slider", name="Error rate, %")
    for _ in range(4):
        slider.press("End")
        with suppress(AssertionError):
            expect(page).to_have_url(re.compile("errors=100"), timeout=5_000)
            return


def test_a_failing_service_opens_the_breaker_and_a_hand_closes_it(
    browser: Browser, app_url: str
) -> None:
    """Hold it open at once, fail every call, see it open, hold it closed, stop: and all that is told."""
    page = browser.new_page(viewport={"width": 1280, "height": 1100})
    page.goto(f"{app_url}/breaker_lab")
    state = page.locator(".pid-state")
    press(page, "Start")
    press(page, "Force open")
    expect(state).to_contain_text("open", timeout=30_000)
    expect(page.get_by_text("held by hand")).to_be_visible()
    press(page, "Release")
    expect(state).to_contain_text("closed", timeout=30_000)

    fail_every_call(page)
    expect(state).to_contain_text("open", timeout=15_000)
    press(page, "Force closed")
    expect(state).to_contain_text("closed", timeout=15_000)
    expect(page.get_by_text("held by hand")).to_be_visible()
    press(page, "Stop")

    expect(page.get_by_role("button", name="Start", exact=True)).to_be_enabled(timeout=15_000)
    expect(page.locator(".pid-finding")).to_contain_text(re.compile(r"after \d+ opening"))
    expect(page).to_have_url(re.compile("errors=100"))
    page.close()


def test_a_link_restores_the_simulation(browser: Browser, app_url: str) -> None:
    """Scenario, settings and contestant come from the address; what cannot be is ignored."""
    page = browser.new_page(viewport={"width": 1280, "height": 1100})
    page.goto(
        f"{app_url}/breaker_lab?tab=Simulate&scenario=Brownout&fail_max=7&window_s=-3&shown=no+breaker"
    )

    finding = page.locator(".pid-finding").first
    expect(finding).to_contain_text("Nothing stood before the service", timeout=30_000)
    # A number box is drawn with its own default first, and takes the link's value just after.
    expect(page.get_by_role("spinbutton", name="Failures in a row")).to_have_value("7")
    expect(page.get_by_role("spinbutton", name="Window, s")).to_have_value("10")
    page.get_by_text("Take these settings with you").click()
    expect(page.get_by_text("PLANTID_BREAKER_FAIL_MAX=7")).to_be_visible()
    page.close()


@pytest.mark.slow
def test_plain_names_in_a_link_choose_a_sweep(browser: Browser, app_url: str) -> None:
    """Written by hand, with the settings' own names; the address that comes of it restores the same."""
    page = browser.new_page(viewport={"width": 1280, "height": 1100})
    page.goto(
        f"{app_url}/breaker_lab?tab=Simulate&view=Sweep+two+settings&scenario=flapping&across=slow_rate"
        "&figure=availability"
    )

    for address in ("by hand", "by the app"):
        across = page.get_by_role("combobox", name=re.compile("Across"))
        expect(across, address).to_have_value("slow rate", timeout=30_000)
        figure = page.get_by_role("combobox", name=re.compile("Figure"))
        expect(figure, address).to_have_value("answered in time")
        expect(page.get_by_role("tab", name="Sweep two settings")).to_have_attribute(
            "aria-selected", "true"
        )
        expect(page).to_have_url(re.compile("scenario=Flapping"))
        page.goto(page.url)
    page.close()


@pytest.mark.slow
def test_the_page_fits(browser: Browser, app_url: str, photograph: Photograph) -> None:
    """At both widths and in both schemes nothing runs over the page's side."""
    page = browser.new_page(viewport={"width": 1280, "height": 1150})
    page.goto(f"{app_url}/breaker_lab?tab=Simulate")

    expect(page.locator(".pid-finding")).to_have_count(2, timeout=60_000)
    for scheme, width in product(("light", "dark"), (1280, 420)):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.set_viewport_size({"width": width, "height": 1150})
        expect(page.locator(".js-plotly-plot")).to_have_count(2, timeout=20_000)
        expect(page.locator("[data-stale=true]")).to_have_count(0)

        assert page.evaluate("document.documentElement.scrollWidth") <= width
        photograph(page, "breaker-lab", scheme, width)
    page.close()
