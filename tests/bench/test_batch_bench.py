"""The benchmark of a batch, small: what it counts, whatever the machine's speed."""

from __future__ import annotations

import pytest

from plantid_core.bench import batch


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_killed_twice_and_on_a_cluster_every_photo_is_answered_once() -> None:
    """Every bound on calls and rows holds; the wall time has no say here."""
    report = batch.run(lambda _: None, photos=60, concurrency=4)

    held = {ratio.name: ratio.holds for ratio in report.ratios}
    assert held["photos not answered exactly once"]
    assert held["calls of a service above distinct + in flight"]
    assert held["Dask: rows that differ from the local table"]
    assert held["Dask: calls of a service above one a photo"]
    assert report.median("60 photos, Dask", "plant_id", "calls") == 60
