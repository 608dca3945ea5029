"""Labelled photos and answers, made up."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from plantid_core.compare.consensus import consensus
from plantid_core.compare.evaluate.judgement import Judgement, judge, judge_joint
from plantid_core.compare.evaluate.label import Labelled, labelled
from plantid_core.compare.evaluate.measure import measure
from plantid_core.compare.names.reconcile import shipped
from plantid_core.evaluation.result import Evaluation, Heard
from plantid_core.plants import Answer, Suggestion, Taxon

if TYPE_CHECKING:
    import numpy as np

    from plantid_core.plants import AnswerStatus, Source

SPECIES = (
    "Prunus serrulata",
    "Prunus persica",
    "Malus domestica",
    "Citrus × aurantium",
    "Solanum tuberosum",
    "Zea mays",
)
LABELS = (*SPECIES, "Prunus", "Tsuga sp.", "not a plant")


def photo(label: str, file: str = "leaf.jpg") -> Labelled:
    return labelled(file, Path(file), label, shipped())


def answer(
    provider: str,
    *names: tuple[str, float],
    status: AnswerStatus = "ok",
    source: Source = "upstream",
    sandbox: bool = False,
    elapsed_ms: float = 100.0,
) -> Answer:
    suggestions = tuple(Suggestion(Taxon(name), score) for name, score in names)
    return Answer(provider, status, source, sandbox, elapsed_ms, suggestions=suggestions)


def judged(label: str, *names: tuple[str, float], status: AnswerStatus = "ok") -> Judgement:
    """Return how right ``plantnet`` is with these names for a photo of that label."""
    return judge(photo(label), answer("plantnet", *names, status=status), shipped())


def evaluation(heard: list[Heard], seed: int = 1, resamples: int = 50) -> Evaluation:
    """Return the evaluation of these answers."""
    judgements: list[Judgement] = []
    for one in heard:
        parts = [judge(one.photo, given, shipped()) for given in one.answers]
        judgements += [*parts, judge_joint(one.photo, one.joint, parts, shipped())]
    sandbox = tuple(dict.fromkeys(one.provider for one in judgements if one.sandbox))
    measured = measure(judgements, seed, resamples)
    return Evaluation(tuple(heard), tuple(judgements), measured, sandbox, (), (), seed)


def made_up(rng: np.random.Generator, photos: int) -> list[Heard]:
    """Return three providers' answers to photos of all kinds; scores are coarse, so that some are equal."""
    heard = []
    for number in range(photos):
        shown = photo(LABELS[rng.integers(len(LABELS))], f"{number:03}.jpg")
        answers = tuple(
            _guess(rng, provider, shown.label) for provider in ("plant_id", "plantnet", "offline")
        )
        heard.append(Heard(shown, f"{number:064}", answers, consensus(answers, shipped())))
    return heard


def _guess(rng: np.random.Generator, provider: str, label: str) -> Answer:
    waited, source = float(rng.integers(10, 500)), ("upstream", "redis")[rng.integers(2)]
    told = {"source": "local" if provider == "offline" else source, "elapsed_ms": waited}
    fate = rng.random()
    if fate < 0.25:
        statuses = ("no_match", "not_a_plant", "unavailable", "quota")
        return answer(provider, status=statuses[rng.integers(4)], **told)
    names = [SPECIES[place] for place in rng.permutation(len(SPECIES))[: rng.integers(1, 6)]]
    if fate < 0.6 and label in SPECIES:
        names = [label, *(name for name in names if name != label)]
    if fate > 0.9:
        names = ["Prunus", *names]
    scores = sorted((rng.integers(0, 21, len(names)) / 20).tolist(), reverse=True)
    return answer(provider, *zip(names, scores, strict=True), **told)
