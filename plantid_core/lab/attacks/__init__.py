"""A shelf of attacks on an upload chain, made live: the eight usual vectors, and what they forget."""

from __future__ import annotations

from plantid_core.lab.attacks.attack import MARK, Attack
from plantid_core.lab.attacks.bombs import BOMBS
from plantid_core.lab.attacks.disguises import DISGUISES
from plantid_core.lab.attacks.stowaways import STOWAWAYS

ATTACKS: tuple[Attack, ...] = (*DISGUISES, *BOMBS, *STOWAWAYS)

__all__ = ["ATTACKS", "MARK", "Attack"]
