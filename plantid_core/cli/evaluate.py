"""``plantid evaluate``: which service to trust, measured on labelled photos."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from plantid_core.cli import REFUSED, UNANSWERED, files
from plantid_core.errors import PlantIDError, SandboxNotBotany

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pandas as pd

    from plantid_core.compare.evaluate.label import Labelled
    from plantid_core.evaluation import Evaluation, Progress
    from plantid_core.settings import Settings
    from plantid_core.workbench import Workbench

_MOST_AT_ONCE = 64
_INTERRUPTED = 130
# JSON's numbers are whole to everybody up to here.
_LARGEST_SEED = 2**53 - 1


def evaluate(  # noqa: PLR0913 - one argument a flag
    labelled: Annotated[
        Path,
        typer.Argument(
            help="A folder of `species name/photo.jpg`, or a CSV file with file, scientific_name."
        ),
    ],
    *,
    include_sandbox: Annotated[
        bool, typer.Option("--include-sandbox", help="Ask the sandbox too, and mark it.")
    ] = False,
    report: Annotated[Path | None, typer.Option(help="Write the report: one HTML file.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Write every figure as CSV.")] = None,
    answers: Annotated[Path | None, typer.Option(help="Write every answer as CSV.")] = None,
    provider: Annotated[
        list[str] | None, typer.Option(help="plant_id, plantnet, offline, …; all where not given.")
    ] = None,
    concurrency: Annotated[
        int, typer.Option(min=1, max=_MOST_AT_ONCE, help="Photos under way at once.")
    ] = 8,
    seed: Annotated[int, typer.Option(min=0, max=_LARGEST_SEED, help="Of the resamples.")] = 1,
    save_calibration: Annotated[
        bool,
        typer.Option("--save-calibration", help="Keep what each score is worth, for the ranking."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print only JSON on stdout.")] = False,
) -> None:
    """Measure how right each service is on photos whose names are known."""
    from plantid_core.compare.evaluate.labels import read
    from plantid_core.compare.names.reconcile import open_names
    from plantid_core.settings import load_settings

    files.require_there(labelled)
    _require_places(labelled, [path for path in (report, csv, answers) if path is not None])
    settings = load_settings()
    with open_names(settings.data_dir) as names:
        photos = read(labelled, names)
    try:
        with _workbench(settings, concurrency) as workbench:
            found = _found(
                workbench,
                photos,
                include_sandbox=include_sandbox,
                providers=provider,
                concurrency=concurrency,
                seed=seed,
            )
            told: tuple[str, ...] = ()
            try:
                if save_calibration:
                    told = _calibrated(workbench, found)
                _write_tables(found, csv, answers)
                if report is not None:
                    files.write_atomically(report, _page(workbench, found).encode())
            finally:  # credits were spent on it: it is told, also where it cannot be written
                _tell(found, told, as_json=as_json)
    except SandboxNotBotany as error:
        typer.echo(f"plantid: {error}", err=True)
        raise typer.Exit(UNANSWERED) from None
    if report is not None and not as_json:
        typer.echo(f"The report is in {report}.")
    if found.stopped:
        raise typer.Exit(_INTERRUPTED)
    if not found.answered:
        everything_refused = bool(found.refused) and not found.heard
        raise typer.Exit(REFUSED if everything_refused else UNANSWERED)


def _require_places(labelled: Path, written: Sequence[Path]) -> None:
    """Refuse before anything is spent what could not be written, or would overwrite another file."""
    taken = [labelled.resolve()]
    for path in written:
        if not path.parent.is_dir():
            raise typer.BadParameter(
                f"{path.parent} is no folder, so {path.name} has no place there"
            )
        if path.is_dir():
            raise typer.BadParameter(f"{path} is a folder")
        if not os.access(path.parent, os.W_OK):
            raise typer.BadParameter(f"{path.parent} may not be written to")
        if path.resolve() in taken:
            raise typer.BadParameter(f"{path} is named twice, and would be overwritten")
        taken.append(path.resolve())


def _workbench(settings: Settings, concurrency: int) -> Workbench:
    """Return a workbench that lets as many calls of each service be under way as photos are."""
    from plantid_core.workbench import open_workbench

    size = max(settings.bulkhead_size, concurrency)
    return open_workbench(settings.model_copy(update={"bulkhead_size": size}))


def _found(
    workbench: Workbench,
    photos: Sequence[Labelled],
    *,
    include_sandbox: bool,
    providers: list[str] | None,
    concurrency: int,
    seed: int,
) -> Evaluation:
    from plantid_core import evaluation

    with _stopping() as stop, _progress(len(photos)) as tell:
        return evaluation.evaluate(
            workbench,
            photos,
            include_sandbox=include_sandbox,
            providers=providers,
            concurrency=concurrency,
            tell=tell,
            stop=stop,
            seed=seed,
        )


@contextmanager
def _stopping() -> Iterator[threading.Event]:
    """Give an event that the first Ctrl-C sets; the second ends the program as ever."""
    stop = threading.Event()

    def ask(*_: object) -> None:
        stop.set()
        signal.signal(signal.SIGINT, before)
        typer.echo(
            "Stopping: what is under way is waited for. Ctrl-C again ends at once.", err=True
        )

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _progress(total: int) -> Iterator[Callable[[Progress], None]]:
    """Draw a bar with rate and time left on stderr, where that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]} · {task.fields[left]} left"),
    )
    console = Console(stderr=True)
    with Bar(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=total, rate="–", left="–")

        def tell(done: Progress) -> None:
            rate = f"{done.done / done.elapsed_s:.1f} photos/s" if done.elapsed_s else "–"
            bar.update(task, completed=done.done, rate=rate, left=f"{done.left_s:.0f} s")

        yield tell


def _calibrated(workbench: Workbench, found: Evaluation) -> tuple[str, ...]:
    from plantid_core.evaluation.calibrate import calibrated

    calibration, told = calibrated(found, workbench.calibration)
    if calibration == workbench.calibration:
        return told
    try:
        calibration.save(workbench.settings.data_dir)
    except OSError as error:
        raise PlantIDError(f"The calibration could not be kept: {error.strerror}.") from error
    return told


def _page(workbench: Workbench, found: Evaluation) -> str:
    from plantid_core.evaluation.report import report

    return report(found, workbench)


def _write_tables(found: Evaluation, csv: Path | None, answers: Path | None) -> None:
    from plantid_core.evaluation import tables

    if csv is not None:
        files.write_atomically(csv, _csv(tables.figures(found)))
    if answers is not None:
        files.write_atomically(answers, _csv(tables.answers(found)))


def _csv(table: pd.DataFrame) -> bytes:
    from plantid_core.export.observations import harmless

    # File names and labels are strangers' texts, and spreadsheets would run some of them.
    return table.map(harmless).to_csv(index=False).encode()


def _tell(found: Evaluation, told: Sequence[str], *, as_json: bool) -> None:
    if as_json:
        more = {"calibration": list(told)} if told else {}
        typer.echo(orjson.dumps({**found.to_dict(), **more}))
        return
    from plantid_core.cli.evaluated import show

    show(found)
    for sentence in told:
        typer.echo(sentence)
