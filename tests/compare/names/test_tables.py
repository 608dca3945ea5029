"""Which of several homonyms a name means."""

from __future__ import annotations

import pytest

from plantid_core.compare.names.tables import Accepted, Usage, choose

TANSY, DAISY = (
    Accepted("Tanacetum vulgare", "species"),
    Accepted("Leucanthemum vulgare", "species"),
)
HOMONYMS = [
    Usage("species", "(L.) Bernh.", TANSY, synonym=True),
    Usage("species", "(L.) Gaterau", DAISY, synonym=True),
]


@pytest.mark.parametrize(
    ("authorship", "meant"),
    [
        ("(L.) Bernh.", TANSY),
        ("(Linnaeus) Gaterau", DAISY),
        ("Bernh.", TANSY),
        ("L.", None),
        ("Mill.", None),
        (None, None),
    ],
)
def test_homonyms_are_told_apart_by_all_their_authors(
    authorship: str | None, meant: Accepted | None
) -> None:
    """An author that both share decides nothing, and neither does one of neither."""
    usage = choose(HOMONYMS, "species", authorship)

    assert (usage.accepted if usage else None) == meant
