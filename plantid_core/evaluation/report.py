"""The report of an evaluation, with small pictures of what was confused and of what it was taken for."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

from plantid_core.compare.evaluate.report import SHOWN, Contents, html
from plantid_core.errors import PlantIDError
from plantid_core.upload import Upload

if TYPE_CHECKING:
    from pathlib import Path

    from plantid_core.evaluation.result import Evaluation
    from plantid_core.workbench import Workbench

_SIDE_PX: Final = 240
_QUALITY: Final = 80


def report(evaluation: Evaluation, workbench: Workbench) -> str:
    """Return the evaluation as an HTML page of its own, with small pictures of the commonest confusions."""
    shown = [pair for own in evaluation.confusions.values() for pair in own[:SHOWN]]
    examples = _examples(evaluation)
    wanted = {pair.files[0] for pair in shown}
    wanted |= {examples[pair.said] for pair in shown if pair.said in examples}
    paths = {one.photo.file: one.photo.path for one in evaluation.heard}
    small = {file: thumbnail(paths[file], workbench) for file in sorted(wanted)}
    return html(
        Contents(
            evaluation.finding,
            evaluation.measured,
            evaluation.sandbox,
            evaluation.reliability,
            evaluation.risk_coverage,
            evaluation.confusions,
            evaluation.notes,
            [(one.file, one.reason) for one in evaluation.refused],
            evaluation.seed,
            {file: jpeg for file, jpeg in small.items() if jpeg is not None},
            examples,
            evaluation.agreement,
        )
    )


def _examples(evaluation: Evaluation) -> dict[str, str]:
    """Return a labelled photo's file by each taxon's name that somebody gave first."""
    by_key: dict[tuple[str, str], str] = {}
    for one in evaluation.heard:
        for level, key in (("species", one.photo.species), ("genus", one.photo.genus)):
            if key is not None:
                by_key.setdefault((level, key), one.photo.file)
    examples: dict[str, str] = {}
    for judgement in evaluation.judgements:
        said = judgement.first
        if said is not None:
            level, key = ("species", said.species) if said.species else ("genus", said.genus)
            if (level, key or "") in by_key:
                examples.setdefault(said.scientific_name, by_key[level, key or ""])
    return examples


def thumbnail(path: Path, workbench: Workbench) -> bytes | None:
    """Return a small JPEG of the cleaned photo; None where it can no longer be read."""
    from PIL import Image

    try:
        photo = workbench.admit(Upload(path.read_bytes(), path.name))
    except (OSError, PlantIDError):
        return None
    with Image.open(io.BytesIO(photo.jpeg)) as whole:
        whole.draft("RGB", (_SIDE_PX, _SIDE_PX))
        small = whole.convert("RGB")
    small.thumbnail((_SIDE_PX, _SIDE_PX))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()
