"""What stands before a service: how a caller's haste is judged, and what counts credits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from prometheus_client import REGISTRY

from plantid_core.credits import Credits, expose
from plantid_core.errors import DeadlineExceeded, ProviderRejected, ProviderUnavailable
from plantid_core.guards import in_fair_time

if TYPE_CHECKING:
    from plantid_core.errors import PlantIDError


@pytest.mark.parametrize(
    ("error", "took_s", "fails"),
    [
        (DeadlineExceeded(0.5), 0.5, False),
        (DeadlineExceeded(30), 15.0, True),
        (ProviderUnavailable("plantnet", "timeout", "late"), 0.1, True),
        (ProviderRejected("plantnet", "key", "no"), 30.0, False),
    ],
)
def test_a_deadline_speaks_against_a_service_that_had_its_time(
    error: PlantIDError, took_s: float, *, fails: bool
) -> None:
    """A caller in a hurry says nothing of the service; other errors are judged by what they mean."""
    assert in_fair_time(15.0)(error, took_s).fails is fails


def test_credits_are_told_to_prometheus() -> None:
    """All workbenches of a process are one sum, by provider and what happened."""
    here, there = Credits(), Credits()
    for spending in (here, there):
        expose(spending)
        spending.add("test_provider", "spent")
    here.add("test_provider", "saved")

    def total(what: str) -> float | None:
        labels = {"provider": "test_provider", "what": what}
        return REGISTRY.get_sample_value("plantid_credits_total", labels)

    assert (total("spent"), total("saved")) == (2, 1)
    assert here.of("test_provider") == {"spent": 1, "saved": 1}
