"""What the documentation claims."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
REQUIREMENTS = {
    "5.1.1", "5.2.1", "5.2.2", "5.2.3", "5.2.4", "5.2.5", "5.2.6", "5.3.1", "5.3.2", "5.3.3",
    "5.4.1", "5.4.2", "5.4.3",
}  # fmt: skip


def test_every_requirement_on_files_has_its_row() -> None:
    """The whole chapter is answered for."""
    text = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")

    assert set(re.findall(r"^\| (5\.\d\.\d) ", text, re.MULTILINE)) == REQUIREMENTS


@pytest.mark.parametrize("page", ["docs/security.md"])
def test_every_test_that_is_named_exists(page: str) -> None:
    """A proof that is no longer there is no proof."""
    text = (ROOT / page).read_text(encoding="utf-8")
    named = set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text))

    missing = [
        f"{path}::{name}"
        for path, name in named
        if f"def {name}(" not in (ROOT / path).read_text(encoding="utf-8")
    ]

    assert named
    assert not missing
