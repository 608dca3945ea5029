"""``plantid check``: what is amiss, with what to do about it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from plantid_core.deploy import Finding

FAILED = 5


def check(
    *,
    deploy: Annotated[
        bool,
        typer.Option("--deploy", help="Check what others must be able to depend on; asks nobody."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print only JSON on stdout.")] = False,
) -> None:
    """Check the settings and what they name; with --deploy, that they are fit for strangers.

    Exit 5 where anything is an error.
    """
    import orjson

    found = _found(deploy=deploy)
    if as_json:
        typer.echo(orjson.dumps({"findings": [asdict(one) for one in found]}))
    else:
        _show(found)
    if any(one.severity == "error" for one in found):
        raise typer.Exit(FAILED)


def _found(*, deploy: bool) -> list[Finding]:
    from plantid_core.deploy import findings
    from plantid_core.deploy.reach import reached
    from plantid_core.deploy.readable import contradictions, readable_settings
    from plantid_core.deploy.registry import in_order

    settings, found = readable_settings()
    if deploy:
        # Streamlit's part is only loaded where it is looked at.
        from plantid_core.web.serving import facts

        found += findings(facts(settings))
    else:
        found += reached(settings)
    known = {one.id for one in found}
    found += [one for one in contradictions(settings) if one.id not in known]
    return in_order(found)


def _show(found: list[Finding]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.padding import Padding

    console = Console()
    if not found:
        console.print("Nothing is amiss.")
        return
    for one in found:
        colour = "red" if one.severity == "error" else "yellow"
        console.print(f"[{colour}]{one.severity}[/{colour}] [bold]{one.id}[/bold]")
        console.print(
            Padding(f"{escape(one.message)}\n[dim]{escape(one.hint)}[/dim]", (0, 0, 0, 2))
        )
    errors = sum(one.severity == "error" for one in found)
    console.print(f"{errors} error{'s' * (errors != 1)}, {len(found) - errors} to think about.")
