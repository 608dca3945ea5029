"""`Workbench.access`: people and tokens in the same database as what they keep."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from plantid_core import parts

if TYPE_CHECKING:
    from plantid_core import Workbench


def test_a_workbench_knows_its_people(workbench: Workbench) -> None:
    """And writes, before it closes, when they were last here."""
    _, word = workbench.access.tokens.create("local", ["identify"], 1)
    assert workbench.access.known.token(word).owner == "local"
    assert workbench.collection.find("local").total == 0
    assert workbench.access.keys is workbench.access.keys

    workbench.close()

    settings = workbench.settings
    with (
        closing(parts.make_database(settings)) as database,
        parts.make_registry(settings, database) as registry,
    ):
        (token,) = registry.tokens.list()
        assert token.used_at is not None
    kept = {path.name for path in settings.data_dir.iterdir()}
    assert {"history.sqlite", "secret-key"} <= kept
