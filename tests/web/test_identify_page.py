"""The page, run by Streamlit's own test runner on a real store and sandbox."""

from __future__ import annotations

import datetime as dt
import io
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from plantid_core.web import application

if TYPE_CHECKING:
    from streamlit.testing.v1 import AppTest

    from tests.conftest import SandboxServer


@pytest.fixture
def page(page: AppTest) -> AppTest:
    """Return the app at its first page."""
    return page.run()


def texts(page: AppTest) -> str:
    """Return all that the page shows as text."""
    return " ".join(
        str(getattr(element, "value", "") or getattr(element.proto, "body", ""))
        for element in page.main
    )


def button(page: AppTest, label: str) -> object:
    return next(button for button in page.button if button.label == label)


def test_the_empty_page_says_what_will_be_here(page: AppTest) -> None:
    """Before anything is sent, the page explains itself and says what leaves the machine."""
    assert not page.exception
    assert any("most likely species" in info.value for info in page.info)
    assert sum("nothing is sent" in caption.value for caption in page.caption) == 3


def test_the_sample_photo_is_identified(page: AppTest) -> None:
    """Two clicks lead from nothing to names from three sources."""
    button(page, "Try the sample photo").click().run()  # type: ignore[attr-defined]

    button(page, "Identify").click().run()  # type: ignore[attr-defined]

    assert not page.exception
    assert not page.error
    shown = " ".join(str(element.proto) for element in page.get("html"))
    assert "Leucanthemum vulgare" in shown
    assert "SANDBOX" in shown


def test_a_wrong_file_gets_a_sentence(page: AppTest) -> None:
    """A text file under a photo's name is refused in words."""
    page.file_uploader[0].set_value(("notes.jpg", b"some notes", "image/jpeg"))

    page.run()

    assert not page.exception
    assert "text file" in page.error[0].value


def taken(flower: bytes, date: str, *, place: bool = True) -> bytes:
    """Return the photo as a camera in Prague would have written it."""
    exif, buffer = Image.Exif(), io.BytesIO()
    exif.get_ifd(0x8769)[0x9003] = date
    if place:
        exif.get_ifd(0x8825).update({1: "N", 2: (50.0, 6.0, 0.0), 3: "E", 4: (14.0, 24.0, 0.0)})
    Image.open(io.BytesIO(flower)).save(buffer, "JPEG", exif=exif)
    return buffer.getvalue()


def upload(page: AppTest, photo: bytes) -> None:
    page.file_uploader[0].set_value(("flower.jpg", photo, "image/jpeg")).run()


def where(page: AppTest) -> tuple[object, object, object]:
    return page.number_input[0].value, page.number_input[1].value, page.date_input[0].value


def test_a_photos_own_place_is_taken_only_while_ticked(page: AppTest, flower: bytes) -> None:
    """The place comes with the tick, and goes with it."""
    upload(page, taken(flower, "2012:05:01 10:00:00"))
    assert where(page) == (None, None, None)

    page.checkbox[0].check().run()
    assert where(page) == (50.1, 14.4, dt.date(2012, 5, 1))

    page.checkbox[0].uncheck().run()
    assert where(page) == (None, None, None)


def test_another_photo_inherits_no_place(page: AppTest, flower: bytes) -> None:
    """The place of one photo is not said of the next one."""
    upload(page, taken(flower, "2012:05:01 10:00:00"))
    page.checkbox[0].check().run()

    upload(page, flower)

    assert where(page) == (None, None, None)
    assert any("neither place nor date" in caption.value for caption in page.caption)


def test_a_typed_place_outlives_the_tick(page: AppTest, flower: bytes) -> None:
    """What a person typed is theirs: unticking leaves it."""
    upload(page, taken(flower, "2012:05:01 10:00:00"))
    page.checkbox[0].check().run()
    page.number_input[0].set_value(48.2).run()

    page.checkbox[0].uncheck().run()

    assert where(page) == (48.2, None, None)


def test_a_camera_with_a_wrong_clock_gives_no_date(page: AppTest, flower: bytes) -> None:
    """A date yet to come is left out, and the page stands."""
    upload(page, taken(flower, "2099:05:01 10:00:00", place=False))

    page.checkbox[0].check().run()

    assert not page.exception
    assert where(page) == (None, None, None)


