"""Hostile files beside honest ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plantid_core.drill.traffic import Traffic

if TYPE_CHECKING:
    from plantid_core.drill.scene import Scene
    from plantid_core.drill.traffic import Heard
    from plantid_core.lab.attacks import Attack

# The eight ways that everybody knows of.
VECTORS = (
    "Extension spoofing",
    "Null byte injection",
    "Double extension",
    "Content-type manipulation",
    "Magic byte spoofing",
    "Path traversal",
    "Decompression bomb",
    "Embedded scripts",
)
_PROCESSES = 2
_RATE = 5.0
_SECONDS = 4.0
_HOSTILE_RATE = 40.0
_ATTACKERS = 4
_FIRST = 2000
_SLOW_DOWN_MS = 500.0


def hostile_uploads(scene: Scene) -> None:
    """Hostile files of all eight kinds, one after another, while people send photos of their own."""
    attacks = _attacks()
    crowd = scene.crowd(_PROCESSES)
    requests = int(_RATE * _SECONDS)
    quiet = Traffic("quiet", requests, _RATE, threads=4, photos=requests, first=_FIRST)
    before = crowd.ask(quiet)
    flood = Traffic(
        "hostile",
        int(_HOSTILE_RATE * _SECONDS),
        _HOSTILE_RATE,
        threads=_ATTACKERS,
        attacks=tuple(attack.id for attack in attacks),
    )
    # Every photo is a new one, so that each is decoded beside the attacks; the services knew none.
    honest = Traffic("honest", requests, _RATE, 4, photos=requests, first=_FIRST + requests)
    scene.note("attackers", "begin", f"{len(attacks)} files of {len(VECTORS)} kinds")
    heard = crowd.ask(flood, honest)

    checks = scene.checks
    checks.equal("vectors", len({attack.vector for attack in attacks}), len(VECTORS))
    checks.equal("hostile_refused", _refused(heard.of("hostile")), _PROCESSES * flood.requests)
    checks.equal("honest_answered", heard.of("honest").answered(), _PROCESSES * requests)
    covered = sum(told.due < _ended(heard.of("hostile")) for told in heard.of("honest"))
    checks.at_least("honest_beside_hostile_percent", 100 * covered / (_PROCESSES * requests), 80)
    checks.figure("quiet_p95_ms", before.percentile_ms(95))
    attacked_ms = heard.of("honest").percentile_ms(95)
    checks.figure("attacked_p95_ms", attacked_ms)
    checks.at_most("slowed_down_by_ms", attacked_ms - before.percentile_ms(95), _SLOW_DOWN_MS)


def _attacks() -> list[Attack]:
    from plantid_core.lab.attacks import ATTACKS

    return [attack for attack in ATTACKS if attack.vector in VECTORS and attack.expect == "reject"]


def _ended(heard: Heard) -> float:
    return max((told.ended for told in heard), default=0.0)


def _refused(heard: Heard) -> int:
    return sum(told.refused is not None for told in heard)
