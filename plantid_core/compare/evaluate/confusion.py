"""What was said instead of the right name, how often, and on which photos."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from plantid_core.compare.evaluate.judgement import Judgement

NO_PLANT = "not a plant"


@dataclass(frozen=True, slots=True)
class Confusion:
    """``said`` was named first where ``truth`` was to be named, on ``files`` (all of the ``n``)."""

    truth: str
    said: str
    n: int
    files: tuple[str, ...]

    def to_dict(self) -> dict[str, object]:
        """Return the JSON form."""
        return {**asdict(self), "files": list(self.files)}


def confusions(judgements: Iterable[Judgement]) -> dict[str, tuple[Confusion, ...]]:
    """Return each provider's confusions, the most frequent first.

    A first name that is wrong at the label's own level is one; silence is not. "Not a plant" is a truth
    like others.
    """
    found: dict[str, defaultdict[tuple[str, str], list[str]]] = {}
    for judgement in judgements:
        own = found.setdefault(judgement.provider, defaultdict(list))
        if judgement.first is not None and not judgement.right:
            truth = judgement.photo.truth
            name = truth.scientific_name if truth else NO_PLANT
            own[name, judgement.first.scientific_name].append(judgement.photo.file)
    return {
        provider: tuple(
            Confusion(truth, said, len(files), tuple(sorted(files)))
            for (truth, said), files in sorted(
                own.items(), key=lambda item: (-len(item[1]), item[0])
            )
        )
        for provider, own in found.items()
    }