def test_a_place_is_told_to_plantnet_only_where_it_is_asked(
    page: AppTest, sandbox: SandboxServer
) -> None:
    """Without Pl@ntNet among the chosen, no place leaves for its list of floras."""
    page.session_state["providers"] = ["plant_id", "offline"]
    page.number_input[0].set_value(50.1).run()
    page.number_input[1].set_value(14.4).run()
    assert sandbox.calls("plantnet", "projects") == {}

    page.session_state["providers"] = ["plantnet"]
    page.run()

    assert "Pl@ntNet is asked for its flora" in " ".join(
        str(element.proto) for element in page.get("html")
    )


def test_the_header_says_what_is_off(page: AppTest) -> None:
    """Before any answer, the header tells that a sandbox would give it."""
    assert "sandbox: no botany" in " ".join(str(element.proto) for element in page.get("html"))


def drawn(page: AppTest) -> str:
    return " ".join(str(element.proto) for element in page.get("html"))


def test_the_page_says_who_stands_in_and_when_to_try_again(
    page: AppTest, sandbox: SandboxServer
) -> None:
    """A silent service is one sentence and one card, with the time it named itself."""
    sandbox.faults(service="plantnet", errors=[{"status": 503, "rate": 1, "retry_after_s": 300}])
    button(page, "Try the sample photo").click().run()  # type: ignore[attr-defined]

    button(page, "Identify").click().run()  # type: ignore[attr-defined]

    assert not page.exception
    assert "Pl@ntNet did not answer: Plant.id and the offline model stand in." in drawn(page)
    assert "Try again in 5 min." in drawn(page)
    assert "no answer · " in drawn(page)
    assert "saved" not in drawn(page)


def test_a_service_left_alone_is_said_not_to_have_been_asked(page: AppTest) -> None:
    """The header and the card say so; the small print does not call it fresh."""
    application.workbench().breakers["plantnet"].open()
    button(page, "Try the sample photo").click().run()  # type: ignore[attr-defined]

    button(page, "Identify").click().run()  # type: ignore[attr-defined]

    assert "Pl@ntNet left alone" in drawn(page)
    assert "not asked · " in drawn(page)


def test_the_page_says_what_the_cache_has_saved(page: AppTest) -> None:
    """The second time the same photo costs nothing, and the header says so."""
    button(page, "Try the sample photo").click().run()  # type: ignore[attr-defined]
    button(page, "Identify").click().run()  # type: ignore[attr-defined]

    button(page, "Identify").click().run()  # type: ignore[attr-defined]

    assert "2 credits saved" in drawn(page)


def test_when_nobody_answers_the_page_says_when_to_come_back(
    page: AppTest, sandbox: SandboxServer
) -> None:
    """The verdict is a time, not an error."""
    for service in ("plant_id", "plantnet"):
        sandbox.faults(service=service, errors=[{"status": 500, "rate": 1}])
    page.session_state["providers"] = ["plant_id", "plantnet"]
    button(page, "Try the sample photo").click().run()  # type: ignore[attr-defined]

    button(page, "Identify").click().run()  # type: ignore[attr-defined]

    assert not page.exception
    assert "No provider could answer. Try again after " in drawn(page)
    assert "Try again in a minute." in drawn(page)


@pytest.mark.parametrize(
    ("status", "advice", "other"),
    [(401, "Check the service", "try another photo"), (413, "try another photo", "API key")],
)
def test_only_a_refused_key_is_blamed_on_the_key(
    page: AppTest, sandbox: SandboxServer, status: int, advice: str, other: str
) -> None:
    """What a service says of the photo sends nobody to the settings."""
    sandbox.faults(service="plantnet", errors=[{"status": status, "rate": 1}])
    page.session_state["providers"] = ["plantnet"]
    button(page, "Try the sample photo").click().run()  # type: ignore[attr-defined]

    button(page, "Identify").click().run()  # type: ignore[attr-defined]

    assert advice in drawn(page)
    assert other not in drawn(page)
