"""A herbarium tried on its own photos, drawn from kinds that are known to differ."""

from __future__ import annotations

import datetime as dt
import hashlib

import numpy as np
import pytest

from plantid_core.plants import Taxon
from plantid_core.providers.herbarium.herbarium import Confusion, Herbarium
from plantid_core.providers.herbarium.learn import learn, prepare
from plantid_core.providers.herbarium.sentence import findings

MADE = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
ALIKE = 3


@pytest.fixture(scope="module")
def herbarium() -> Herbarium:
    """Return one of eight kinds by six photos; the first three hardly differ, the last has one photo."""
    rng = np.random.default_rng(7)
    middles = rng.gamma(2.0, 1.0, (8, 1280))
    middles[1:ALIKE] = middles[0]
    labels = np.repeat(np.arange(8), [6, 6, 6, 6, 6, 6, 6, 1])
    features = middles[labels] + rng.normal(0, 0.8, (len(labels), 1280))
    return learn(
        features.astype(np.float32),
        [Taxon(f"Planta {'abcdefgh'[label]}") for label in labels],
        [None] * len(labels),
        frozenset(hashlib.sha256(bytes([row])).digest() for row in range(len(labels))),
        MADE,
        prepare(),
    )


def test_what_cannot_be_told_apart_is_confused_and_still_among_the_first_five(
    herbarium: Herbarium,
) -> None:
    """Photos of the three alike kinds are taken for one another, and for nothing else."""
    figures = herbarium.figures
    alike = {f"Planta {letter}" for letter in "abc"}

    assert (figures.judged, figures.lone, figures.left_out) == (42, 1, "photo")
    assert figures.top1 is not None
    assert figures.top1 < 1.0
    assert figures.top5 == 1.0
    assert sum(one.photos for one in figures.confusions) == round((1 - figures.top1) * 42)
    assert {one.shown for one in figures.confusions} <= alike
    assert all(isinstance(one, Confusion) and one.taken_for in alike for one in figures.confusions)


def test_strangers_are_tried_too(herbarium: Herbarium) -> None:
    """Known plants mostly get a name; those whose whole kind was left out, and has no like, do not."""
    figures = herbarium.figures

    assert figures.named is not None
    assert figures.strangers_named is not None
    assert figures.strangers_named < 0.6 < figures.named


def test_the_figures_are_said_with_what_they_mean(herbarium: Herbarium) -> None:
    """How it was tried, with an interval, and that one plant could not be."""
    holds, accuracy, caution = findings(herbarium)

    assert holds == "It knows 8 plants by 43 photos."
    assert (
        "Tried on 42 of its own photos, each left out once while the others of its plant"
        in accuracy
    )
    assert "among its first five" in accuracy
    assert "1 plant has a single photo" in caution
