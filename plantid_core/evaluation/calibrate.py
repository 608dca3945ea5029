"""What the measured providers' scores are worth, kept for the joint ranking."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plantid_core.compare.evaluate.judgement import CONSENSUS
from plantid_core.compare.evaluate.sentence import titled
from plantid_core.errors import TooFewPhotos

if TYPE_CHECKING:
    from plantid_core.compare.calibration import Calibration
    from plantid_core.evaluation.result import Evaluation


def calibrated(evaluation: Evaluation, before: Calibration) -> tuple[Calibration, tuple[str, ...]]:
    """Return the calibration with every measured provider fitted anew, and what was done in sentences.

    It is fitted on the first names of the species-labelled photos. A provider with too few of them keeps
    what it had. What the sandbox answered is only ever used for the sandbox.
    """
    calibration, told = before, []
    for provider in evaluation.measured.providers:
        if provider == CONSENSUS:
            continue
        own = [one for one in evaluation.judgements if one.provider == provider]
        claims = [(one.score, one.rank == 1) for one in own if one.photo.species and one.answered]
        pairs = [(score, right) for score, right in claims if score is not None]
        title, sandbox = titled(provider, evaluation.sandbox), provider in evaluation.sandbox
        scores, rights = [score for score, _ in pairs], [right for _, right in pairs]
        try:
            calibration = calibration.fitted(provider, scores, rights, sandbox=sandbox)
            told.append(f"{title}: calibrated on {len(pairs)} photos.")
        except TooFewPhotos as few:
            told.append(f"{title}: not calibrated. {few}")
    return calibration, tuple(told)
