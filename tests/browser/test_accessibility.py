"""Every page, filled, under axe-core's rules of WCAG 2.2 A and AA, and by the keyboard alone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from processes import until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from playwright.sync_api import Browser, Locator, Page

pytestmark = pytest.mark.browser

DOCUMENT = Path(__file__).parents[2] / "docs" / "accessibility.md"
RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]},
    "resultTypes": ["violations"],
}
# What axe-core finds of Streamlit's own: the rule, and what the element's HTML matches. Each stands with
# its reason in docs/accessibility.md.
STREAMLITS: tuple[tuple[str, str], ...] = ()
WAIT_MS = 60_000
MOST_TABS = 250


@dataclass(frozen=True)
class View:
    """A page in the state that is looked at: ``shows`` is there once it is drawn."""

    path: str
    shows: str


VIEWS = {
    "Compare": View("/compare", "[data-testid=stMain] button"),
    "History": View("/history", "[data-testid=stPopover]"),
    "Batch": View("/batch", "[data-testid=stFileUploader]"),
    "Upload lab": View("/upload_lab?attack=png-99-mpx", "[data-testid=stMain] button"),
    "Stampede lab": View("/stampede_lab?strategy=lease", ".js-plotly-plot"),
    "Breaker lab, live": View("/breaker_lab", "[data-testid=stMain] [data-testid=stSlider]"),
    "Breaker lab, simulated": View("/breaker_lab?tab=Simulate", ".js-plotly-plot"),
    "Failure demo": View("/failure_demo", "[data-testid=stMain] button"),
    "Operations, now": View("/operations", ".pid-state"),
    "Operations, access": View("/operations?tab=Access", "h2.pid-heading"),
    "Operations, deployment": View("/operations?tab=Deployment", "table.pid-figures"),
    "Operations, settings": View("/operations?tab=Settings", "table.pid-figures"),
}

# Controls of the page's own part, each marked. A group (tabs, choices, a toolbar) is one stop of Tab, and the
# arrow keys move within it. Inside a field, a list is opened and a number stepped by the arrow keys, and a
# word removed by Backspace: the buttons for that are the mouse's.
_CONTROLS = """() => {
  const group = '[role=tab],[role=radio],[role=option],[role=toolbar] button,input[type=radio]';
  const unseen = 'input:is([type=checkbox],[type=radio],[type=range])';
  const within = '[tabindex="-1"]:is([aria-haspopup=listbox],[aria-label^=Remove],'
    + '[data-testid^=stNumberInputStep])';
  const shown = el => el.getClientRects().length
    && el.checkVisibility({opacityProperty: true, visibilityProperty: true});
  const isChosen = el => el.checked || ['aria-selected', 'aria-checked', 'aria-pressed']
    .some(name => el.getAttribute(name) === 'true');
  const groups = new Set();
  const isStop = el => {
    if (!el.matches(group)) return true;
    const whole = el.closest('[role=tablist],[role=radiogroup],[role=toolbar],[role=group]');
    if (!isChosen(el) || groups.has(whole)) return false;
    groups.add(whole);
    return true;
  };
  const found = document.querySelectorAll('[data-testid=stMain] '
    + ':is(a[href],button,input,select,textarea,summary,[role=tab],[role=slider])');
  return [...found].filter(el => !el.disabled && !el.closest('[aria-hidden=true],[inert]')
      && !el.matches('input[type=file]') && !el.matches(within)
      && (shown(el) || el.matches(unseen)) && isStop(el))
    .map((el, number) => {
      el.dataset.reach = number;
      return [String(number), (el.getAttribute('aria-label') || el.innerText || el.title
        || el.closest('label')?.innerText || el.outerHTML).slice(0, 80)];
    });
}"""
# What the focused control and everything about it look like: a focus that is seen changes it.
_LOOKS = """number => {
  const el = document.querySelector(`[data-reach="${number}"]`);
  if (!el) return null;
  const about = [el, ...el.querySelectorAll('*')];
  for (let up = el.parentElement, steps = 0; up && steps < 4; up = up.parentElement, steps++)
    about.push(up, ...up.children);
  return about.map(one => {
    const css = getComputedStyle(one);
    return [css.outlineStyle, css.outlineWidth, css.outlineColor, css.boxShadow, css.borderColor,
      css.backgroundColor, css.color, css.textDecorationLine].join();
  }).join(';');
}"""
# Where Tab goes on from, the browser remembers: what was pressed last.
_FROM_THE_TOP = """() => {
  document.body.tabIndex = -1;
  document.body.focus();
  document.body.removeAttribute('tabindex');
}"""
_FOCUSED = """() => {
  const el = document.activeElement;
  return {number: el?.dataset?.reach ?? null, body: el === document.body};
}"""


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Return a page that axe-core is in from the start, and that nothing fades on."""
    context = browser.new_context(viewport={"width": 1280, "height": 1200}, reduced_motion="reduce")
    context.add_init_script(Axe().axe_script)
    yield context.new_page()
    context.close()


