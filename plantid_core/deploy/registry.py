"""All checks, each with an id of its own, in the order in which people should look at them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plantid_core.deploy import (
    access_checks,
    address_checks,
    secret_checks,
    serving_checks,
    store_checks,
)

if TYPE_CHECKING:
    from plantid_core.deploy.facts import Facts
    from plantid_core.deploy.finding import Check, Finding

CHECKS: tuple[Check, ...] = (
    *secret_checks.CHECKS,
    *address_checks.CHECKS,
    *access_checks.CHECKS,
    *store_checks.CHECKS,
    *serving_checks.CHECKS,
)


def findings(facts: Facts) -> list[Finding]:
    """Return what is amiss for others to depend on this: errors first, each group in its order."""
    found = [finding for check in CHECKS if (finding := check.finding(facts)) is not None]
    return in_order(found)


def in_order(found: list[Finding]) -> list[Finding]:
    """Return findings with the errors first."""
    return sorted(found, key=lambda finding: finding.severity != "error")
