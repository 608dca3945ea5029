"""What the stable face refuses: each line that ends in ``# E:`` has that error, and no other has one."""

from __future__ import annotations

from plantid_core import open_workbench
from plantid_core.plants import Place
from plantid_core.resilience import Breaker, strategy
from plantid_core.upload import Upload, admit


def admitting() -> None:
    admit("not bytes", "leaf.jpg")  # E: arg-type
    admit(b"", "leaf.jpg").jpeg = b""  # E: misc


def identifying(upload: Upload) -> None:
    workbench = open_workbench()
    workbench.identify([b"bytes"])  # E: list-item
    workbench.identify([upload], ["leaf"])  # E: call-arg
    workbench.identify([upload], organs=["root"])  # E: list-item
    workbench.identify([upload], place=(48.2, 16.4))  # E: arg-type
    workbench.identify([upload], place=Place(48.2, 16.4)).rung = "fresh"  # E: misc
    workbench.readiness()["ready"] = "yes"  # E: typeddict-item
    workbench.readiness()["redy"]  # E: typeddict-item


def calling(breaker: Breaker) -> None:
    def ask(name: str) -> int:
        return len(name)

    breaker.call(ask)  # E: call-arg
    breaker.call(ask, 1)  # E: arg-type
    answer: str = breaker.call(ask, "oak")  # E: assignment
    breaker.force("ajar")  # E: arg-type
    del answer


def caching() -> None:
    strategy("lease", "redis://localhost", ttl_s=60.0)  # E: arg-type
