"""What every page is dressed in beyond the theme: letters that can be read, a focus that can be seen."""

from __future__ import annotations

from typing import Final

import streamlit as st

# Buttons have white letters on the theme's primary colour. On the dark page no one colour is both dark
# enough for them and bright enough to be letters itself: what would be written in it is written in the
# text's colour instead (WCAG 2.2, 1.4.3: 4.5 to 1).
_STYLE: Final = """<style>
[data-testid=stSliderThumbValue],[data-testid=stTab][aria-selected=true],
[data-variant=segmented_control],[data-testid=stTab]:hover,
[data-testid=stSliderThumbValue] p{color:inherit !important}
[data-testid=stSidebarNavLink]:focus-visible{outline:3px solid;outline-offset:-3px}
</style>"""


def style() -> None:
    """Dress the page that is about to be drawn."""
    st.html(_STYLE)
