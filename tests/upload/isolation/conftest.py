"""A small pool, and a picture that keeps it busy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from plantid_core.lab.pictures import png
from plantid_core.upload.isolation.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def pool() -> Iterator[Pool]:
    opened = Pool(single=1, bulk=1)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def slow() -> bytes:
    """Return a picture that takes a worker a second or more."""
    return png(7000, 7000, row_filter=4, noise_period=1021)
