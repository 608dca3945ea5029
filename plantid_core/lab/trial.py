"""One file through our chain and through the usual validator, side by side."""

from __future__ import annotations

import csv
import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plantid_core.errors import UploadRejected
from plantid_core.lab.attacks import MARK
from plantid_core.lab.boxed import SeedVerdict, run_seed
from plantid_core.upload import Policy
from plantid_core.upload.isolation.pool import shared_pool
from plantid_core.upload.rejection import LAYERS

if TYPE_CHECKING:
    from plantid_core.upload.chain import Upload
    from plantid_core.upload.examination import Examination

_MB = 1e6


@dataclass(frozen=True, slots=True)
class Trial:
    """What both made of a file of ``size`` bytes.

    ``ours`` is None where a worker failed over it, which ``failure`` then tells. ``leaks`` and
    ``let_in`` judge the usual validator: its output holds the planted mark; it accepted what is
    hostile.
    """

    size: int
    ours: Examination | None
    failure: UploadRejected | None
    usual: SeedVerdict
    hostile: bool

    @property
    def rejected(self) -> UploadRejected | None:
        """Return our refusal, None for an accepted file."""
        return self.failure or (self.ours.rejected if self.ours else None)

    @property
    def let_in(self) -> bool:
        """Tell whether the usual validator accepted what it should not."""
        return self.hostile and self.usual.verdict == "accept"

    @property
    def leaks(self) -> bool:
        """Tell whether the usual validator's clean copy still holds the payload."""
        return bool(self.usual.output and MARK in self.usual.output)

    def as_csv(self) -> bytes:
        """Return a row a gate of ours, and one for the usual validator."""
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(["contestant", "gate", "verdict", "ms", "peak_mb"])
        reached = self.ours.gates if self.ours else ()
        for gate in reached:
            word = "passed" if gate.passed else "refused"
            writer.writerow(
                ["ours", gate.layer, word, round(gate.ms, 3), round(gate.peak_bytes / _MB, 2)]
            )
        for layer in LAYERS[len(reached) :]:
            writer.writerow(["ours", layer, "not reached", "", ""])
        usual = self.usual
        peak = round(usual.peak_bytes / _MB, 2)
        writer.writerow(["usual", usual.layer or "", usual.verdict, round(usual.ms, 3), peak])
        return text.getvalue().encode()


def run(upload: Upload, *, hostile: bool) -> Trial:
    """Return what both make of the file; ``hostile`` tells whether it ought to be refused."""
    with ThreadPoolExecutor(1) as executor:
        usual = executor.submit(run_seed, upload)
        ours, failure = None, None
        try:
            ours = shared_pool().examine(upload.data, upload.filename, Policy())
        except UploadRejected as rejected:
            failure = rejected
        return Trial(len(upload.data), ours, failure, usual.result(), hostile)
