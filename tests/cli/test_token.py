"""``plantid token``, ``plantid person`` and ``plantid secret``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from plantid_core import parts
from plantid_core.access.principal import SCOPES, owner_of
from plantid_core.cli import person, secret, token
from plantid_core.errors import AccessUnfit, PersonUnknown, TokenRefused, TokenUnknown
from plantid_core.settings import load_settings

if TYPE_CHECKING:
    from typer.testing import Result

    from plantid_core.access.principal import Principal

PLANTID = Path(sys.executable).parent / "plantid"
ISSUER = "https://issuer.example"


@pytest.fixture(autouse=True)
def _own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANTID_DATA_DIR", str(tmp_path / "data"))


@pytest.fixture
def _signing_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANTID_OIDC_ISSUER", ISSUER)
    monkeypatch.setenv("PLANTID_OIDC_CLIENT_ID", "plants")
    monkeypatch.setenv("PLANTID_OIDC_CLIENT_SECRET", "hush-hush")


def run(*words: str) -> Result:
    app = {"token": token.app, "person": person.app}[words[0]]
    return CliRunner().invoke(app, words[1:], env={"COLUMNS": "150"})


def acts_for(word: str) -> Principal:
    """Return for whom a running app would take whoever sends this word."""
    settings = load_settings()
    with (
        closing(parts.make_database(settings)) as database,
        parts.make_registry(settings, database) as registry,
    ):
        return registry.known.token(word)


def test_a_token_is_shown_once_and_lets_its_owner_in() -> None:
    """Alone on stdout; the list holds all but its word."""
    made = run("token", "create", *(f"--scope={scope}" for scope in SCOPES), "--label", "phone")
    word = made.stdout.strip()

    assert acts_for(word).owner == "local"
    assert acts_for(word).scopes == frozenset(SCOPES)
    shown = run("token", "list").stdout
    assert word.split("_")[1] in shown
    assert "phone" in shown
    assert word not in shown + run("token", "list", "--json").stdout + made.stderr


def test_for_programs_all_is_json() -> None:
    """What was made is what is listed, and what is revoked."""
    made = json.loads(run("token", "create", "--scope", "identify", "--days", "7", "--json").stdout)
    word = made.pop("token")
    before = json.loads(run("token", "list", "--json").stdout)["tokens"]

    ended = json.loads(run("token", "revoke", made["id"], "--json").stdout)

    assert before == [made]
    assert (made["state"], ended["state"]) == ("good", "revoked")
    with pytest.raises(TokenRefused):
        acts_for(word)


@pytest.mark.usefixtures("_signing_in")
def test_whoever_has_not_signed_in_yet_is_registered() -> None:
    """By the subject that the sign-in service will name."""
    made = run("token", "create", "--scope", "identify", "--owner", "ann")
    ann = owner_of(ISSUER, "ann")

    assert acts_for(made.stdout.strip()).owner == ann
    assert ann in made.stderr
    again = run("token", "create", "--scope", "identify", "--owner", ann)
    assert acts_for(again.stdout.strip()).owner == ann
    told = json.loads(run("person", "list", "--json").stdout)["people"]
    assert [(one["id"], one["subject"], one["seen_at"]) for one in told] == [(ann, "ann", None)]


@pytest.mark.usefixtures("_signing_in")
def test_a_person_is_shut_out_and_let_in_again() -> None:
    """With their tokens."""
    word = run("token", "create", "--scope", "identify", "--owner", "ann").stdout.strip()

    shut_out = run("person", "deactivate", "ann")
    with pytest.raises(TokenRefused):
        acts_for(word)
    assert "deactivated" in run("token", "list").stdout
    let_in = run("person", "activate", "ann", "--json")

    assert "shut out" in shut_out.stdout
    assert json.loads(let_in.stdout)["active"] is True
    assert acts_for(word).owner == owner_of(ISSUER, "ann")
    assert "ann" in run("person", "list").stdout


def test_empty_lists_say_what_will_be_there() -> None:
    """And programs are given empty ones."""
    assert "plantid token create" in run("token", "list").stdout
    assert "Nobody has signed in yet" in run("person", "list").stdout
    assert json.loads(run("token", "list", "--json").stdout) == {"tokens": []}
    assert json.loads(run("person", "list", "--json").stdout) == {"people": []}


def test_a_choice_that_cannot_be_is_told() -> None:
    """With what can be; nothing is made."""
    unknown = run("token", "create", "--scope", "identify", "--owner", "ben").exception

    assert isinstance(run("token", "create", "--scope", "fly").exception, AccessUnfit)
    assert "history:read" in str(run("token", "create").exception)
    assert isinstance(unknown, PersonUnknown)
    assert isinstance(run("token", "revoke", "ben").exception, TokenUnknown)
    assert isinstance(run("person", "deactivate", "ben").exception, PersonUnknown)
    assert json.loads(run("token", "list", "--json").stdout) == {"tokens": []}


def test_in_production_an_owner_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """For nobody is the local person there."""
    monkeypatch.setenv("PLANTID_ENVIRONMENT", "production")
    monkeypatch.setenv("PLANTID_SECRET_KEY", "k" * 50)
    monkeypatch.setenv("PLANTID_ALLOWED_HOSTS", "plants.example")
    monkeypatch.setenv("PLANTID_ALLOW_SANDBOX", "1")

    unnamed = run("token", "create", "--scope", "operate")
    named = run("token", "create", "--scope", "operate", "--owner", "local")

    assert unnamed.exit_code == 2
    assert "--owner" in unnamed.stderr
    assert acts_for(named.stdout.strip()).role == "user"


def test_a_secret_is_strong_and_new(capsys: pytest.CaptureFixture[str]) -> None:
    """Such as the settings take."""
    secret.secret()
    secret.secret()

    made = capsys.readouterr().out.split()
    assert len(set(made)) == 2
    assert load_settings(secret_key=made[0]).secret_key is not None
    assert min(len(one) for one in made) >= 50


def test_the_command_ends_in_one_line_and_a_code() -> None:
    """As all others do: what is named is not there."""
    ended = subprocess.run(
        [PLANTID, "token", "revoke", "ben"],
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ended.returncode, ended.stdout) == (3, "")
    assert ended.stderr.startswith("plantid: There is no token 'ben'.")
    assert ended.stderr.count("\n") == 1
