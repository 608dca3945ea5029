"""The page, run by Streamlit's own test runner on a real store and sandbox."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from streamlit.testing.v1 import AppTest

from plantid_core.web import application

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import SandboxServer

SCRIPT = Path(__file__).parents[2] / "app.py"


@pytest.fixture
def page(
    tmp_path: Path, model_cache: Path, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[AppTest]:
    """Return the app at its first page, on a data directory of its own."""
    (tmp_path / "models").symlink_to(model_cache / "models")
    monkeypatch.setenv("PLANTID_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("PLANTID_SANDBOX_URL", sandbox.url)
    yield AppTest.from_file(str(SCRIPT), default_timeout=60).run()
    application.close_workbench()


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
