"""The chain gate by gate, with what each cost: for the Upload lab, and for bulk work in a worker."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from plantid_core.errors import UploadRejected
from plantid_core.upload import container, sniff
from plantid_core.upload.chain import as_photo, require_size
from plantid_core.upload.decode.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from plantid_core.upload.container import Header
    from plantid_core.upload.photo import Photo
    from plantid_core.upload.policy import Policy
    from plantid_core.upload.rejection import Layer

    T = TypeVar("T")


class Meter(Protocol):
    """Measures memory; `plantid_core.upload.isolation.peak.PeakMemory` is one."""

    def begin(self) -> None:
        """Begin a stretch."""

    def taken(self) -> int:
        """Return the bytes it took at most."""


@dataclass(frozen=True, slots=True)
class Gate:
    """One gate that was reached; ``ms`` milliseconds, ``peak_bytes`` above what was in use before."""

    layer: Layer
    passed: bool
    ms: float
    peak_bytes: int


@dataclass(frozen=True, slots=True)
class Examination:
    """The gates reached, in order, and the verdict: a photo, or why there is none.

    ``header`` is there from the header gate on; of one that came from a worker, it holds no parts.
    """

    gates: tuple[Gate, ...]
    mime: str
    header: Header | None
    photo: Photo | None
    rejected: UploadRejected | None


class _Walk:
    """Gates passed one after another; the first that refuses ends the walk."""

    def __init__(self, meter: Meter) -> None:
        self.gates: list[Gate] = []
        self._meter = meter

    def through(self, layer: Layer, work: Callable[[], T]) -> T:
        self._meter.begin()
        begin, passed = time.perf_counter(), False
        try:
            result = work()
            passed = True
        finally:
            ms = (time.perf_counter() - begin) * 1e3
            self.gates.append(Gate(layer, passed, ms, self._meter.taken()))
        return result


def examine(data: bytes, filename: str, policy: Policy, meter: Meter) -> Examination:
    """Run the whole chain in this process; a refusal is part of what is returned."""
    walk = _Walk(meter)
    header: Header | None = None
    photo: Photo | None = None
    rejected: UploadRejected | None = None
    try:
        walk.through("size", lambda: require_size(len(data), policy))
        promised = walk.through("name", lambda: sniff.format_of_name(filename, policy))
        found = walk.through("type", lambda: sniff.require_type(data, promised))
        header = walk.through("header", lambda: container.walk(data, found, policy))
        photo = _decoded(data, header, policy, walk)
    except UploadRejected as error:
        rejected = error
    return Examination(tuple(walk.gates), sniff.mime_type(data), header, photo, rejected)


def _decoded(data: bytes, header: Header, policy: Policy, walk: _Walk) -> Photo:
    from plantid_core.upload.decode.picture import decode, encode

    plan = Plan.of(header, policy)
    raster = walk.through("decode", lambda: decode(header.stripped(data), plan))
    return walk.through("re-encode", lambda: as_photo(encode(raster, plan), header, policy))
