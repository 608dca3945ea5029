"""What is kept is found again, whole, by its owner alone; on SQLite and on Postgres."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from observations import CHERRY, DAY_ONE, answered, determined, observed, silent

from plantid_core.errors import ObservationNotFound, ObservationRefused
from plantid_core.plants import Place, Taxon
from plantid_core.store.history import statements
from plantid_core.store.history.values import Circumstances, Filter, Forgotten, KeptPhoto

if TYPE_CHECKING:
    from plantid_core.store.history.history import History
    from plantid_core.store.history.values import Observed

# What a database can hold; what it cannot has a test of its own.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)


def ids(found: tuple[Observed, ...]) -> list[str]:
    return [one.id for one in found]


def test_an_observation_is_read_back_as_it_was_kept(history: History) -> None:
    """Photos, answers with and without names, the joint ranking, circumstances, determinations."""
    whole = observed(determinations=(determined(), determined("second", "rejected", None)))

    assert history.add(whole)

    assert history.get("ann", "one") == whole


@given(
    text=TEXT,
    latitude=st.floats(-90, 90),
    longitude=st.floats(-180, 180),
    score=st.floats(0, 1),
    day=st.dates(),
    made_at=st.datetimes(timezones=st.timezones()).filter(lambda t: 1 < t.year < 9999),
)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_is_said_is_read_back(
    history: History,
    text: str,
    latitude: float,
    longitude: float,
    score: float,
    day: dt.date,
    made_at: dt.datetime,
) -> None:
    """Any text, any place, any time of any zone."""
    where = Circumstances(day, Place(latitude, longitude), 1e-3, text, text)
    made = determined(taxon=Taxon(text, text, common_names=(text,)), score=score, note=text)
    kept = observed(
        made_at=made_at,
        circumstances=where,
        answers=(answered(name=text), replace(silent(), project=text)),
        determinations=(made,),
    )

    history.delete_all("ann")
    history.add(kept)

    # A time that a zone's clocks skip or repeat equals nothing but itself.
    assert history.get("ann", "one") == replace(kept, made_at=made_at.astimezone(dt.UTC))


def test_adding_twice_changes_nothing(history: History) -> None:
    """The first one stands, also where the second says otherwise."""
    history.add(observed())

    again = history.add(observed(language="fr", answers=()))

    assert not again
    assert history.get("ann", "one") == observed()
    assert history.find("ann").total == 1


def test_many_are_kept_at_once_each_with_its_own_parts(history: History) -> None:
    """Of several owners, in their order; what is known, or comes twice, is left as it was."""
    known = observed("known", day=1)
    history.add(known)
    new = [
        observed("two", answers=(silent(), answered(name="Malus domestica"), answered())),
        observed("two", "ben", determinations=(determined(), determined("second"))),
        observed("three", answers=(), photos=()),
    ]
    changed = replace(known, language="fr")

    added = history.add_many([(one, {}) for one in (*new, changed, new[0])])

    assert added == 3
    assert [history.get(one.owner, one.id) for one in new] == new
    assert history.get("ann", "known") == known


def test_where_one_of_many_cannot_be_kept_none_is(history: History) -> None:
    """Whoever wants the others kept gives them alone."""
    bad = observed("bad", circumstances=Circumstances(place=Place(95.0, 0.0)))

    with pytest.raises(ObservationRefused, match="latitude"):
        history.add_many([(observed("good"), {}), (bad, {})])

    assert history.find("ann").total == 0


def test_the_photos_of_an_owner_are_told(history: History) -> None:
    """Each once; nobody else's."""
    history.add(observed("one"))
    history.add(observed("two", photos=observed("one").photos))
    history.add(observed("three", "ben"))

    assert history.photo_ids("ann") == {observed("one").photos[0].photo_id}


