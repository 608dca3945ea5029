"""The command ``plantid``: one module a verb.

Exit codes: 0 done · 2 usage · 3 input refused · 4 no provider could answer · 5 a check failed.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import plantid_core
from plantid_core.errors import (
    ConfigurationError,
    InputUnreadable,
    PersonUnknown,
    PlantIDError,
    TokenUnknown,
    UploadRejected,
)

USAGE, REFUSED, UNANSWERED = 2, 3, 4

app = typer.Typer(
    name="plantid",
    help="Identify plants from photos through services that fail, stall and charge per call.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:  # noqa: FBT001 - typer's callback
    if wanted:
        typer.echo(f"plantid {plantid_core.__version__}")
        raise typer.Exit


@app.callback()
def root(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Identify plants from photos through services that fail, stall and charge per call."""


def main() -> None:
    """Run the command line; every error of ours becomes one line on stderr and an exit code."""
    from plantid_core.cli import (
        backup,
        batch,
        bench,
        check,
        compare,
        drill,
        evaluate,
        herbarium,
        history,
        identify,
        names,
        person,
        sandbox,
        secret,
        serve,
        simulate,
        token,
        upload,
    )

    app.command("identify")(identify.identify)
    app.command("compare")(compare.compare)
    app.command("evaluate")(evaluate.evaluate)
    app.command("batch")(batch.batch)
    app.command("sandbox")(sandbox.sandbox)
    app.command("serve")(serve.serve)
    app.command("bench")(bench.bench)
    app.command("drill")(drill.drill)
    app.command("simulate")(simulate.simulate)
    app.add_typer(upload.app, name="upload")
    app.add_typer(names.app, name="names")
    app.add_typer(herbarium.app, name="herbarium")
    app.add_typer(history.app, name="history")
    app.command("backup")(backup.backup)
    app.command("restore")(backup.restore)
    app.add_typer(token.app, name="token")
    app.add_typer(person.app, name="person")
    app.command("secret")(secret.secret)
    app.command("check")(check.check)
    try:
        app()
    except (UploadRejected, InputUnreadable, PersonUnknown, TokenUnknown) as rejected:
        _stop(str(rejected), REFUSED)
    except ConfigurationError as error:
        _stop("\n".join(error.faults), USAGE)
    except PlantIDError as error:
        _stop(str(error), USAGE)


def _stop(message: str, code: int) -> None:
    typer.echo(f"plantid: {message}", err=True)
    sys.exit(code)
