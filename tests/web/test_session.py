"""What a page's session holds is of who looks at it now."""

from __future__ import annotations

from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from plantid_core.access.principal import ANONYMOUS, Principal

ADA = Principal("person", "admin", "pada")


def _page() -> None:
    import streamlit as st

    from plantid_core.web.session import forget_others

    forget_others(st.session_state.pop("now"))
    st.text_input("Seen by", key="recorded_by")
    st.text(str(st.session_state.get("answered")))


def looked_at(page: AppTest, who: Principal) -> tuple[str, str]:
    """Return what somebody finds of an answer and in a field."""
    page.session_state["now"] = who
    page.run()
    assert not page.exception
    return page.text[0].value, page.text_input(key="recorded_by").value


@pytest.mark.parametrize(
    "after",
    [ANONYMOUS, Principal("person", "user", "peve"), replace(ADA, role="user")],
    ids=["signed out", "somebody else", "no admin any more"],
)
def test_what_was_somebody_elses_is_forgotten(after: Principal) -> None:
    """Answers and what was typed into fields alike; for the same person it stays."""
    page = AppTest.from_function(_page)
    looked_at(page, ADA)
    page.session_state["answered"] = "a rare orchid"
    page.text_input(key="recorded_by").set_value("Ada")
    assert looked_at(page, ADA) == ("a rare orchid", "Ada")

    assert looked_at(page, after) == ("None", "")


def test_what_comes_with_the_first_look_stays() -> None:
    """An address may set fields before anybody is known to look."""
    page = AppTest.from_function(_page)
    page.session_state["recorded_by"] = "from a link"

    assert looked_at(page, ADA) == ("None", "from a link")
