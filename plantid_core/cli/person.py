"""``plantid person``: who has signed in, and whether they still may."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from plantid_core.cli.access import AsJson, minute, opened, stamp

if TYPE_CHECKING:
    from plantid_core.access.people import Person

app = typer.Typer(help="List people, shut one out, let one in again.", no_args_is_help=True)

Who = Annotated[str, typer.Argument(metavar="WHO", help="A person's id or subject.")]


@app.command("list")
def list_(*, as_json: AsJson = False) -> None:
    """List who has signed in, or was given a token."""
    with opened() as (registry, _):
        people = registry.people.all()
    if as_json:
        typer.echo(orjson.dumps({"people": [_told(person) for person in people]}))
    else:
        _show(people)


@app.command()
def deactivate(who: Who, *, as_json: AsJson = False) -> None:
    """Shut somebody out, with all their sessions and tokens; what they keep stays."""
    with opened() as (registry, _):
        person = registry.people.deactivate(registry.people.find(who).id)
    _tell(person, "is shut out, within seconds wherever the app runs", as_json=as_json)


@app.command()
def activate(who: Who, *, as_json: AsJson = False) -> None:
    """Let somebody in again, and their tokens that are still good."""
    with opened() as (registry, _):
        person = registry.people.activate(registry.people.find(who).id)
    _tell(person, "may come in again", as_json=as_json)


def _tell(person: Person, what: str, *, as_json: bool) -> None:
    if as_json:
        typer.echo(orjson.dumps(_told(person)))
    else:
        typer.echo(f"{person.name or person.subject} ({person.id}) {what}.")


def _told(person: Person) -> dict[str, object]:
    return {
        "id": person.id,
        "issuer": person.issuer,
        "subject": person.subject,
        "name": person.name,
        "role": person.role,
        "active": person.active,
        "made_at": stamp(person.made_at),
        "seen_at": stamp(person.seen_at),
    }


def _show(people: tuple[Person, ...]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    if not people:
        console.print("Nobody has signed in yet.")
        return
    table = Table("Name", "Subject", "Role", "May come in", "Last seen")
    table.add_column("Id", no_wrap=True)  # it is there to be copied
    for person in people:
        active = "yes" if person.active else "no"
        seen = minute(person.seen_at)
        table.add_row(
            escape(person.name), escape(person.subject), person.role, active, seen, person.id
        )
    console.print(table)
