"""An evaluation as tidy tables: every figure, and every answer that the figures are made of."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from plantid_core.compare.evaluate.judgement import CONSENSUS
from plantid_core.export.tidy import WHOLE, rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pandas as pd

    from plantid_core.compare.evaluate.judgement import Judgement
    from plantid_core.compare.names.values import Reconciled
    from plantid_core.evaluation.result import Evaluation, Heard


def figures(evaluation: Evaluation) -> pd.DataFrame:
    """Return a row a provider and metric: ``provider, sandbox, metric, value, low, high, n``."""
    import pandas as pd

    told = [
        {"provider": name, "sandbox": name in evaluation.sandbox, "metric": metric, **one.to_dict()}
        for name, own in evaluation.measured.providers.items()
        for metric, one in own.items()
    ]
    columns = ["provider", "sandbox", "metric", "value", "low", "high", "n"]
    return pd.DataFrame(told, columns=columns)


def answers(evaluation: Evaluation) -> pd.DataFrame:
    """Return a row a name that was given to a photo, and one where none was; the joint ranking too.

    ``file, sha256, label, level, truth_species, truth_genus, truth_family`` tell the label, then come the
    columns of `plantid_core.export.tidy`, and ``species, genus, family``, the reconciled keys that are
    compared, with ``elapsed_ms`` of the answer. The joint ranking's rows are what counts of it; where it
    abstains, ``error`` has the reason.
    """
    import pandas as pd

    judged: defaultdict[str, dict[str, Judgement]] = defaultdict(dict)
    for judgement in evaluation.judgements:
        judged[judgement.photo.file][judgement.provider] = judgement
    told = [row for one in evaluation.heard for row in _rows(one, judged[one.photo.file])]
    return pd.DataFrame(told).astype(dict(WHOLE) if told else {})


def _rows(heard: Heard, judged: Mapping[str, Judgement]) -> Iterator[dict[str, object]]:
    photo = heard.photo
    label = {
        "file": photo.file,
        "sha256": heard.sha256,
        "label": photo.label,
        "level": photo.level,
        "truth_species": photo.species,
        "truth_genus": photo.genus,
        "truth_family": photo.family,
    }
    elapsed = {answer.provider: answer.elapsed_ms for answer in heard.answers}
    for row in rows(heard.answers):
        own = judged[row["provider"]].names
        taxon = own[row["rank"] - 1] if row["rank"] and own else None
        yield {**label, **row, **_keys(taxon), "elapsed_ms": elapsed[row["provider"]]}
    joint = judged[CONSENSUS]
    said = {
        "provider": CONSENSUS,
        "sandbox": joint.sandbox,
        "status": joint.status,
        "source": "local",
        "error": heard.joint.abstained,
        "elapsed_ms": joint.latency_ms,
    }
    nothing = {**label, **said, "rank": None, "scientific_name": None, "score": None, **_keys(None)}
    for rank, (taxon, score) in enumerate(zip(joint.names, joint.scores, strict=True), start=1):
        named = {"rank": rank, "scientific_name": taxon.scientific_name, "score": score}
        yield {**nothing, **named, **_keys(taxon)}
    if not joint.names:
        yield nothing


def _keys(taxon: Reconciled | None) -> dict[str, str | None]:
    """Return what is compared; the family replaces the service's own word for it."""
    if taxon is None:
        return {"species": None, "genus": None, "family": None}
    return {"species": taxon.species, "genus": taxon.genus, "family": taxon.family}
