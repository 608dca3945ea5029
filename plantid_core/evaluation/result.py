"""What an evaluation found, and all that it found it from."""

from __future__ import annotations

import functools
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from plantid_core.compare.evaluate import curves
from plantid_core.compare.evaluate.column import columns
from plantid_core.compare.evaluate.confusion import confusions
from plantid_core.compare.evaluate.sentence import finding

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plantid_core.compare.agreement import PairOver
    from plantid_core.compare.evaluate.confusion import Confusion
    from plantid_core.compare.evaluate.curves import Bin, Risk
    from plantid_core.compare.evaluate.judgement import Judgement
    from plantid_core.compare.evaluate.label import Labelled
    from plantid_core.compare.evaluate.measure import Measured
    from plantid_core.plants import Answer, Consensus


@dataclass(frozen=True, slots=True)
class Heard:
    """What was answered to one photo, and the joint ranking of it; ``sha256`` is the cleaned photo's."""

    photo: Labelled
    sha256: str
    answers: tuple[Answer, ...]
    joint: Consensus


@dataclass(frozen=True, slots=True)
class Refused:
    """A photo that nobody was asked about: ``code`` and ``reason`` say why."""

    file: str
    code: str
    reason: str


@dataclass(frozen=True)
class Evaluation:
    """All that was heard, judged and measured; ``sandbox`` names those that an emulator answered for.

    ``stopped`` tells that it was broken off: it is then of the photos that had been answered.
    ``agreement`` is of each two providers over all photos, whatever the labels say.
    """

    heard: tuple[Heard, ...]
    judgements: tuple[Judgement, ...]
    measured: Measured
    sandbox: tuple[str, ...]
    refused: tuple[Refused, ...]
    notes: tuple[str, ...]
    seed: int
    stopped: bool = False
    agreement: tuple[PairOver, ...] = ()

    @property
    def answered(self) -> bool:
        """Tell whether any provider answered any photo."""
        return any(judgement.answered for judgement in self.judgements)

    @functools.cached_property
    def finding(self) -> str:
        """Return the first sentence: who was right first time, and whether one is better."""
        return finding(self.measured, self.sandbox)

    @functools.cached_property
    def confusions(self) -> Mapping[str, tuple[Confusion, ...]]:
        """Return what each provider took for what."""
        return confusions(self.judgements)

    @functools.cached_property
    def reliability(self) -> Mapping[str, tuple[Bin, ...]]:
        """Return each provider's bins of scores."""
        return {name: curves.reliability(own) for name, own in columns(self.judgements).items()}

    @functools.cached_property
    def risk_coverage(self) -> Mapping[str, tuple[Risk, ...]]:
        """Return each provider's risk–coverage curve."""
        return {name: curves.risk_coverage(own) for name, own in columns(self.judgements).items()}

    def to_dict(self) -> dict[str, object]:
        """Return the JSON of ``plantid evaluate --json``."""
        return {
            "n": self.measured.n,
            "providers": {
                name: {metric: figure.to_dict() for metric, figure in figures.items()}
                for name, figures in self.measured.providers.items()
            },
            "pairs": [pair.to_dict() for pair in self.measured.pairs],
            "agreement": [pair.to_dict() for pair in self.agreement],
            "finding": self.finding,
            "sandbox": list(self.sandbox),
            "refused": [asdict(one) for one in self.refused],
            "notes": list(self.notes),
            "confusions": {
                name: [one.to_dict() for one in own] for name, own in self.confusions.items()
            },
            "reliability": {
                name: [asdict(one) for one in own] for name, own in self.reliability.items()
            },
            "risk_coverage": {
                name: [asdict(one) for one in own] for name, own in self.risk_coverage.items()
            },
            "seed": self.seed,
            "resamples": self.measured.resamples,
            "stopped": self.stopped,
        }
