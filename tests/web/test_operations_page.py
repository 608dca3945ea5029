"""The page *Operations*, run by Streamlit's own test runner on a real store, sandbox and database."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from plantid_core.access.principal import Principal
from plantid_core.settings import load_settings
from plantid_core.web import application, session
from plantid_core.web.operations_deploy import rows_of

if TYPE_CHECKING:
    import pytest
    from streamlit.testing.v1 import AppTest

ISSUER = "https://issuer.example"


def operations(page: AppTest, tab: str = "Now") -> AppTest:
    page.run().switch_page("pages/operations.py")
    page.query_params["tab"] = tab
    return page.run()


def drawn(page: AppTest) -> str:
    return " ".join(element.proto.body for element in page.get("html"))


def press(page: AppTest, label: str) -> None:
    next(button for button in page.button if button.label == label).click().run()


def test_before_anything_was_asked_the_figures_are_there(page: AppTest) -> None:
    """Four tiles, health, a card a breaker, and what the cache will tell."""
    operations(page)

    assert [tile.label for tile in page.metric] == [
        "Answered",
        "From a cache",
        "Credits saved",
        "Degraded",
    ]
    assert page.success[0].value == "All parts are there."
    assert drawn(page).count("pid-state pid-closed") == 3
    assert not page.exception


def test_a_breaker_is_held_by_hand_and_the_page_says_so(page: AppTest) -> None:
    """In every process: by the same act as the API's."""
    operations(page)
    press(page, "Hold Plant.id open")

    assert application.workbench().breakers["plant_id"].state == "open"
    assert "held open by hand" in drawn(page)
    assert "Plant.id is held open, in every process." in [one.value for one in page.success]


def test_a_token_is_shown_once_and_revoked(page: AppTest) -> None:
    """Its word is in one run alone; once it is revoked, the list says so."""
    operations(page, "Access")
    press(page, "Make the token")
    assert len(page.code) == 1
    word = page.code[0].value
    page.run()
    assert len(page.code) == 0
    assert word not in drawn(page)
    assert "✓ good" in drawn(page)

    press(page, "Revoke it")

    assert "✕ revoked" in drawn(page)


def test_a_person_is_shut_out_and_let_in(page: AppTest) -> None:
    """What they keep stays; the list tells which it is."""
    page.run()
    people = application.workbench().access.people
    somebody = people.seen(ISSUER, "ada", name="<b>Ada</b>")
    operations(page, "Access")
    assert "&lt;b&gt;Ada&lt;/b&gt;" in drawn(page)

    press(page, "Shut them out")
    assert not people.get(somebody.id).active

    press(page, "Let them in again")
    assert people.get(somebody.id).active


def test_deploy_findings_stand_with_their_hints(page: AppTest) -> None:
    """Those of the running app, and that development is no production."""
    operations(page, "Deployment")

    assert re.search(r"\d+ to put right", page.info[0].value)
    assert "secret.missing" in drawn(page)
    assert "plantid secret" in drawn(page)


def test_no_secret_is_in_the_settings_shown() -> None:
    """Neither its value nor its length, nor a password in an address."""
    long, short = "hush" * 20, "hush"
    shown = [
        rows_of(
            load_settings(
                secret_key=secret,
                redis_url=f"redis://:{secret}@127.0.0.1/0",
                sandbox_url=f"http://me:{secret}@127.0.0.1:9",
            )
        )
        for secret in (long, short)
    ]

    assert "hush" not in str(shown)
    assert shown[0] == shown[1]
    assert {"setting": "PLANTID_SECRET_KEY", "value": "set, not shown", "from": "set"} in shown[0]


def test_whoever_is_no_admin_sees_a_sentence(
    page: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing of what is here."""
    user = Principal("person", "user", "p0123")
    monkeypatch.setattr(session, "principal", lambda: user)
    operations(page)

    assert "You may not do this here" in page.info[0].value
    assert not page.metric
    assert not page.tabs
