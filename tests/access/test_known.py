"""`Known`: decisions cost no database for two seconds, and end at once where they are changed."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plantid_core.access.decisions import BELIEVED_S, KEPT_S, Decisions
from plantid_core.access.known import Known
from plantid_core.access.principal import ANONYMOUS, Principal, owner_of
from plantid_core.access.registry import Registry
from plantid_core.access.roles import roles_of
from plantid_core.errors import HistoryUnavailable, TokenRefused
from plantid_core.store.history.engine import Database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from plantid_core.settings import Settings

ISSUER = "https://issuer.example"
ANN = owner_of(ISSUER, "ann")
A_GUESS = f"plantid_{'0' * 16}_{'A' * 43}"


class Clock:
    """Goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def known(registry: Registry, signing_in: Settings, clock: Clock) -> Known:
    return Known(
        registry.people, registry.tokens, registry.sign_ins, roles_of(signing_in), clock=clock
    )


def refused(known: Known, word: str) -> str:
    with pytest.raises(TokenRefused) as failed:
        known.token(word)
    return failed.value.reason


def test_a_tokens_decision_is_at_hand_for_a_moment(
    registry: Registry, known: Known, clock: Clock
) -> None:
    """Until it has to be looked at anew."""
    _, word = registry.tokens.create("local", ["identify"], 1)
    assert known.token_at_hand(word) is None

    found = known.token(word)

    assert found == Principal("token", "admin", "local", frozenset({"identify"}))
    assert known.token_at_hand(word) == found
    clock.now += KEPT_S
    assert known.token_at_hand(word) is None


def test_what_is_ended_here_is_over_at_once(registry: Registry, known: Known) -> None:
    """A token revoked, a person deactivated with their tokens."""
    ann = registry.people.seen(ISSUER, "ann")
    token, word = registry.tokens.create(ann.id, ["identify"], 1)
    _, other = registry.tokens.create(ann.id, ["identify"], 1)
    assert known.token(word).owner == known.token(other).owner == ann.id
    assert known.person(ISSUER, "ann", {}).owner == ann.id

    registry.tokens.revoke(token.id)
    assert refused(known, word) == "revoked"
    assert known.token(other).owner == ann.id

    registry.people.deactivate(ann.id)
    assert refused(known, other) == "deactivated"
    assert known.person(ISSUER, "ann", {}) is ANONYMOUS


def test_long_work_sees_that_its_owner_is_out(
    registry: Registry, elsewhere: Registry, known: Known, clock: Clock
) -> None:
    """In a moment, wherever that was done; the local person always stays."""
    ann = registry.people.seen(ISSUER, "ann").id
    assert [known.is_in(owner) for owner in (ann, "local", "pnobody")] == [True, True, False]

    elsewhere.people.deactivate(ann)
    assert known.is_in(ann)
    clock.now += KEPT_S

    assert not known.is_in(ann)


def test_what_is_ended_elsewhere_is_over_in_a_moment(
    registry: Registry, elsewhere: Registry, known: Known, clock: Clock
) -> None:
    """In another process, that is."""
    ann = known.person(ISSUER, "ann", {"name": "Ann"})
    token, word = registry.tokens.create(ANN, ["identify"], 1)
    known.token(word)

    elsewhere.tokens.revoke(token.id)
    elsewhere.people.deactivate(ANN)
    clock.now += KEPT_S

    assert refused(known, word) == "revoked"
    assert ann.owner == ANN
    assert known.person(ISSUER, "ann", {}) is ANONYMOUS
    assert known.person_at_hand(ISSUER, "ann", {}) is ANONYMOUS


def test_a_token_that_expires_is_kept_no_longer(
    registry: Registry, known: Known, clock: Clock
) -> None:
    """Though its moment is not over."""
    _, word = registry.tokens.create("local", ["identify"], 1.9 / 86_400)
    known.token(word)

    clock.now += 1.9

    assert known.token_at_hand(word) is None


def test_a_person_is_who_the_sign_in_service_says(registry: Registry, known: Known) -> None:
    """Named by a name, never by an address; with the role that is claimed now."""
    claims = {"name": "", "preferred_username": "ann", "email": "ann@example.org"}
    assert known.person_at_hand(ISSUER, "ann", claims) is None

    assert known.person(ISSUER, "ann", claims) == Principal("person", "user", ANN)
    assert registry.people.get(ANN).name == "ann"
    admin = claims | {"roles": ["admin"]}
    assert known.person_at_hand(ISSUER, "ann", admin) is None
    assert known.person(ISSUER, "ann", admin).role == "admin"
    assert known.person(ISSUER, "", claims) is ANONYMOUS


