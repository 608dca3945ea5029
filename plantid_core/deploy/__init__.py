"""``plantid check``: what is amiss with the settings, what they name, and what strangers could reach."""

from __future__ import annotations

from plantid_core.deploy.facts import Facts, facts_of
from plantid_core.deploy.finding import Check, Finding
from plantid_core.deploy.registry import CHECKS, findings

__all__ = ["CHECKS", "Check", "Facts", "Finding", "facts_of", "findings"]
