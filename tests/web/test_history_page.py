"""The page *History*, run by Streamlit's own test runner on a real database, photos and sandbox."""

from __future__ import annotations

import datetime as dt
import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kept import CHERRY, DAISY, NOON, SLIPPER, answer, determined, observed
from PIL import Image

from plantid_core.access.principal import LOCAL
from plantid_core.desk import Desk
from plantid_core.plants import Place, Taxon
from plantid_core.store.history.history import FILE_NAME, History
from plantid_core.store.history.values import LOCAL_OWNER, Circumstances
from plantid_core.web import application, history_map, history_photos
from plantid_core.web.history_rows import Line
from plantid_core.workbench import sample_photo

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from streamlit.testing.v1 import AppTest

    from plantid_core import Workbench
    from plantid_core.store.history.values import Observed

NASTY = '<img src=x onerror="alert(1)">'


def keep(folder: Path, *observations: Observed) -> None:
    with History(folder / FILE_NAME) as history:
        for one in observations:
            history.add(one)


def history(page: AppTest, **wanted: str) -> AppTest:
    """Open the page as an address has it."""
    page.run().switch_page("pages/history.py")
    for name, value in wanted.items():
        page.query_params[name] = value
    return page.run()


def press(page: AppTest, label: str) -> None:
    next(button for button in page.button if button.label == label).click().run()


def field(some: Any, label: str) -> Any:  # noqa: ANN401 - a list of any one kind of widget
    return next(one for one in some if one.label == label)


def drawn(page: AppTest) -> str:
    """Return all that the page draws as HTML."""
    return " ".join(element.proto.body for element in page.get("html"))


def captions(page: AppTest) -> str:
    return " ".join(caption.value for caption in page.caption)


def test_the_empty_page_says_what_will_be_here(page: AppTest) -> None:
    """Before anything is kept, the page explains itself and leads to where plants are named."""
    history(page)

    assert not page.exception
    assert "every plant that you identified" in page.info[0].value
    assert [link.proto.label for link in page.get("page_link")] == ["Identify a plant"]
    assert "kept on this machine until you delete them" in captions(page)


def test_a_row_tells_what_stands_and_by_whose_word(page: AppTest, tmp_path: Path) -> None:
    """Suggested, verified and rejected are told apart by words; the sandbox and a lost photo too."""
    keep(
        tmp_path,
        observed(answer("offline", CHERRY), answer("herbarium", CHERRY)),
        observed(answer("plantnet", DAISY), determinations=(determined(SLIPPER),)),
        observed(answer("plantnet", DAISY), determinations=(determined(None, note="A fern!"),)),
        observed(
            answer("plant_id", DAISY, sandbox=True),
            determinations=(determined(DAISY, sandbox=True),),
        ),
    )

    history(page)

    shown = drawn(page)
    assert "suggested: <i>Prunus serrulata</i>" in shown
    assert '✓ verified</span><i>Cypripedium calceolus</i> <span class="pid-author">L.' in shown
    assert "✕ rejected" in shown
    assert "A fern!" in shown
    assert "✓ verified as practice" in shown
    assert 'Plant.id<span class="pid-mark">SANDBOX</span>' in shown
    assert shown.count("The photo cannot be read") == 4


def test_nothing_that_was_written_becomes_markup(page: AppTest, tmp_path: Path) -> None:
    """Names, notes and people are shown as they were written, in the row and in its fold."""
    evil = Taxon(NASTY, NASTY, common_names=(NASTY,), family=NASTY)
    decided = determined(evil, note=NASTY, made_by=NASTY)
    one = observed(
        answer("plantnet", evil),
        circumstances=Circumstances(recorded_by=NASTY, licence=NASTY),
        determinations=(decided,),
    )
    keep(tmp_path, one)

    history(page)
    page.session_state[f"details-{one.id}"] = True
    page.run()

    shown = drawn(page)
    assert not page.exception
    assert "Determinations" in shown
    assert "&lt;img src=x" in shown
    assert "<img src=x" not in shown
    assert not any("<img src=x" in one.value for one in [*page.markdown, *page.caption])


def test_the_address_says_which_are_shown(page: AppTest, tmp_path: Path) -> None:
    """Filters can be written by hand; a text that nothing holds says so and can be undone."""
    keep(
        tmp_path,
        observed(answer("plantnet", CHERRY), determinations=(determined(CHERRY),)),
        observed(answer("plantnet", DAISY)),
        observed(answer("offline", CHERRY), made_at=NOON - dt.timedelta(days=400)),
    )

    history(page, state="unverified", by="plantnet", since="2026-01-01")
    assert "1 of 1" in drawn(page)
    assert "Leucanthemum" in drawn(page)
    page.text_input(key="find").set_value("quercus").run()
    assert "None of your 3 observations is left" in page.info[0].value

    press(page, "Show all of them")

    assert "3 of 3" in drawn(page)


def test_fifty_are_shown_and_then_more(page: AppTest, tmp_path: Path) -> None:
    """The page says how many there are, and an address that is nonsense does no harm."""
    some = [
        observed(answer("offline", CHERRY), made_at=NOON - dt.timedelta(minutes=number))
        for number in range(53)
    ]
    keep(tmp_path, *some)

    history(page, shown="-7x")
    assert "50 of 53" in drawn(page)
    press(page, "Show 3 more")

    assert "53 of 53" in drawn(page)
    assert page.query_params["shown"] == "100"