@pytest.fixture(scope="module")
def _filled(app_url: str, flower: bytes) -> None:
    """Keep something in the history: an empty page has little that could be wrong."""
    photo = {"images": ("flower.jpg", flower, "image/jpeg")}
    requests.post(f"{app_url}/api/v1/identify", files=photo, timeout=60).raise_for_status()


def drawn(page: Page) -> None:
    """Wait until nothing is being drawn."""
    expect(page.locator("[data-stale=true]")).to_have_count(0, timeout=WAIT_MS)
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0, timeout=WAIT_MS)


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).first.click(timeout=WAIT_MS)


def identified(page: Page, app_url: str) -> None:
    page.goto(app_url)
    press(page, "Try the sample photo")
    press(page, "Identify")
    expect(page.locator(".pid-verdict")).to_be_visible(timeout=WAIT_MS)


def violations(page: Page) -> list[str]:
    """Return what axe-core finds that is not Streamlit's, the second time too.

    What is drawn anew while it looks is faded for a moment, and found too pale.
    """
    found: list[str] = []
    for _ in range(3):
        drawn(page)
        results: dict[str, Any] = page.evaluate("rules => axe.run(rules)", RULES)
        found = [
            f"{violation['id']}: {node['html'][:200]} ({node.get('failureSummary', '')[:200]})"
            for violation in results["violations"]
            for node in violation["nodes"]
            if not any(
                violation["id"] == rule and re.search(pattern, node["html"])
                for rule, pattern in STREAMLITS
            )
        ]
        if not found:
            break
    return found


def unfit(page: Page, schemes: Sequence[str], width: int = 1280) -> dict[str, list[str]]:
    found = {}
    page.set_viewport_size({"width": width, "height": 1200})
    for scheme in schemes:
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        found[scheme] = violations(page)
    return {scheme: some for scheme, some in found.items() if some}


def unreached(page: Page) -> list[str]:
    """Return the controls that Tab does not reach from the top, or whose focus is not seen."""
    drawn(page)
    page.add_style_tag(content="*{transition:none !important}")
    controls: dict[str, str] = dict(page.evaluate(_CONTROLS))
    assert controls
    page.evaluate(_FROM_THE_TOP)
    reached: dict[str, bool] = {}
    before: tuple[str, str] | None = None
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        focused = page.evaluate(_FOCUSED)
        if before is not None:
            number, looks = before
            reached[number] = reached.get(number, False) or looks != page.evaluate(_LOOKS, number)
            before = None
        number = focused["number"]
        if number in controls and number not in reached:
            before = number, page.evaluate(_LOOKS, number)
        if focused["body"] and reached:
            break
    return [
        f"{name}: {'its focus is not seen' if number in reached else 'not reached'}"
        for number, name in controls.items()
        if not reached.get(number, False)
    ]