def test_text_that_no_database_takes_is_mended(history: History) -> None:
    """NUL goes, half a surrogate pair becomes the sign for what is missing."""
    where = replace(observed().circumstances, recorded_by="A\0nn \ud83c!")
    photos = (KeptPhoto("ab" * 32, "leaf", 1, 1, "P\0NG\ud800"),)
    said = answered(name="Pru\0nus \udc00", provider="plant\0net")
    decided = replace(determined(), provider="plant\0net")
    made = observed(circumstances=where, photos=photos, answers=(said,), determinations=(decided,))
    history.add(made)

    kept = history.get("ann", "one")

    assert kept.circumstances.recorded_by == "Ann �!"
    assert kept.photos[0].source_format == "PNG�"
    assert kept.answers[0].provider == kept.determinations[0].provider == "plantnet"
    assert kept.answers[0].suggestions[0].taxon.scientific_name == "Prunus �"


def test_nobody_reaches_what_is_another_s(history: History) -> None:
    """Not even by its id, which two people may use for things of their own."""
    history.add(observed())
    history.add(observed("two", "bob"))

    with pytest.raises(ObservationNotFound):
        history.get("bob", "one")
    with pytest.raises(ObservationNotFound):
        history.determine("bob", "one", determined())
    with pytest.raises(ObservationNotFound):
        history.describe("bob", "one", Circumstances())
    assert history.delete("bob", ["one"]) == Forgotten(0)
    assert ids(history.find("bob").observations) == ["two"]
    assert history.add(observed("two"))
    assert history.owners() == ("ann", "bob")


def test_what_is_not_kept_is_not_found(history: History) -> None:
    """Whatever the id looks like."""
    history.add(observed())

    for unknown in ("none", "", "o\0ne", "one' OR '1'='1", "é" * 70):
        with pytest.raises(ObservationNotFound):
            history.get("ann", unknown)
        assert history.delete("ann", [unknown]).observations == 0


def test_the_last_determination_stands(history: History) -> None:
    """All are kept, in the order they were made; one that is sent again is there once."""
    history.add(observed())
    first, second = (
        determined(),
        determined("second", "changed", Taxon("Prunus avium"), note="bark"),
    )

    for made in (first, second, first):
        history.determine("ann", "one", made)

    kept = history.get("ann", "one")
    assert kept.determinations == (first, second)
    assert kept.determination == second


def test_a_determination_keeps_the_sandbox_s_mark(history: History) -> None:
    """Whoever reads it is told."""
    history.add(observed())

    history.determine("ann", "one", determined(sandbox=True, provider="plant_id", score=0.5))

    assert history.get("ann", "one").determinations[0].sandbox


def test_circumstances_are_replaced(history: History) -> None:
    """Also by nothing at all."""
    history.add(observed())

    history.describe("ann", "one", Circumstances(recorded_by="Bo"))

    assert history.get("ann", "one") == observed(circumstances=Circumstances(recorded_by="Bo"))


def test_pages_are_newest_first_and_stand_still(history: History) -> None:
    """What is added or deleted between two pages moves no other from one to the next."""
    for day in range(7):
        history.add(observed(f"day-{day}", day=day))
    history.add(observed("day-3b", day=3))

    first = history.find("ann", limit=3)
    history.add(observed("day-9", day=9))
    history.delete("ann", ["day-4"])
    second = history.find("ann", limit=3, after=first.after)
    third = history.find("ann", limit=3, after=second.after)

    assert ids(first.observations) == ["day-6", "day-5", "day-4"]
    assert ids(second.observations) == ["day-3b", "day-3", "day-2"]
    assert ids(third.observations) == ["day-1", "day-0"]
    assert (first.total, third.total, third.after) == (8, 8, None)


