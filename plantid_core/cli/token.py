"""``plantid token``: words that act for a person, made, listed and ended."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from plantid_core.cli.access import AsJson, minute, opened, stamp
from plantid_core.errors import PersonUnknown
from plantid_core.store.history.values import LOCAL_OWNER

if TYPE_CHECKING:
    from plantid_core.access.registry import Registry
    from plantid_core.access.tokens import Token
    from plantid_core.settings import Settings

app = typer.Typer(help="Make, list and end tokens for the API.", no_args_is_help=True)

_DAYS = 90


@app.command()
def create(
    *,
    scope: Annotated[
        list[str] | None,
        typer.Option(help="identify, history:read, history:write or operate; once for each."),
    ] = None,
    owner: Annotated[
        str | None, typer.Option(help="For whom it acts: a person's id or subject.")
    ] = None,
    days: Annotated[float, typer.Option(help="How long it is good.")] = _DAYS,
    label: Annotated[str, typer.Option(help="What it is for, to tell it from others.")] = "",
    as_json: AsJson = False,
) -> None:
    """Make a token and show its word, this once."""
    with opened() as (registry, settings):
        whose = _owner(owner, registry, settings)
        token, word = registry.tokens.create(whose, scope or (), days, label)
    if as_json:
        typer.echo(orjson.dumps({"token": word, **_told(token)}))
        return
    # Alone on stdout, so that a script can take it from there.
    typer.echo(word)
    typer.echo(
        f"This word is shown once. It is good until {minute(token.expires_at)} UTC, for"
        f" {', '.join(token.scopes)}, as {token.owner}. Send it as: Authorization: Bearer <word>."
        f" End it with: plantid token revoke {token.id}",
        err=True,
    )


@app.command("list")
def list_(*, as_json: AsJson = False) -> None:
    """List tokens, without their words."""
    with opened() as (registry, _):
        tokens = registry.tokens.list()
    if as_json:
        typer.echo(orjson.dumps({"tokens": [_told(token) for token in tokens]}))
    else:
        _show(tokens)


@app.command()
def revoke(
    token_id: Annotated[str, typer.Argument(metavar="ID", help="As plantid token list shows it.")],
    *,
    as_json: AsJson = False,
) -> None:
    """End a token, for good; a running app lets it in no more within seconds."""
    with opened() as (registry, _):
        token = registry.tokens.revoke(token_id)
    if as_json:
        typer.echo(orjson.dumps(_told(token)))
    else:
        typer.echo(f"Token {token.id} is revoked.")


def _owner(who: str | None, registry: Registry, settings: Settings) -> str:
    """Return the owner's id; somebody who has yet to sign in is registered."""
    if who == LOCAL_OWNER or (who is None and not settings.production):
        return LOCAL_OWNER
    if who is None:
        raise typer.BadParameter("name for whom it acts: --owner, a person's id or subject")
    try:
        return registry.people.find(who).id
    except PersonUnknown:
        if settings.oidc_issuer is None:
            raise
    person = registry.people.register(settings.oidc_issuer, who)
    typer.echo(f"{who} has not signed in yet, and is registered as {person.id}.", err=True)
    return person.id


def _told(token: Token) -> dict[str, object]:
    return {
        "id": token.id,
        "owner": token.owner,
        "role": token.role,
        "label": token.label,
        "scopes": token.scopes,
        "state": token.state(dt.datetime.now(dt.UTC)),
        "made_at": stamp(token.made_at),
        "expires_at": stamp(token.expires_at),
        "used_at": stamp(token.used_at),
        "revoked_at": stamp(token.revoked_at),
    }


def _show(tokens: tuple[Token, ...]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    if not tokens:
        console.print("There is no token. plantid token create --scope identify makes one.")
        return
    table = Table("For", "Scopes", "State")
    table.add_column("Good until", no_wrap=True)
    table.add_column("Last used")
    table.add_column("Label")
    table.add_column("Id", no_wrap=True)  # it is there to be copied
    now = dt.datetime.now(dt.UTC)
    for token in tokens:
        times = (f"{token.expires_at:%Y-%m-%d}", minute(token.used_at))
        scopes = ", ".join(token.scopes)
        state = token.state(now)
        table.add_row(escape(token.owner), scopes, state, *times, escape(token.label), token.id)
    console.print(table)
