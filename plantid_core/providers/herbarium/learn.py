"""From features and names to a herbarium, tried on its own photos."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from plantid_core.providers.herbarium import calibration, discriminant
from plantid_core.providers.herbarium.herbarium import Confusion, Entry, Figures, Herbarium
from plantid_core.providers.recognition import digest, expected_features

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from plantid_core.plants import Taxon
    from plantid_core.providers.herbarium.calibration import Calibration
    from plantid_core.providers.herbarium.discriminant import Distances

    Whole = NDArray[np.intp]

_CONFUSIONS = 20
_FIRST = 5


def prepare() -> NDArray[np.float64]:
    """Load what `learn` needs, which can be done while photos are looked at; raises `ModelUnavailable`.

    Returns the features that are expected of any photo, (1280,).
    """
    import scipy.optimize
    import scipy.stats
    import sklearn.covariance

    del scipy, sklearn
    return expected_features("lite0")


def learn(
    features: NDArray[np.float32],
    taxa: Sequence[Taxon],
    sources: Sequence[str | None],
    members: frozenset[bytes],
    made: dt.datetime,
    expected: NDArray[np.float64],
) -> Herbarium:
    """Return the herbarium of n photos by their features (n, 1280); ``expected`` is from `prepare`."""
    names = sorted({(taxon.scientific_name, taxon.rank) for taxon in taxa})
    number = {name: at for at, name in enumerate(names)}
    labels = np.asarray([number[taxon.scientific_name, taxon.rank] for taxon in taxa], np.intp)
    of_name = {number[taxon.scientific_name, taxon.rank]: taxon for taxon in reversed(taxa)}
    counts = np.bincount(labels)
    fitted = discriminant.fit(features, labels, expected)
    groups = _groups(labels, sources)
    kept = fitted.held_out(groups)
    strangers = None
    if len(names) > 1:
        strangers = fitted.held_out([np.flatnonzero(labels == at) for at in range(len(names))])
    judged = np.isfinite(kept.species[np.arange(len(labels)), labels])
    tuned = calibration.fit(kept[judged], labels[judged], strangers, len(labels))
    by_source = len(groups) < len(labels)
    lone = sum(count == 1 for count in Counter(int(labels[group[0]]) for group in groups).values())
    figures = Figures("source" if by_source else "photo", int(judged.sum()), lone)
    if judged.any():
        titles = [name for name, _ in names]
        figures = _figures(figures, kept[judged], labels[judged], strangers, tuned, titles)
    return Herbarium(
        entries=tuple(Entry(of_name[at], int(counts[at])) for at in range(len(names))),
        discriminant=fitted.discriminant(),
        calibration=tuned,
        figures=figures,
        members=members,
        model=digest("lite0"),
        made=made,
    )


def _groups(labels: Whole, sources: Sequence[str | None]) -> list[Whole]:
    """Return the rows that are left out together: those of one name and source, else each alone."""
    rows: dict[tuple[int, str | int], list[int]] = {}
    for row, (label, source) in enumerate(zip(labels, sources, strict=True)):
        rows.setdefault((int(label), row if source is None else source), []).append(row)
    return [np.asarray(group, np.intp) for group in rows.values()]


def _figures(
    base: Figures,
    kept: Distances,
    labels: Whole,
    strangers: Distances | None,
    tuned: Calibration,
    titles: Sequence[str],
) -> Figures:
    from dataclasses import replace

    from scipy.stats import binomtest

    order = np.argsort(kept.species, axis=1, kind="stable")[:, :_FIRST]
    right = order == labels[:, None]
    first = int(right[:, 0].sum())
    interval = binomtest(first, len(labels)).proportion_ci(method="wilson")
    wrong = Counter(
        (titles[label], titles[said])
        for label, said in zip(labels, order[:, 0], strict=True)
        if label != said
    )
    named = tuned.known(kept) >= calibration.NAMED_FROM
    taken_for_known = None
    if strangers is not None:
        taken_for_known = float((tuned.known(strangers) >= calibration.NAMED_FROM).mean())
    return replace(
        base,
        top1=first / len(labels),
        top5=float(right.any(axis=1).mean()),
        low=float(interval.low),
        high=float(interval.high),
        named=float(named.mean()),
        strangers_named=taken_for_known,
        confusions=tuple(
            Confusion(shown, said, photos)
            for (shown, said), photos in wrong.most_common(_CONFUSIONS)
        ),
    )
