"""Servers that may be killed, and caches over them."""

from __future__ import annotations

from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import pytest
from servers import Server

from plantid_core.resilience.cache import Cache
from plantid_core.resilience.link import Address
from plantid_core.resilience.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Run a Valkey for this test alone."""
    with closing(Server(tmp_path / "s")) as running:
        yield running


@pytest.fixture
def three(tmp_path: Path) -> Iterator[list[Server]]:
    """Run three independent masters."""
    with ExitStack() as stack:
        yield [stack.enter_context(closing(Server(tmp_path / f"s{n}"))) for n in range(3)]


@pytest.fixture
def make_cache(server: Server) -> Iterator[Callable[..., Cache]]:
    """Return a maker of caches over the server; each stands for a process of its own."""
    with ExitStack() as stack:

        def make(**policy: float) -> Cache:
            cache = Cache(Address.of(server.client()), Policy(**{"beta": 0, **policy}))  # type: ignore[arg-type]
            return stack.enter_context(closing(cache))

        yield make
