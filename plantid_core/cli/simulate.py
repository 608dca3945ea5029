"""``plantid simulate``: what a cache's strategies would do, and what a breaker would."""

from __future__ import annotations

import math
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import orjson
import typer

from plantid_core.errors import PlantIDError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pandas as pd

    from plantid_core.lab.scenarios import Scenario
    from plantid_core.lab.sweep import Progress

    Tell = Callable[[Progress], None]

Engine = Literal["fast", "faithful"]
REFUSED, FAILED = 3, 5
_WHICH = (
    "Which: one-key, flash-crowd, bursty, diurnal, beta-sweep, load-sweep, internet, theory, outage,"
    " brownout or flapping."
)
# A terminal of 80 columns holds so many, under short heads.
_SHOWN = {
    "calls_per_expiry": "calls / expiry",
    "stampede_largest": "largest",
    "upstream_mean_per_s": "calls / s",
    "wait_p999_s": "99.9 % wait s",
    "wait_longest_s": "worst s",
    "stale_share": "stale",
    "failed_share": "failed",
}
_SHOWN_OF_BREAKERS = {
    "bad_calls_sent": "bad calls sent",
    "good_calls_refused": "good refused",
    "time_to_open_s": "opened after s",
    "time_to_recover_s": "back after s",
    "availability": "answered",
}
_WORDS = frozenset({"strategy", "protection", "scenario"})
_ROUNDED = 1000


def simulate(  # noqa: PLR0913 - a command's options
    name: Annotated[str, typer.Argument(help=_WHICH)],
    *,
    strategy: Annotated[list[str] | None, typer.Option(help="Once for each.")] = None,
    engine: Annotated[
        Engine,
        typer.Option(help="faithful runs the real strategies' code; fast is a model of them."),
    ] = "fast",
    seed: Annotated[int, typer.Option(min=0)] = 1,
    rate: Annotated[float | None, typer.Option(help="Requests per second, all keys.")] = None,
    ttl: Annotated[float | None, typer.Option(help="Seconds.")] = None,
    delta: Annotated[float | None, typer.Option(help="Seconds that making a value takes.")] = None,
    beta: Annotated[float | None, typer.Option(help="0 is never early.")] = None,
    keys: Annotated[int | None, typer.Option(help="With Zipf popularity.")] = None,
    processes: Annotated[int | None, typer.Option(help="That share the Redis.")] = None,
    duration: Annotated[float | None, typer.Option(help="Seconds.")] = None,
    trace: Annotated[
        Path | None, typer.Option(help="Replay your own: CSV with time and key, or the app's log.")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Of a Dask cluster, as tcp://host:8786.")
    ] = None,
    env: Annotated[
        bool, typer.Option("--env", help="Print the settings as lines of the environment.")
    ] = False,
    output: Annotated[Path | None, typer.Option("-o", help="Write the rows as CSV.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print only JSON on stdout.")] = False,
) -> None:
    """Simulate a situation by name: what each strategy, or each breaker, makes of it."""
    from plantid_core.lab import scenarios

    scenario = _scenario(name, strategy)
    given = {
        "rate": rate, "ttl_s": ttl, "delta_s": delta, "beta": beta, "keys": keys,
        "processes": processes, "duration_s": duration,
    }  # fmt: skip
    scenario = _with_settings(scenario, {key: at for key, at in given.items() if at is not None})
    if (scenario.kind != "traffic" or scenario.axes) and (trace is not None or env):
        raise typer.BadParameter(f"{name} takes no --trace and no --env: it is no single setting")
    if scenario.kind in {"internet", "theory"} and scheduler is not None:
        raise typer.BadParameter(f"{name} is one piece of work, and runs here")
    if scenario.kind != "traffic" and engine != "fast":
        raise typer.BadParameter(f"{name} has no faithful engine")
    if trace is not None and any(one is not None for one in (rate, keys, duration, scheduler)):
        raise typer.BadParameter(
            "a trace has its own rate, keys and duration, and is replayed here"
        )
    if output is not None and not output.parent.is_dir():
        raise typer.BadParameter(
            f"{output.parent} is no folder, so {output.name} has no place there"
        )
    about: dict[str, object] = {}
    with _progress() as tell:
        if trace is not None:
            rows, lines, about = _replayed(scenario, seed, engine, tell, trace)
        else:
            rows = scenarios.run(scenario, seed, engine=engine, tell=tell, scheduler=scheduler)
            lines = _environment(scenario, seed, engine) if env else ""
    if output is not None:
        _write(output, rows)
    if as_json:
        found = {"scenario": name, "engine": engine, "seed": seed, "rows": scenarios.plain(rows)}
        more = ({"trace": about} if about else {}) | ({"environment": lines} if env else {})
        typer.echo(orjson.dumps(found | more))
    else:
        _show(scenario, rows, about)
        typer.echo(lines if env else "", nl=False)
    if not scenarios.checks_hold(rows):
        raise typer.Exit(FAILED)


