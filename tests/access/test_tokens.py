"""`Tokens`: a word shown once, kept as a digest, good within scopes until a day, or until it is ended."""

from __future__ import annotations

import datetime as dt
import math
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from processes import until

from plantid_core.access.last_used import LastUsed
from plantid_core.access.principal import Principal
from plantid_core.access.registry import Registry
from plantid_core.access.roles import roles_of
from plantid_core.access.tokens import Tokens, id_in
from plantid_core.errors import AccessUnfit, PersonUnknown, TokenRefused, TokenUnknown
from plantid_core.settings import load_settings
from plantid_core.store.history.engine import Database
from plantid_core.store.history.schema import access_token

if TYPE_CHECKING:
    from sqlalchemy import Connection

ISSUER = "https://issuer.example"
AN_INSTANT = 1e-9
# Never opened: a text that is not of our form is refused without a look.
NOWHERE = Tokens(Database("postgresql://nobody@nowhere.invalid/nothing"), roles_of(load_settings()))


@pytest.fixture
def ann(registry: Registry) -> str:
    return registry.people.seen(ISSUER, "ann").id


def refusal(registry: Registry, word: str) -> str:
    """Return why a word is refused; to whoever asks, each reason reads the same."""
    with pytest.raises(TokenRefused, match="unknown, has expired or was revoked") as refused:
        registry.tokens.verify(word)
    return refused.value.reason


def test_a_token_acts_for_its_owner_within_its_scopes(registry: Registry, ann: str) -> None:
    """In the order in which scopes are told, each once."""
    token, word = registry.tokens.create(ann, ["operate", "identify", "operate"], 1, "phone \0📱")

    assert (token.label, token.scopes) == ("phone 📱", ("identify", "operate"))
    assert token.expires_at - token.made_at == dt.timedelta(days=1)
    assert registry.tokens.verify(word) == token
    assert token.principal == Principal("token", "user", ann, frozenset({"identify", "operate"}))
    assert registry.tokens.list() == registry.tokens.list(ann) == (token,)
    assert registry.tokens.list("somebody else") == ()


def test_its_word_is_random_and_kept_nowhere(registry: Registry, database: Database) -> None:
    """256 bits of it; nor does the token show it, or its digest."""
    made = [registry.tokens.create("local", ["identify"], 1) for _ in range(2)]

    randoms = {word.split("_", 2)[2] for _, word in made}
    assert [len(one) for one in randoms] == [43, 43]
    rows = database.read(lambda one: one.execute(sa.select(access_token)).all())
    for token, word in made:
        assert word.startswith(f"plantid_{token.id}_")
        assert not any(word in repr(value) or word[-20:] in repr(value) for value in (rows, token))
        assert not any(row.sha256 in repr(token) for row in rows)


@given(st.text(max_size=90) | st.from_regex(r"plantid_[0-9a-f]{16}_[\w-]{43}", fullmatch=True))
def test_no_other_text_is_a_token(text: str) -> None:
    """What is of our form tells an id; all else is refused."""
    found = id_in(text)
    if found is None:
        with pytest.raises(TokenRefused):
            NOWHERE.verify(text)
    else:
        assert text.startswith(f"plantid_{found}_")
        assert text.isascii()


def test_the_right_id_does_not_help(registry: Registry) -> None:
    """Nor all of the word but its last character."""
    token, word = registry.tokens.create("local", ["identify"], 1)
    last = "A" if word[-1] != "A" else "B"

    assert refusal(registry, f"plantid_{token.id}_{'A' * 43}") == "unknown"
    assert refusal(registry, word[:-1] + last) == "unknown"
    assert refusal(registry, word + "\n") == "unknown"
    assert registry.tokens.verify(word) == token


def test_what_is_over_is_refused(registry: Registry, ann: str) -> None:
    """Expired, revoked, or its owner deactivated: the person is looked at, and not only the token."""
    _, expired = registry.tokens.create(ann, ["identify"], AN_INSTANT)
    revoked, revoked_word = registry.tokens.create(ann, ["identify"], 1)
    _, good = registry.tokens.create(ann, ["identify"], 1)
    registry.tokens.verify(good)

    ended = registry.tokens.revoke(revoked.id)
    registry.people.deactivate(ann)

    reasons = [refusal(registry, word) for word in (expired, revoked_word, good)]
    assert reasons == ["expired", "revoked", "deactivated"]
    assert registry.tokens.revoke(revoked.id).revoked_at == ended.revoked_at
    registry.people.activate(ann)
    assert registry.tokens.verify(good).owner == ann


def test_its_role_is_its_owners(registry: Registry, ann: str) -> None:
    """Whatever that was when it was made."""
    _, word = registry.tokens.create(ann, ["operate"], 1)
    assert registry.tokens.verify(word).role == "user"

    registry.people.seen(ISSUER, "ben", role="admin")
    _, bens = registry.tokens.create(registry.people.find("ben").id, ["operate"], 1)
    _, roots = registry.tokens.create(registry.people.register(ISSUER, "root").id, ["operate"], 1)
    assert registry.tokens.verify(bens).role == registry.tokens.verify(roots).role == "admin"

    registry.people.seen(ISSUER, "ben", role="user")
    assert registry.tokens.verify(bens).role == "user"