def tab_to(page: Page, control: Locator) -> None:
    """Press Tab until this control has the focus, from wherever it is."""
    expect(control).to_be_enabled(timeout=WAIT_MS)
    drawn(page)
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        if control.evaluate("one => one === document.activeElement"):
            return
    raise AssertionError(f"Tab never reached {control}")


def test_an_answer_and_its_comparison(page: Page, app_url: str) -> None:
    """*Identify* with an answer, and *Compare* with the same, in both schemes and by Tab."""
    identified(page, app_url)
    assert unfit(page, ("light", "dark")) == {}
    assert unreached(page) == []

    press(page, "Compare")
    expect(page.locator(".pid-table").first).to_be_visible(timeout=WAIT_MS)
    assert unfit(page, ("light", "dark")) == {}
    assert unreached(page) == []


@pytest.mark.parametrize("name", VIEWS)
def test_a_page_is_well_formed_for_everybody(page: Page, app_url: str, name: str) -> None:
    """Light and dark; Tab reaches every control, its focus is seen, and it leads out again.

    On a telephone nothing runs over the page's side.
    """
    view = VIEWS[name]
    page.goto(f"{app_url}{view.path}")
    expect(page.locator(view.shows).first).to_be_visible(timeout=WAIT_MS)

    assert unfit(page, ("light", "dark")) == {}
    assert unreached(page) == []
    page.set_viewport_size({"width": 420, "height": 1000})
    assert until(lambda: page.evaluate("document.documentElement.scrollWidth") <= 420)


@pytest.mark.slow
@pytest.mark.usefixtures("_filled")
@pytest.mark.parametrize("name", VIEWS)
def test_a_page_is_well_formed_on_a_telephone(page: Page, app_url: str, name: str) -> None:
    """At 420 px, where what stood side by side stands one below the other."""
    view = VIEWS[name]
    page.goto(f"{app_url}{view.path}")
    expect(page.locator(view.shows).first).to_be_visible(timeout=WAIT_MS)

    assert unfit(page, ("light",), 420) == {}


def test_a_plant_is_named_by_the_keyboard_alone(page: Page, app_url: str) -> None:
    """From the sample photo to the confirmed name: Tab, Enter and Space."""
    page.goto(app_url)
    for name in ("Try the sample photo", "Identify"):
        tab_to(page, page.get_by_role("button", name=name, exact=True))
        page.keyboard.press("Enter")
    expect(page.locator(".pid-verdict")).to_be_visible(timeout=WAIT_MS)
    tab_to(page, page.get_by_role("checkbox", name=re.compile("Include sandbox answers")))
    page.keyboard.press("Space")
    drawn(page)
    tab_to(page, page.get_by_role("button", name=re.compile("^Confirm")))
    page.keyboard.press("Enter")
    expect(page.get_by_text("You confirmed")).to_be_visible(timeout=WAIT_MS)


def test_a_fault_would_be_found(page: Page, app_url: str) -> None:
    """A picture without words, and a button that Tab passes over."""
    page.goto(f"{app_url}/batch")
    expect(page.get_by_test_id("stFileUploader")).to_be_visible(timeout=WAIT_MS)
    drawn(page)
    page.evaluate(
        """document.querySelector('[data-testid=stMainBlockContainer]').insertAdjacentHTML(
            'beforeend', '<img src="/favicon.png"><button tabindex="-1">Passed over</button>')"""
    )

    assert any(found.startswith("image-alt") for found in violations(page))
    assert unreached(page) == ["Passed over: not reached"]


def test_the_document_lists_what_is_streamlits() -> None:
    """Its table has the same rules and patterns, each with a reason."""
    text = DOCUMENT.read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w-]+)` \| `(.+?)` \| .{20,} \|$", text, re.MULTILINE)

    assert sorted(rows) == sorted(STREAMLITS)
