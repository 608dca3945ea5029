"""The closed set of codes, and its table in the documentation."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from plantid_core.upload.rejection import LAYERS, REJECTIONS, as_markdown, reject

ROOT = Path(__file__).parents[2]
CALL = re.compile(r"reject\(\s*\"(\w+)\"")


def test_documented_table_is_current() -> None:
    """docs/upload-codes.md is what the code says now."""
    documented = (ROOT / "docs" / "upload-codes.md").read_text(encoding="utf-8")

    assert documented == as_markdown()


def test_every_code_is_raised_somewhere_and_every_raise_has_its_code() -> None:
    """The set is closed: neither a code without a use nor a use without a code."""
    sources = (ROOT / "plantid_core").rglob("*.py")
    raised = {code for path in sources for code in CALL.findall(path.read_text(encoding="utf-8"))}

    assert raised == set(REJECTIONS)


@pytest.mark.parametrize("code", REJECTIONS)
def test_every_sentence_can_be_said(code: str) -> None:
    """Each sentence takes its figures, ends with a full stop, and belongs to a gate."""
    refusal = reject(code, limit=10, value=11, detected="a PDF", megabytes=11, most_megabytes=10)

    assert str(refusal).endswith(".")
    assert "{" not in str(refusal)
    assert refusal.layer in LAYERS
