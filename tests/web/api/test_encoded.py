"""The bytes of an answer are the JSON that `Outcome.to_dict` tells."""

from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from observations import SUGGESTION, answered, silent

from plantid_core.plants import (
    Answer,
    Consensus,
    ConsensusEntry,
    Outcome,
    PhotoSummary,
    Stage,
    Suggestion,
)
from plantid_core.web.api.encoded import encoded

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NUMBER = st.floats(0, 1e6, allow_nan=False)
SUGGESTIONS: st.SearchStrategy[tuple[Suggestion, ...]] = st.lists(
    st.builds(
        lambda name, score: replace(
            SUGGESTION, taxon=replace(SUGGESTION.taxon, scientific_name=name), score=score
        ),
        TEXT,
        st.floats(0, 1),
    ),
    max_size=3,
).map(tuple)
ANSWERS: st.SearchStrategy[Answer] = st.one_of(
    st.builds(
        lambda some, age, took: replace(answered(), suggestions=some, age_s=age, elapsed_ms=took),
        SUGGESTIONS,
        NUMBER,
        NUMBER,
    ),
    st.just(silent()),
)
OUTCOMES = st.builds(
    Outcome,
    id=TEXT,
    photos=st.just((PhotoSummary("ab" * 32, 32, 24, "PNG", ("EXIF", "XMP")),)),
    answers=st.lists(ANSWERS, max_size=3).map(tuple),
    consensus=st.builds(
        lambda name, why: Consensus((ConsensusEntry(name, "species", 0.5, ("a", "b")),), why),
        TEXT,
        st.none() | TEXT,
    ),
    rung=st.sampled_from(["fresh", "stale", "none"]),
    degraded=st.sampled_from([(), ("redis",)]),
    trace=st.lists(st.builds(Stage, TEXT, NUMBER, NUMBER, TEXT), max_size=3).map(tuple),
)


@given(OUTCOMES, NUMBER)
def test_the_same_is_told_the_first_time_and_ever_after(outcome: Outcome, age_s: float) -> None:
    """What stays is not encoded twice, and what is each request's own is never another's."""
    later = replace(
        outcome, id="later", answers=tuple(replace(one, age_s=age_s) for one in outcome.answers)
    )

    for one in (outcome, later, outcome):
        assert json.loads(encoded(one)) == json.loads(json.dumps(one.to_dict()))