def test_all_are_yielded_beyond_a_page(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    """Newest first, each once."""
    monkeypatch.setattr(statements, "BATCH", 3)
    for day in range(8):
        history.add(observed(f"day-{day}", day=day))

    assert [one.id for one in history.all("ann")] == [f"day-{day}" for day in range(7, -1, -1)]


def test_many_are_deleted_at_once(history: History) -> None:
    """More than a database takes parameters in one statement; strange ids are nobody's."""
    history.add(observed("one"))
    history.add(observed("two"))

    gone = history.delete("ann", ["one", "o/ne", "\ud800", *(f"no-{n}" for n in range(70_000))])

    assert gone.observations == 1
    assert ids(history.find("ann").observations) == ["two"]


def test_a_mark_that_is_none_is_refused(history: History) -> None:
    """Also one that a person wrote into a link."""
    for after in ("", "x.one", "12", "12.", "1e9.one", "9" * 40 + ".one", "1.a'b"):
        with pytest.raises(ObservationRefused, match="after"):
            history.find("ann", after=after)


WANTED = {
    "all": (Filter(), ["rose", "confirmed", "silent", "cherry"]),
    "text": (Filter(text=" SERRULATA "), ["confirmed", "cherry"]),
    "common name": (Filter(text="ōyama"), ["confirmed", "cherry"]),
    "determined": (Filter(text="prunus avium"), ["confirmed"]),
    "wildcards": (Filter(text="P%s_rr"), []),
    "percent": (Filter(text="100%_/\\"), ["rose"]),
    "provider": (Filter(provider="plantnet"), ["rose", "confirmed", "cherry"]),
    "no text": (Filter(provider="\ud800"), []),
    "silent provider": (Filter(provider="plant_id"), []),
    "verified": (Filter(verified=True), ["confirmed"]),
    "unverified": (Filter(verified=False), ["rose", "silent", "cherry"]),
    "since": (Filter(since=DAY_ONE + dt.timedelta(days=2)), ["rose", "confirmed"]),
    "until": (Filter(until=DAY_ONE + dt.timedelta(days=2)), ["silent", "cherry"]),
    "no sandbox": (Filter(sandbox=False), ["confirmed", "silent", "cherry"]),
    "several": (Filter(text="prunus", verified=False, sandbox=False), ["cherry"]),
    "nul": (Filter(text="pru\0nus", provider="plant\0net"), ["confirmed", "cherry"]),
}


def test_filters(history: History) -> None:
    """Each alone, and several at once."""
    history.add(observed("cherry"))
    history.add(observed("silent", day=1, answers=(silent(),)))
    changed = determined(action="changed", taxon=Taxon("Prunus avium"))
    history.add(observed("confirmed", day=2, determinations=(changed,)))
    emulated = answered(name="Rosa 100%_/\\ 'alba'", sandbox=True)
    taken_back = (determined(), determined("second", "rejected", None))
    history.add(observed("rose", day=3, answers=(emulated,), determinations=taken_back))

    found = {case: history.find("ann", wanted) for case, (wanted, _) in WANTED.items()}

    # A determination of the past is a name still to be found by.
    expected = {case: right for case, (_, right) in WANTED.items()}
    expected["text"] = expected["common name"] = ["rose", "confirmed", "cherry"]
    expected["nul"] = ["rose", "confirmed", "cherry"]
    assert {case: ids(page.observations) for case, page in found.items()} == expected
    assert all(page.total == len(page.observations) for page in found.values())


def test_deleting_tells_what_is_to_follow(history: History) -> None:
    """Photos that the owner needs no more, whoever else has them; where the answers may be cached."""
    shared = observed().photos
    keys = {"plantnet": "key-1", "plant_id": "key-2"}
    history.add(observed("one", photos=shared), keys)
    history.add(observed("two", photos=(*shared, *observed("two").photos)), {"plantnet": "key-3"})
    history.add(observed("one", "bob", photos=shared), keys)

    first = history.delete("ann", ["one", "one", "none"])
    second = history.delete_all("ann")

    own = observed("two").photos[0].photo_id
    assert first == Forgotten(1, (), ("key-1", "key-2"))
    assert second == Forgotten(1, tuple(sorted((shared[0].photo_id, own))), ("key-3",))
    assert history.delete_all("ann") == Forgotten(0)
    assert history.get("bob", "one").photos == shared


def test_what_is_old_expires(history: History) -> None:
    """Everybody's, and no younger one."""
    history.add(observed("old", day=0), {"plantnet": "key"})
    history.add(observed("new", day=5))
    history.add(observed("old", "bob", day=1))
    history.add(observed("new", "cid", day=5))

    gone = history.expire(DAY_ONE + dt.timedelta(days=5))

    photo_id = observed("old").photos[0].photo_id
    assert gone == {"ann": Forgotten(1, (photo_id,), ("key",)), "bob": Forgotten(1, (photo_id,))}
    assert ids(history.find("ann").observations) == ["new"]
    assert history.owners() == ("ann", "cid")


NO_ZONE = dt.datetime(2025, 5, 1)  # noqa: DTZ001 - the fault to be found
BEFORE_TIME = dt.datetime(1, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=5)))
BAD_PLACES = [Place(90.1, 0), Place(0, -180.5), Place(float("nan"), 0), Place(0, float("inf"))]
REFUSED = {
    "owner": [observed(owner=""), observed(owner="a\0"), observed(owner="x" * 300)],
    "id": [observed("o/ne"), observed("x" * 65)],
    "made_at": [observed(made_at=NO_ZONE), observed(made_at=BEFORE_TIME)],
    "place": [observed(circumstances=Circumstances(place=place)) for place in BAD_PLACES],
    "uncertainty_m": [observed(circumstances=Circumstances(uncertainty_m=-1.0))],
    "recorded_by": [observed(circumstances=Circumstances(recorded_by="x" * 501))],
    "note": [observed(determinations=(determined(note="x" * 10_001),))],
    "score": [observed(determinations=(determined(score=float("nan")),))],
    "an answer": [
        observed(answers=(answered(elapsed_ms=float("nan")),)),
        observed(answers=(answered(remaining=2**70),)),
        observed(rung="nowhere"),
    ],
    "a determination": [
        observed(determinations=(determined(action="guessed"),)),  # type: ignore[arg-type]
        observed(determinations=(determined(taxon=Taxon("Prunus", rank=None)),)),  # type: ignore[arg-type]
        observed(determinations=(determined(taxon=Taxon("Prunus", common_names=None)),)),  # type: ignore[arg-type]
    ],
}


