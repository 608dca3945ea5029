"""``plantid batch``: a folder of photos to a table, resumable, within what may be spent."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from plantid_core.cli import REFUSED, UNANSWERED
from plantid_core.errors import InputUnreadable
from plantid_core.palette import age, so_many

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from plantid_core.batch.order import Done, Estimate, Order, Progress
    from plantid_core.batch.table import Written
    from plantid_core.batch.team import Service, Team

    Tell = Callable[[Progress], None]

INTERRUPTED = 130
_MOST_AT_ONCE = 32
_MEMORY = ":memory:"
_LINE_EVERY_S = 10.0


def batch(  # noqa: PLR0913 - one argument a flag
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of photos.")],
    *,
    output: Annotated[
        Path, typer.Option("-o", help="The table: a name that ends in .csv or .parquet.")
    ],
    concurrency: Annotated[
        int, typer.Option(min=1, max=_MOST_AT_ONCE, help="Photos asked at once.")
    ] = 8,
    scheduler: Annotated[
        str | None, typer.Option(help="Of a Dask cluster, as tcp://host:8786.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and ask nobody.")
    ] = False,
    max_credits: Annotated[
        int | None, typer.Option(min=0, help="Stop before more paid calls, of all runs together.")
    ] = None,
    provider: Annotated[
        list[str] | None, typer.Option(help="plant_id, plantnet, offline; all where not given.")
    ] = None,
    language: Annotated[str, typer.Option(help="Language of the common names.")] = "en",
    again: Annotated[
        bool, typer.Option("--again", help="Forget what an earlier run of this table answered.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print only JSON on stdout.")] = False,
) -> None:
    """Identify every photo of a folder, one plant a photo. The same command again continues."""
    from plantid_core.batch import run
    from plantid_core.batch.journal import Journal
    from plantid_core.batch.order import Order

    _require_place(output)
    try:
        run.require_folder(directory)
    except InputUnreadable as unreadable:
        typer.echo(f"plantid: {unreadable}", err=True)
        raise typer.Exit(REFUSED) from unreadable
    beside = output.with_name(f"{output.name}.journal")
    fresh = dry_run and (again or not beside.exists())
    with _stopping() as stop, _team(scheduler, concurrency) as team:
        services = team.services()
        order = Order(directory, run.chosen(services, provider), language, concurrency, max_credits)
        with Journal(
            Path(_MEMORY) if fresh else beside, run.choice(order, services), again=again
        ) as journal:
            estimate = run.prepare(journal, order)
            if dry_run:
                _tell_estimate(estimate, services, order, as_json=as_json)
                return
            if not as_json:
                typer.echo(_estimated(estimate, order), err=True)
            with _progress(estimate) as tell:
                done = run.run(team, journal, order, tell=tell, stop=stop)
            written = None
            if done.stopped != "interrupted":
                written = run.write(output, journal, order, done)
    _finish(output, beside, done, written, as_json=as_json)


def _require_place(output: Path) -> None:
    from plantid_core.batch.table import SUFFIXES

    if output.suffix not in SUFFIXES:
        raise typer.BadParameter(f"{output.name} must end in {' or '.join(SUFFIXES)}")
    if not output.parent.is_dir():
        raise typer.BadParameter(
            f"{output.parent} is no folder, so {output.name} has no place there"
        )
    if output.is_dir():
        raise typer.BadParameter(f"{output} is a folder")


@contextmanager
def _team(scheduler: str | None, concurrency: int) -> Iterator[Team]:
    if scheduler is not None:
        from plantid_core.batch.cluster_team import ClusterTeam

        with ClusterTeam(scheduler, concurrency) as team:
            yield team
        return
    from plantid_core.batch.team import LocalTeam
    from plantid_core.settings import load_settings

    with LocalTeam.open(load_settings(), concurrency) as here:
        yield here


@contextmanager
def _stopping() -> Iterator[threading.Event]:
    """Give an event that the first Ctrl-C sets; the second one ends the process at once.

    So does a terminal that is closed, unless its hang-up is ignored, as nohup(1) has it.
    """
    stop = threading.Event()

    def end(number: int, frame: object) -> None:
        del frame
        if stop.is_set():
            # What was durable stays so; nothing that is under way is waited for.
            os._exit(128 + number)
        stop.set()
        with suppress(OSError):  # the terminal may be gone
            os.write(2, b"\nFinishing what is under way. Once more leaves at once.\n")

    before = {
        number: signal.signal(number, end)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _progress(estimate: Estimate) -> Iterator[Tell]:
    """Draw a bar on stderr; where that is no terminal, write a line now and then."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    if not console.is_terminal:
        yield log_lines(estimate)
        return
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Bar(*columns, console=console, transient=True) as bar:
        done = estimate.done + estimate.refused
        task = bar.add_task("", total=estimate.photos, completed=done)

        def tell(progress: Progress) -> None:
            bar.update(task, completed=progress.done, description=_said(progress, done))

        yield tell