def test_a_suggestion_is_confirmed_and_a_sandbox_one_asks_first(
    page: AppTest, tmp_path: Path
) -> None:
    """What a service said is taken at once; what the sandbox said only when that is meant."""
    keep(
        tmp_path,
        observed(answer("offline", CHERRY), answer("herbarium", CHERRY)),
        observed(*[answer(name, DAISY, sandbox=True) for name in ("plant_id", "plantnet")]),
    )
    history(page)
    collection = application.workbench().collection

    press(page, "Confirm *Prunus serrulata*")
    press(page, "Confirm *Leucanthemum vulgare*")

    made = {
        one.determination.taxon.scientific_name
        for one in collection.find(LOCAL_OWNER).observations
        if one.determination and one.determination.taxon
    }
    assert made == {"Prunus serrulata"}
    assert any("knows no botany" in text.value for text in page.markdown)


def test_an_export_says_what_is_not_in_it(page: AppTest, tmp_path: Path) -> None:
    """Observations of the sandbox alone are left out, and an orchid's place is not told exactly."""
    keep(
        tmp_path,
        observed(answer("plantnet", SLIPPER)),
        observed(answer("plant_id", DAISY, sandbox=True)),
    )
    history(page)

    press(page, "Prepare the file")

    told = captions(page)
    assert "1 observation in 2 rows." in told
    assert "1 left out, since only the sandbox answered" in told
    assert "1 place not told exactly" in told
    assert "Download the file" in [one.proto.label for one in page.get("download_button")]


def test_an_export_of_nothing_says_why(page: AppTest, tmp_path: Path) -> None:
    """With nothing but practice there is no file, but the way to one."""
    keep(tmp_path, observed(answer("plant_id", DAISY, sandbox=True)))
    history(page)

    press(page, "Prepare the file")
    assert "only the sandbox answered" in page.info[0].value
    page.checkbox(key="export_sandbox").check().run()
    press(page, "Prepare the file")

    assert not page.info
    assert "1 observation in" in captions(page)


def test_the_record_is_put_right(page: AppTest, tmp_path: Path) -> None:
    """Fields hold what is kept; what is saved is kept, and what was removed does not come back."""
    one = observed(answer("offline", CHERRY))
    keep(tmp_path, one)
    history(page)
    page.session_state[f"details-{one.id}"] = True
    page.run()
    collection = application.workbench().collection

    field(page.number_input, "Longitude").set_value(-3.5)
    field(page.text_input, "Seen by").set_value("Ben")
    field(page.checkbox, "Remove the date").check()
    press(page, "Save the record")
    known = collection.get(LOCAL_OWNER, one.id).circumstances
    before = one.circumstances
    assert known == replace(
        before, place=Place(50.08804, -3.5), observed_on=None, recorded_by="Ben"
    )
    field(page.checkbox, "Remove the place").check()
    press(page, "Save the record")
    press(page, "Save the record")

    known = collection.get(LOCAL_OWNER, one.id).circumstances
    assert known == Circumstances(recorded_by="Ben", licence=before.licence)


def test_half_a_place_is_refused(page: AppTest, tmp_path: Path) -> None:
    """A latitude alone is no place: the page says so, and nothing is changed."""
    one = observed(answer("offline", CHERRY), circumstances=Circumstances())
    keep(tmp_path, one)
    history(page)
    page.session_state[f"details-{one.id}"] = True
    page.run()

    field(page.number_input, "Latitude").set_value(12.0)
    press(page, "Save the record")

    assert "both a latitude and a longitude" in page.error[0].value
    assert application.workbench().collection.get(LOCAL_OWNER, one.id) == one


def test_a_damaged_database_is_a_sentence(page: AppTest, tmp_path: Path) -> None:
    """The page says what is wrong; nobody sees a traceback."""
    (tmp_path / FILE_NAME).write_bytes(b"no database" * 1000)

    history(page)

    assert not page.exception
    assert "cannot be shown just now" in page.error[0].value
    assert "Try again" in [button.label for button in page.button]


def test_in_production_nothing_is_shown(
    page: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nobody signs in nobody owns a history, whatever lies in the database."""
    keep(tmp_path, observed(answer("offline", CHERRY)))
    monkeypatch.setenv("PLANTID_ENVIRONMENT", "production")
    monkeypatch.setenv("PLANTID_SECRET_KEY", "0123456789abcdef" * 4)
    monkeypatch.setenv("PLANTID_ALLOWED_HOSTS", "plants.example")
    monkeypatch.setenv("PLANTID_ALLOW_SANDBOX", "1")

    page.run()

    assert not page.exception
    assert "sign in" in page.info[0].value
    assert "Prunus" not in drawn(page)


def test_the_map_says_what_it_shows() -> None:
    """Its alternative text has the count and the spread, in words for all four directions."""
    places = [Place(50.0, 14.4), Place(-33.9, -70.6)]
    placed = [
        (Line(observed(circumstances=Circumstances(place=place)), None), place) for place in places
    ]

    assert history_map.finding(placed, 5) == (
        "2 of 5 shown have a place, between 33.90° S and 50.00° N, 70.60° W and 14.40° E."
    )
    figure = history_map.figure(placed, "#000")
    assert list(figure.data[0].y) == [50.0, -33.9]


def test_small_photos_go_with_their_observation(workbench: Workbench) -> None:
    """A thumbnail is a small square, and is not remembered once its observation is deleted."""
    sample = sample_photo()
    outcome = workbench.identify([sample], providers=["offline"])
    one = workbench.keep(outcome, [sample])
    desk, photo_id = Desk(workbench, LOCAL), one.photos[0].photo_id
    side = history_photos.THUMBNAIL_PX

    jpeg = history_photos.small(desk, photo_id, side)
    assert jpeg is not None
    assert Image.open(io.BytesIO(jpeg)).size == (side, side)
    desk.collection.forget([one.id])
    history_photos.forget([one])

    assert history_photos.small(desk, photo_id, side) is None
