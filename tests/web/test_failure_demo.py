"""The page, run by Streamlit's own test runner on a store of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from processes import until
from streamlit.testing.v1 import AppTest

from plantid_core.web import application
from plantid_core.web.stage.theatre import stage

PAGE = Path(__file__).parents[2] / "pages" / "failure_demo.py"


@pytest.fixture
def page(data_dir: Path) -> AppTest:
    """Return the page, not yet run, with a sandbox that is not the app's own."""
    del data_dir
    return AppTest.from_file(str(PAGE), default_timeout=60)


def drawn(page: AppTest) -> str:
    return " ".join(str(element.proto) for element in page.get("html"))


def disabled(page: AppTest) -> dict[str, bool]:
    return {button.label: button.disabled for button in page.button}


def test_the_page_begins_well(page: AppTest) -> None:
    """Before anything is pressed every part is drawn, and the ticker stands at nothing."""
    page.run()

    assert not page.exception
    assert "From the browser to the offline model" in drawn(page)
    assert "Nobody has asked yet." in drawn(page)
    assert not disabled(page)["Kill Redis"]


def test_a_foreign_part_has_its_reason_on_the_button(page: AppTest) -> None:
    """What the app does not own cannot be pressed, and says why."""
    page.run()

    button = next(b for b in page.button if b.label == "Take Plant.id down")
    assert button.disabled
    assert "PLANTID_SANDBOX_URL" in button.help


def test_a_press_is_told_and_changes_the_button(page: AppTest) -> None:
    """Freezing Redis turns the button into its own opposite."""
    page.run()
    next(b for b in page.button if b.label == "Freeze Redis").click().run()

    assert not page.exception
    assert "Redis hangs" in drawn(page)
    next(b for b in page.button if b.label == "Let Redis go on").click().run()
    assert until(application.workbench().cache.probe)


def test_a_second_visitor_watches(page: AppTest) -> None:
    """While somebody else is on stage, no switch can be pressed and the page says so."""
    page.run()
    stage(application.workbench()).press("bomb", "somebody else")

    page.run()

    assert "Somebody else is on stage" in page.info[0].value
    assert all(disabled(page).values())
    assert "refused at the header gate" in drawn(page)


def test_production_has_a_picture_and_no_switches(
    page: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There the page only shows."""
    settings = {"ENVIRONMENT": "production", "SECRET_KEY": "s" * 40, "ALLOWED_HOSTS": "x.example"}
    for name, value in {**settings, "ALLOW_SANDBOX": "1"}.items():
        monkeypatch.setenv(f"PLANTID_{name}", value)

    page.run()

    assert not page.exception
    assert "in production" in page.warning[0].value
    assert all(disabled(page).values())