def _scenario(name: str, strategies: list[str] | None) -> Scenario:
    from plantid_core.lab.scenarios import SCENARIOS
    from plantid_core.resilience import NAMES

    if name not in SCENARIOS:
        known = ", ".join(SCENARIOS)
        raise typer.BadParameter(f"there is no scenario {name!r}; use one of {known}")
    scenario = SCENARIOS[name]
    if not strategies:
        return scenario
    if scenario.kind in {"breaker", "theory"}:
        raise typer.BadParameter(f"{name} takes no --strategy")
    if unknown := [one for one in strategies if one not in NAMES]:
        raise typer.BadParameter(
            f"there is no strategy {unknown[0]!r}; use one of {', '.join(NAMES)}"
        )
    return replace(scenario, strategies=tuple(strategies))


def _with_settings(scenario: Scenario, given: dict[str, float]) -> Scenario:
    from plantid_core.lab.sweep import at

    if given and scenario.kind != "traffic":
        raise typer.BadParameter(f"{scenario.name} has settings of its own; give none")
    if taken := given.keys() & scenario.axes.keys():
        raise typer.BadParameter(f"{scenario.name} tries many values of {', '.join(taken)}")
    return replace(scenario, workload=at(scenario.workload, given))


def _replayed(
    scenario: Scenario, seed: int, engine: Engine, tell: Tell, path: Path
) -> tuple[pd.DataFrame, str, dict[str, object]]:
    """Return the rows, the settings as lines, and what the trace is; exits with 3 for a bad one."""
    import pandas as pd

    from plantid_core.lab import environment, scenarios, trace
    from plantid_core.lab.sweep import Progress

    try:
        requests = trace.read(path)
        workload = trace.settings(requests, scenario.workload)
    except trace.TraceRefused as refused:
        typer.echo(f"plantid: {refused}", err=True)
        raise typer.Exit(REFUSED) from refused
    records = []
    begin = time.monotonic()
    for strategy in scenario.strategies:
        record = trace.replay(requests, strategy, workload, seed, engine=engine)
        records.append(scenarios.warm(record))
        took = time.monotonic() - begin
        left = took / len(records) * (len(scenario.strategies) - len(records))
        tell(Progress(len(records), len(scenario.strategies), took, left))
    lines = [environment.lines(record.workload, record.strategy, record) for record in records]
    rows = pd.concat([record.summary() for record in records], ignore_index=True)
    return rows, "\n".join(lines), scenarios.plain(trace.describe(requests))[0]


def _write(path: Path, rows: pd.DataFrame) -> None:
    try:
        path.write_text(rows.to_csv(index=False), encoding="utf-8")
    except OSError as error:
        raise PlantIDError(f"{path} could not be written: {error.strerror}.") from error


def _environment(scenario: Scenario, seed: int, engine: Engine) -> str:
    from plantid_core.lab import environment, scenarios
    from plantid_core.lab.simulate import run

    workload = scenario.workload
    return "\n".join(
        environment.lines(
            workload, strategy, scenarios.warm(run(strategy, workload, seed, engine=engine))
        )
        for strategy in scenario.strategies
    )


@contextmanager
def _progress() -> Iterator[Tell]:
    """Draw a bar on stderr, where that is a terminal, as runs end."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("", total=None)
        yield lambda done: bar.update(task, completed=done.done, total=done.total)


def _show(scenario: Scenario, rows: pd.DataFrame, about: dict[str, object]) -> None:
    from rich.console import Console
    from rich.table import Table

    title, story = ("Your trace", _told(about)) if about else (scenario.title, scenario.story)
    if scenario.kind == "traffic":
        story += " Per expiry: without each key's first, when the cache is empty."
    if scenario.kind == "breaker":
        story += f" Medians of {rows['seed'].nunique()} runs."
        rows = rows.groupby("protection", sort=False).median(numeric_only=True).reset_index()
    columns = _columns(scenario, rows)
    table = Table(title=title, caption=story)
    for column in columns:
        head = (_SHOWN | _SHOWN_OF_BREAKERS).get(column, column.replace("_", " "))
        word = column in _WORDS
        table.add_column(head, justify="left" if word else "right", no_wrap=word)
    for row in rows[columns].itertuples(index=False):
        table.add_row(*(_said(value) for value in row))
    Console().print(table)


def _told(about: dict[str, object]) -> str:
    """Return the sentence of a trace, of its row in `plantid_core.lab.trace.describe`."""
    steep = about["zipf_s"]
    zipf = "" if steep is None else f"; Zipf's s is {steep:.3g}"
    return (
        f"{about['requests']:,} requests for {_counted(about['keys'], 'key')} in"
        f" {about['duration_s']:,.4g} s: {about['rate_mean_per_s']:,.3g} a second, at most"
        f" {about['rate_peak_per_s']:,}. The top key has {about['top_key_share']:.0%} of them{zipf}."
    )


def _counted(count: object, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _columns(scenario: Scenario, rows: pd.DataFrame) -> list[str]:
    if scenario.kind == "breaker":
        return ["protection", *_SHOWN_OF_BREAKERS]
    if scenario.kind != "traffic":
        return [str(column) for column in rows.columns if column != "seed"]
    return [*scenario.axes, "strategy", *_SHOWN]


def _said(value: object) -> str:
    if isinstance(value, float):
        return (
            "–"
            if math.isnan(value)
            else f"{value:.3g}"
            if abs(value) < _ROUNDED
            else f"{value:,.0f}"
        )
    return str(value)