def test_the_local_persons_token_is_an_admins_in_development_alone(
    registry: Registry, database: Database
) -> None:
    """In production whoever shows it is a user."""
    _, word = registry.tokens.create("local", ["operate"], 1)
    production = load_settings(
        environment="production", secret_key="k" * 50, allowed_hosts="a", allow_sandbox=True
    )

    assert registry.tokens.verify(word).role == "admin"
    with Registry(production, database) as there:
        assert there.tokens.verify(word).role == "user"


def test_what_cannot_be_is_refused(registry: Registry) -> None:
    """With what it should be."""
    for scopes, days, label, field in (
        (["fly"], 1, "", "scope"),
        ([], 1, "", "scopes"),
        (["identify"], 0, "", "days"),
        (["identify"], 1e9, "", "days"),
        (["identify"], math.nan, "", "days"),
        (["identify"], 1, "x" * 256, "label"),
    ):
        with pytest.raises(AccessUnfit) as refused:
            registry.tokens.create("local", scopes, days, label)
        assert refused.value.field == field

    assert registry.tokens.list() == ()


def test_a_token_needs_an_owner_who_may_come_in(registry: Registry, ann: str) -> None:
    """Nobody unknown, nor anybody shut out."""
    registry.people.deactivate(ann)

    with pytest.raises(PersonUnknown):
        registry.tokens.create("ben\0", ["identify"], 1)
    with pytest.raises(AccessUnfit, match="deactivated"):
        registry.tokens.create(ann, ["identify"], 1)
    for token_id in ("nothing", "\0", "x" * 99):
        with pytest.raises(TokenUnknown):
            registry.tokens.revoke(token_id)


def used_at(registry: Registry, token_id: str) -> dt.datetime | None:
    return registry.tokens.get(token_id).used_at


def test_when_it_was_last_used_is_written_later(registry: Registry) -> None:
    """By itself; or when the app closes, where it is that soon."""
    first, word = registry.tokens.create("local", ["identify"], 1)
    second, other_word = registry.tokens.create("local", ["identify"], 1)

    assert registry.tokens.verify(word).used_at is None
    until(lambda: used_at(registry, first.id) is not None)

    registry.tokens.verify(other_word)
    registry.close()
    assert used_at(registry, second.id) is not None


def test_it_is_written_once_a_minute(database: Database, registry: Registry) -> None:
    """And never back."""
    token, _ = registry.tokens.create("local", ["identify"], 1)
    noon = dt.datetime(2026, 5, 1, 12, tzinfo=dt.UTC)

    def noted(*seconds: float) -> dt.datetime | None:
        last_used = LastUsed(database)
        for second in seconds:
            last_used.note(token.id, noon + dt.timedelta(seconds=second))
            last_used.close()
        return used_at(registry, token.id)

    assert noted(0, 59) == noon
    assert noted(-1) == noon
    assert noted(0, 60) == noon + dt.timedelta(seconds=60)


def test_a_use_waits_for_no_writer(registry: Registry, database: Database, url: str) -> None:
    """What cannot be written now is noted with the next use."""
    token, word = registry.tokens.create("local", ["identify"], 1)
    with closing(Database(url, wait_s=0.1)) as impatient:
        last_used = LastUsed(impatient)

        def hold(connection: Connection) -> None:
            if connection.dialect.name == "postgresql":
                connection.execute(sa.text("LOCK TABLE access_token IN EXCLUSIVE MODE"))
            last_used.note(token.id, dt.datetime.now(dt.UTC))
            last_used.close()

        database.write(hold)
        assert registry.tokens.verify(word) == replace(token, used_at=None)
        last_used.note(token.id, dt.datetime.now(dt.UTC))
        last_used.close()

    assert used_at(registry, token.id) is not None


def test_what_is_over_for_long_is_deleted(registry: Registry, ann: str, database: Database) -> None:
    """With the next token that is made; until then, and for three months, it can be looked up."""
    made = {
        name: registry.tokens.create(ann, ["identify"], 1, name)[0].id
        for name in ("expired", "revoked", "ended a month ago", "good")
    }
    now = dt.datetime.now(dt.UTC)
    times = {
        "expired": {"expires_at": now - dt.timedelta(days=91)},
        "revoked": {"revoked_at": now - dt.timedelta(days=91)},
        "ended a month ago": {"revoked_at": now - dt.timedelta(days=30)},
    }
    for name, values in times.items():
        own = sa.update(access_token).where(access_token.c.id == made[name])
        database.write(lambda one, own=own, values=values: one.execute(own.values(values)))
    assert len(registry.tokens.list()) == 4

    registry.tokens.create(ann, ["identify"], 1, "new")

    assert [one.label for one in registry.tokens.list()] == ["ended a month ago", "good", "new"]
