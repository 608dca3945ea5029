"""What people see of a page's parts that are not theirs: a sentence, and never a traceback."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import signing_in
from streamlit.testing.v1 import AppTest

from plantid_core.access.principal import ANONYMOUS, Principal
from plantid_core.desk import Desk
from plantid_core.web import history_photos, real_runs
from plantid_core.web.stage.seat import Seat
from plantid_core.web.stage.theatre import Stage
from plantid_core.workbench import open_workbench, sample_photo

if TYPE_CHECKING:
    from collections.abc import Iterator

    from plantid_core import Workbench
    from tests.conftest import SandboxServer

USER = Principal("person", "user", "p1")


@pytest.fixture(scope="module")
def bench(
    tmp_path_factory: pytest.TempPathFactory, running_sandbox: SandboxServer
) -> Iterator[Workbench]:
    """Return a workbench where people can sign in."""
    settings = signing_in.signing_in(
        tmp_path_factory.mktemp("data"), sandbox_url=running_sandbox.url
    )
    with open_workbench(settings) as opened:
        yield opened


def _page() -> None:
    import importlib

    import streamlit as st

    panel = importlib.import_module(f"plantid_core.web.{st.session_state['panel']}")
    panel.show(st.session_state["desk"])


def shown(panel: str, desk: Desk) -> AppTest:
    page = AppTest.from_function(_page, default_timeout=30)
    page.session_state["panel"], page.session_state["desk"] = panel, desk
    return page.run()


@pytest.mark.parametrize("panel", ["history_panel", "batch_panel", "compare_folder"])
def test_visitors_are_invited_to_sign_in(bench: Workbench, panel: str) -> None:
    """In place of what takes an owner there is one sentence and a button."""
    page = shown(panel, Desk(bench, ANONYMOUS))

    assert not page.exception
    assert page.info[0].value.startswith("Sign in to ")
    assert [button.label for button in page.button] == ["Sign in"]


def test_a_user_is_not_offered_what_an_admin_does(bench: Workbench) -> None:
    """The herbarium is everybody's: it can be looked at, and is built by an admin."""
    page = shown("herbarium_panel", Desk(bench, USER))

    assert not page.exception
    assert "whoever runs it builds the herbarium" in " ".join(one.value for one in page.caption)
    assert not page.button


def test_a_machines_folder_is_offered_to_nobody_but_its_admin(bench: Workbench) -> None:
    """Whoever may measure may not therefore read the server's disk."""
    page = shown("compare_folder", Desk(bench, USER))

    assert page.selectbox(key="photos_from").options == ["My photos", "The sample"]


def test_whoever_is_unknown_does_not_break_the_app(bench: Workbench) -> None:
    """They watch the stage, and every switch says why it is not for them."""
    stage = Stage(bench)
    seats = {who: Seat(stage, Desk(bench, who), "s") for who in (ANONYMOUS, USER)}

    assert "signed in" in str(seats[ANONYMOUS].refusal())
    assert seats[USER].refusal() is None
    assert "Sign in" in str(real_runs.refusal(Desk(bench, ANONYMOUS)))
    assert real_runs.refusal(Desk(bench, USER)) is None


def test_a_small_photo_is_its_owners_alone(bench: Workbench) -> None:
    """What is kept small in memory for one is not shown to another who knows its id."""
    sample = sample_photo()
    kept = bench.keep(bench.identify([sample], providers=["offline"]), [sample], owner="p1")
    photo_id, side = kept.photos[0].photo_id, history_photos.THUMBNAIL_PX

    assert history_photos.small(Desk(bench, USER), photo_id, side)

    other = Desk(bench, Principal("person", "user", "p2"))
    assert history_photos.small(other, photo_id, side) is None