def test_what_cannot_be_kept_is_refused(history: History) -> None:
    """With the field, its bound and what it was; nothing of it is kept."""
    for field, bad in [(field, one) for field, some in REFUSED.items() for one in some]:
        with pytest.raises(ObservationRefused, match=field) as refused:
            history.add(bad)

        assert refused.value.limit in str(refused.value)
        assert refused.value.value in str(refused.value)
    assert history.owners() == ()


@pytest.mark.parametrize("key", ["k" * 501, "k\0", "\ud800"])
def test_a_cache_key_that_cannot_be_kept_is_refused(history: History, key: str) -> None:
    """It is no address that could be forgotten later."""
    with pytest.raises(ObservationRefused, match="cache_key"):
        history.add(observed(), {"plantnet": key})

    assert history.owners() == ()


def test_edits_are_held_to_the_same_bounds(history: History) -> None:
    """A determination and circumstances that come later."""
    history.add(observed())

    with pytest.raises(ObservationRefused, match="note"):
        history.determine("ann", "one", determined(note="x" * 10_001))
    with pytest.raises(ObservationRefused, match="a determination"):
        history.determine("ann", "one", determined(action="guessed"))  # type: ignore[arg-type]
    with pytest.raises(ObservationRefused, match="latitude"):
        history.describe("ann", "one", Circumstances(place=Place(-91, 0)))

    assert history.get("ann", "one") == observed()


def test_the_taxon_of_a_determination_is_kept_whole(history: History) -> None:
    """With the links that it had."""
    history.add(observed())

    history.determine("ann", "one", determined(taxon=CHERRY))

    assert history.get("ann", "one").determinations[0].taxon == CHERRY