def test_a_claim_of_a_former_sign_in_makes_no_admin(registry: Registry, known: Known) -> None:
    """Two browsers of one person: the one that signed in last tells what they may do."""
    former, latest = {"iat": 1_780_000_000, "roles": ["admin"]}, {"iat": 1_780_000_060}
    assert known.person(ISSUER, "ann", former).role == "admin"
    _, word = registry.tokens.create(ANN, ["operate"], 1)
    assert known.person(ISSUER, "ann", latest).role == "user"

    known.forget()

    assert known.person(ISSUER, "ann", former).role == "user"
    assert known.token(word).role == "user"


@pytest.mark.parametrize("iat", [True, "now", -1, 1e300, float("nan"), None])
def test_a_time_that_is_none_is_before_all_others(
    registry: Registry, known: Known, iat: object
) -> None:
    """Whatever an issuer writes there."""
    known.person(ISSUER, "ann", {"iat": 1_780_000_000})

    assert known.person(ISSUER, "ann", {"iat": iat, "roles": ["admin"]}).role == "user"
    assert registry.people.get(ANN).role == "user"


def test_no_word_is_held(registry: Registry, known: Known) -> None:
    """Good or refused; only digests."""
    _, word = registry.tokens.create("local", ["identify"], 1)
    known.token(word)
    refused(known, A_GUESS)

    held = repr([vars(part) for part in vars(known).values() if isinstance(part, Decisions)])

    assert "admin" in held
    assert "unknown" in held
    assert word[-43:] not in held
    assert A_GUESS[-43:] not in held


class Away:
    """A database of SQLite that can be taken away and brought back."""

    def __init__(self, path: Path, database: Database) -> None:
        self._path, self._database = path, database

    def go(self) -> None:
        self._database.close()
        self._path.rename(self._path.with_name("kept"))
        self._path.mkdir()

    def come_back(self) -> None:
        self._path.rmdir()
        self._path.with_name("kept").rename(self._path)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Database]:
    with closing(Database(tmp_path / "people.sqlite", wait_s=1)) as opened:
        yield opened


def test_while_the_database_is_away_what_is_known_is_believed(
    tmp_path: Path, file: Database, signing_in: Settings, clock: Clock
) -> None:
    """For a minute; whoever is new has to wait, and gets in when it is back."""
    registry = Registry(signing_in, file)
    known = Known(
        registry.people, registry.tokens, registry.sign_ins, roles_of(signing_in), clock=clock
    )
    words = [registry.tokens.create("local", ["identify"], 1)[1] for _ in range(2)]
    ann = known.person(ISSUER, "ann", {})
    known.token(words[0])
    assert refused(known, A_GUESS) == "unknown"
    registry.close()
    away = Away(tmp_path / "people.sqlite", file)

    away.go()
    clock.now += KEPT_S
    assert known.token(words[0]).owner == "local"
    assert known.token_at_hand(words[0]) is not None
    assert known.person(ISSUER, "ann", {}) == ann
    assert refused(known, A_GUESS) == "unknown"
    for _ in range(2):
        with pytest.raises(HistoryUnavailable, match="cannot be opened"):
            known.token(words[1])
        with pytest.raises(HistoryUnavailable):
            known.person(ISSUER, "ben", {})

    clock.now += BELIEVED_S
    with pytest.raises(HistoryUnavailable):
        known.token(words[0])

    away.come_back()
    with pytest.raises(HistoryUnavailable):
        known.token(words[1])  # it is not asked by everybody while it was away just now
    clock.now += 1
    assert known.token(words[0]) == known.token(words[1])
    assert known.person(ISSUER, "ben", {}).role == "user"
    registry.close()


def test_a_decision_begun_before_all_was_forgotten_is_not_kept(clock: Clock) -> None:
    """It may tell what was true before a revocation."""
    decisions: Decisions[str, str] = Decisions(10, clock)
    begun = decisions.begin()

    decisions.forget()
    decisions.keep("token", "good", begun)

    assert decisions.at_hand("token") is None
    assert decisions.believed("token") is None


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 40)), max_size=60))
def test_decisions_are_few_and_young(steps: list[tuple[int, int]]) -> None:
    """However many are made: the newest ones, none older than it may be."""
    clock = Clock()
    decisions: Decisions[int, float] = Decisions(4, clock)

    for key, tenths in steps:
        clock.now += tenths / 10
        found = decisions.at_hand(key)
        assert found is None or clock.now - found < KEPT_S
        decisions.keep(key, clock.now, decisions.begin())
        assert decisions.at_hand(key) == clock.now
        assert len(decisions) <= 4
        clock_then, clock.now = clock.now, clock.now + BELIEVED_S
        assert decisions.believed(key) is None
        clock.now = clock_then
