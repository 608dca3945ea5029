"""A stampede in a real browser: settings in the address, lanes that follow, points from real processes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Browser, Page

    Photograph = Callable[[Page, str, str, int], None]

pytestmark = pytest.mark.browser


def finding(page: Page) -> str:
    """Return what the page says of its lanes, once it stands still."""
    shown = page.locator(".pid-finding")
    shown.wait_for(timeout=60_000)
    expect(page.locator("[data-stale=true]")).to_have_count(0, timeout=30_000)
    return shown.inner_text()


def test_a_moved_slider_changes_the_address_and_the_chart(browser: Browser, app_url: str) -> None:
    """By keyboard: the rate goes up, and address, picture's text and sentence follow."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(f"{app_url}/stampede_lab?strategy=none&rate=40")
    before = finding(page)
    slider = page.get_by_role("slider", name="Requests a second")

    slider.focus()
    for _ in range(3):
        slider.press("PageUp")

    expect(page).not_to_have_url(re.compile("rate=40(&|$)"))
    expect(page).to_have_url(re.compile(r"rate=\d+"))
    expect(page.locator(".pid-finding")).not_to_have_text(before, timeout=20_000)
    after = finding(page)
    expect(page.get_by_label(after).first).to_be_attached()
    page.close()


def test_a_link_restores_what_was_set(browser: Browser, app_url: str) -> None:
    """A pasted address shows its settings and their lanes, and drops what cannot be."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(f"{app_url}/stampede_lab?strategy=redis-lock&rate=90&delta=0.5&beta=nonsense")

    said = finding(page)

    assert said.startswith("Around this expiry redis-lock made")
    assert "lease" not in said
    expect(page.get_by_role("slider", name="Requests a second")).to_have_value("90")
    expect(page.get_by_role("slider", name="Seconds to make a value")).to_have_value("0.5")
    expect(page).not_to_have_url(re.compile("nonsense"))
    page.close()


@pytest.mark.slow
def test_plain_names_in_a_link_are_kept(browser: Browser, app_url: str) -> None:
    """Strategies and arrivals by the names that the command line knows, also once the app rewrote it."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(f"{app_url}/stampede_lab?strategy=seed-lock&strategy=lease&arrivals=bursty")

    for _ in ("by hand", "by the app"):
        assert "seed-lock (seed, as written) made" in finding(page)
        page.get_by_text("More settings").click()
        shape = page.get_by_role("combobox", name="How requests come")
        expect(shape).to_have_value("in bursts")
        page.goto(page.url)
    page.close()


def test_the_keyboard_shows_where_it_is(browser: Browser, app_url: str) -> None:
    """A link of the sidebar that has the focus is ringed."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(f"{app_url}/stampede_lab?strategy=lease")
    finding(page)
    link = page.get_by_test_id("stSidebarNavLink").nth(1)

    link.focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")

    expect(link).to_be_focused()
    expect(link).to_have_css("outline", re.compile("3px"))
    page.close()


def test_a_live_run_lands_on_the_lanes(browser: Browser, app_url: str) -> None:
    """Pressed, the button runs real processes; their calls stand beside the simulated ones."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(f"{app_url}/stampede_lab?strategy=lease&rate=20&delta=0.05&ttl=5")
    finding(page)

    page.get_by_role("button", name="Run it for real").click()
    page.get_by_role("button", name="Stop the run").wait_for(timeout=20_000)

    expect(page.locator(".pid-finding")).to_contain_text(
        re.compile(r"Live, on real processes: lease \d+ calls?"), timeout=60_000
    )
    page.get_by_text("Crosses and hollow bars are live").wait_for()
    page.close()


# The letters of whatever matches, against the nearest background that is not transparent: WCAG's ratio.
_FAINT = """() => {
  const part = c => { c /= 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4 };
  const rgba = s => { const n = s.match(/[0-9.]+/g).map(Number); return n.length < 4 ? [...n, 1] : n };
  const light = c => 0.2126 * part(c[0]) + 0.7152 * part(c[1]) + 0.0722 * part(c[2]);
  const over = (a, b) => [0, 1, 2].map(i => a[i] * a[3] + b[i] * (1 - a[3]));
  const ground = e => {
    const own = rgba(getComputedStyle(e).backgroundColor);
    return own[3] === 1 ? own : over(own, e.parentElement ? ground(e.parentElement) : [255, 255, 255]);
  };
  const all = [...document.querySelectorAll(
    '[data-testid=stCaptionContainer] p, [data-testid=stSliderThumbValue] p, [role=tab] p, button p')];
  return all.filter(e => e.offsetParent && !e.closest('[disabled]')).map(e => {
    // A slider's value is written above its thumb, not on it.
    const back = ground(e.closest('[data-testid=stSlider]') ?? e);
    const ink = over(rgba(getComputedStyle(e).color), back);
    const [a, b] = [light(ink), light(back)].sort((x, y) => y - x);
    return [e.innerText, (a + 0.05) / (b + 0.05)];
  }).filter(([_, ratio]) => ratio < 4.5);
}"""


def faint(page: Page) -> list[object]:
    """Return the letters of captions, sliders, tabs and buttons that stand out less than 4.5 : 1."""
    found: list[object] = page.evaluate(_FAINT)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits(browser: Browser, app_url: str, photograph: Photograph, scheme: str) -> None:
    """At both widths and in both schemes nothing runs over the page's side."""
    context = browser.new_context(color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    for width in (1280, 420):
        page.set_viewport_size({"width": width, "height": 1150})
        page.goto(f"{app_url}/stampede_lab")
        finding(page)
        page.get_by_text("calls an expiry").first.wait_for(timeout=60_000)
        expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible(timeout=30_000)
        expect(page.locator(".js-plotly-plot")).to_have_count(2, timeout=30_000)
        expect(page.get_by_role("button", name="Make a picture")).to_have_count(2)
        assert faint(page) == []

        assert page.evaluate("document.documentElement.scrollWidth") <= width
        photograph(page, "stampede-lab", scheme, width)
    context.close()