def log_lines(estimate: Estimate, now: Callable[[], float] = time.monotonic) -> Tell:
    """Return what writes a line to stderr every ten seconds, as a log wants it; ``now`` in seconds."""
    before, told_at = estimate.done + estimate.refused, now()

    def tell(progress: Progress) -> None:
        nonlocal told_at
        if now() - told_at >= _LINE_EVERY_S:
            told_at = now()
            said = _said(progress, before)
            typer.echo(f"{progress.done:,} of {progress.total:,} photos · {said}", err=True)

    return tell


def _said(progress: Progress, before: int) -> str:
    rate = (progress.done - before) / progress.elapsed_s if progress.elapsed_s > 0 else 0.0
    left = "" if progress.left_s is None else f" · {age(progress.left_s)} left"
    silent = f" · waiting for {', '.join(progress.silent)}" if progress.silent else ""
    return f"{rate:.1f} photos/s{left} · {so_many(progress.credits, 'credit')}{silent}"


def _tell_estimate(
    estimate: Estimate, services: tuple[Service, ...], order: Order, *, as_json: bool
) -> None:
    if not as_json:
        typer.echo(_estimated(estimate, order))
        return
    sandbox = [service.name for service in services if service.sandbox]
    more = {"credits": estimate.credits, "sandbox": sandbox, "max_credits": order.max_credits}
    typer.echo(orjson.dumps({"dry_run": True, **asdict(estimate), **more}))


def _estimated(estimate: Estimate, order: Order) -> str:
    left_out = f", {so_many(estimate.left_out, 'other file')} left out" if estimate.left_out else ""
    calls = ", ".join(f"{name} {calls:,}" for name, calls in estimate.calls.items())
    bound = "" if order.max_credits is None else f" of at most {order.max_credits:,} in all runs"
    return (
        f"{so_many(estimate.photos)} ({estimate.distinct:,} different{left_out});"
        f" {estimate.done:,} answered and {estimate.refused:,} refused already.\n"
        f"To ask, at most: {calls or 'nobody'}: {so_many(estimate.credits, 'credit')}{bound}"
        f" ({estimate.spent:,} spent so far), about {age(estimate.seconds)}."
    )


def _finish(
    output: Path, journal: Path, done: Done, written: Written | None, *, as_json: bool
) -> None:
    photos = dict(written.photos) if written else {}
    if as_json:
        found = {
            "out": str(output) if written else None,
            "journal": str(journal),
            **asdict(done.counts),
            "left": done.counts.left,
            "observations": photos,
            "rows": written.rows if written else 0,
            "sandbox_rows": written.sandbox if written else 0,
            "credits": done.credits,
            "credits_now": done.credits_now,
            "asked": done.asked,
            "elapsed_s": round(done.elapsed_s, 3),
            "stopped": done.stopped,
            "silent": {name: answer.error for name, answer in done.silent.items()},
        }
        typer.echo(orjson.dumps(found))
    else:
        _show(output, done, written)
    if written is None:
        raise typer.Exit(INTERRUPTED)
    if not photos.get("answered"):
        only_refused = photos.get("refused", 0) == done.counts.photos
        raise typer.Exit(REFUSED if only_refused else UNANSWERED)


def _show(output: Path, done: Done, written: Written | None) -> None:
    for name, answer in done.silent.items():
        told = answer.error["message"] if answer.error else answer.status
        typer.echo(f"{name} does not answer: {told}", err=True)
    if written is None:
        typer.echo(
            f"Stopped: {done.counts.left:,} of {done.counts.photos:,} photos are left."
            " The same command continues.",
            err=True,
        )
        return
    sandbox = (
        f" {written.sandbox:,} of them are the sandbox's, no botany." if written.sandbox else ""
    )
    told = ", ".join(f"{count:,} {state}" for state, count in written.photos.items())
    typer.echo(
        f"{output}: {told or 'no photos'}; {so_many(written.rows, 'row')}.{sandbox}"
        f" {so_many(done.credits, 'credit')}."
    )
    if done.stopped == "credits":
        typer.echo(
            "Stopped at the bound of credits. The same command with a higher --max-credits continues.",
            err=True,
        )
    elif done.counts.left:
        typer.echo(
            f"{done.counts.left:,} photos are not wholly answered. The same command asks again.",
            err=True,
        )
