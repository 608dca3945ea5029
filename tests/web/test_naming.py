"""A name of a person's own, as the pages ask for it."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

SCRIPT = """
import streamlit as st

from plantid_core.web import naming

st.session_state["read"] = naming.own_name()
"""


def typed(text: str) -> AppTest:
    """Return the field with a text in it."""
    return AppTest.from_string(SCRIPT).run().text_input(key="other_name").input(text).run()


@pytest.mark.parametrize(
    ("text", "name", "authorship"),
    [
        ("mentha x piperita L.", "Mentha × piperita", "L."),
        ("Quercus robur <img src=x onerror=alert(1)>", "Quercus robur", None),
        ("Rosa cf. canina L.", "Rosa cf. canina", "L."),
    ],
)
def test_a_name_is_taken_as_it_is_read(text: str, name: str, authorship: str | None) -> None:
    """Name and author stay, each for itself, with the doubt that was uttered, and nothing else."""
    page = typed(text)

    taxon = page.session_state["read"]
    assert (taxon.scientific_name, taxon.authorship) == (name, authorship)
    assert "Read as the" in page.caption[0].value


def test_what_is_no_name_gets_a_sentence() -> None:
    """Whoever types no name reads how one is written; markup is shown, and not followed."""
    page = typed("<b>=1+1</b>")

    assert page.session_state["read"] is None
    assert "is no scientific name" in page.caption[0].value
    assert "<b>" not in page.caption[0].value
