"""The page *Compare*, and what *Identify* keeps, on a real store, database and sandbox."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, Any

import streamlit as st
from processes import until

from plantid_core.store.history.values import LOCAL_OWNER
from plantid_core.web import application

if TYPE_CHECKING:
    import pytest
    from streamlit.testing.v1 import AppTest

FOLDER = "A labelled folder"


def press(page: AppTest, label: str) -> None:
    next(button for button in page.button if button.label == label).click().run()


def drawn(page: AppTest) -> str:
    """Return all that the page draws as HTML."""
    return " ".join(str(element.proto) for element in page.get("html"))


def identified(page: AppTest) -> AppTest:
    """Have the sample photo identified."""
    page.run()
    press(page, "Try the sample photo")
    press(page, "Identify")
    return page


def compare(page: AppTest, tab: str = "One plant", **more: str) -> AppTest:
    """Open the page at one of its tabs."""
    page.run().switch_page("pages/compare.py")
    page.query_params["tab"] = tab
    for name, value in more.items():
        page.query_params[name] = value
    return page.run()


def evaluated(page: AppTest) -> AppTest:
    """Press the button, and wait until the job has ended."""
    press(page, "Evaluate")
    assert until(lambda: not page.session_state["evaluation"].running)
    return page.run()


def test_the_empty_page_says_what_will_be_here(page: AppTest) -> None:
    """Before anything is asked, the page explains itself and offers the sample."""
    compare(page)

    assert not page.exception
    assert "every plant that a service names" in page.info[0].value
    assert "Try the sample photo" in [button.label for button in page.button]


def test_an_outcome_of_identify_is_laid_side_by_side(page: AppTest) -> None:
    """The same answers, a column a provider, with the sandbox's mark and the agreement in words."""
    identified(page)

    compare(page)

    shown = drawn(page)
    assert not page.exception
    assert 'scope=\\"col\\"' in shown
    assert shown.count("SANDBOX") == 3  # the joint verdict, and both services
    assert "All three name <i>Leucanthemum vulgare</i> first." in shown


def test_a_plant_can_be_asked_about_here(page: AppTest) -> None:
    """The page has a question of its own, and goes from it to the table by itself."""
    compare(page)
    press(page, "Try the sample photo")

    press(page, "Ask and compare")

    assert not page.exception
    assert "Leucanthemum vulgare" in drawn(page)
    assert "Another plant" in [button.label for button in page.button]


def test_only_real_providers_are_measured_unless_asked_for(page: AppTest) -> None:
    """Without the tick, whoever the sandbox answers for is neither asked nor in the table."""
    compare(page, FOLDER, photos_from="The sample")

    evaluated(page)

    shown = drawn(page)
    assert not page.exception
    assert not page.error
    assert "Offline model was right first time on" in shown
    assert "Plant.id" not in shown
    assert any("Plant.id and Pl@ntNet: left out" in caption.value for caption in page.caption)


def test_sandbox_figures_carry_their_mark(page: AppTest) -> None:
    """With the tick they are measured, and every column and sentence of theirs says so."""
    compare(page, FOLDER, photos_from="The sample", include_sandbox="true")

    evaluated(page)

    shown = drawn(page)
    assert "Plant.id (sandbox)" in shown
    assert "Sandbox answers are no botany" in shown
    assert shown.count("SANDBOX") == 3  # both services, and the consensus they have a vote in


def packed(**photos: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in photos.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def test_an_archive_of_folders_is_read(page: AppTest, flower: bytes) -> None:
    """A ZIP of a folder a species is as good as a folder; who reads it sees how many there are."""
    compare(page, FOLDER)
    archive = packed(**{"Dahlia pinnata/1.jpg": flower, "not a plant/2.jpg": flower})

    page.file_uploader[0].set_value(("plants.zip", archive, "application/zip")).run()

    assert not page.error
    assert any(r"2 photos of 1 species in plants\.zip" in caption.value for caption in page.caption)


def test_photos_stay_until_they_are_forgotten(page: AppTest, flower: bytes) -> None:
    """A look at another tab empties the field of files, and the photos are still here."""
    compare(page, FOLDER)
    archive = packed(**{"Dahlia pinnata/1.jpg": flower})
    page.file_uploader[0].set_value(("plants.zip", archive, "application/zip")).run()
    page.file_uploader[0].set_value([]).run()
    assert any("1 photo of 1 species" in caption.value for caption in page.caption)

    press(page, "Forget these photos")

    assert not any("1 photo of 1 species" in caption.value for caption in page.caption)


def test_no_archive_is_offered_that_the_server_would_not_take(page: AppTest) -> None:
    """The field's bound is the server's, whatever an archive might hold."""
    compare(page, FOLDER)

    most = page.file_uploader[0].proto.max_upload_size_mb
    assert 0 < most <= st.get_option("server.maxUploadSize")


def test_a_hostile_archive_gets_a_sentence(page: AppTest, flower: bytes) -> None:
    """What would lead out of its folder is refused, and the page goes on."""
    compare(page, FOLDER)
    archive = packed(**{"../../evil.jpg": flower})

    page.file_uploader[0].set_value(("plants.zip", archive, "application/zip")).run()

    assert not page.exception
    assert "leads out of the archive" in page.error[0].value


def test_an_answer_is_kept_once(page: AppTest) -> None:
    """With the tick, which is on, an outcome is in the history, however often the page is drawn."""
    identified(page)
    page.run()

    kept = application.workbench().collection.find(LOCAL_OWNER)

    assert kept.total == 1
    assert any("Kept in your history" in caption.value for caption in page.caption)


def test_a_sandbox_name_is_confirmed_only_as_practice(page: AppTest) -> None:
    """Without the tick the page says why not; with it the determination keeps its mark."""
    identified(page)
    confirm = next(one.label for one in page.button if one.label.startswith("Confirm"))

    press(page, confirm)
    assert "no botany" in page.info[0].value
    page.checkbox(key="include_sandbox").check().run()
    press(page, confirm)

    collection: Any = application.workbench().collection
    made = collection.find(LOCAL_OWNER).observations[0].determination
    assert (made.taxon.scientific_name, made.sandbox) == ("Leucanthemum vulgare", True)
    assert "practice" in page.success[0].value


def test_in_production_nothing_is_offered(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has not signed in there finds the way in, on whichever page, and nothing else."""
    monkeypatch.setenv("PLANTID_ENVIRONMENT", "production")
    monkeypatch.setenv("PLANTID_SECRET_KEY", "0123456789abcdef" * 4)
    monkeypatch.setenv("PLANTID_ALLOWED_HOSTS", "plants.example")
    monkeypatch.setenv("PLANTID_ALLOW_SANDBOX", "1")

    page.run()
    assert not page.exception
    assert not any(one.label in {"Identify", "Confirm"} for one in page.button)
