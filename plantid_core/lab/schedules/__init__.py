"""Proof by trial: the lease protocol under random schedules of faults, and under all small ones.

`random_schedules` runs the very generators of `plantid_core.resilience.protocol` and the very table of
flights, on a virtual clock and a modelled Redis that loses, repeats and delays messages, among
processes that pause and die. `exhaustive` walks every interleaving of three processes.
"""

from __future__ import annotations

from plantid_core.lab.schedules.exhaustive import exhaustive
from plantid_core.lab.schedules.world import Found, random_schedules

__all__ = ["Found", "exhaustive", "random_schedules"]
