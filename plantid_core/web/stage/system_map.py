"""The whole system on one picture: each part with a state, in colour, in a sign and in words."""

from __future__ import annotations

import datetime as dt
import math
import time
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Literal, TypeAlias

from plantid_core.drill.services import SERVICES
from plantid_core.palette import TITLES, age, duration
from plantid_core.web.stage.switches import SLOW_S
from plantid_core.web.stage.traffic import PEOPLE, PER_S

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from plantid_core.drill.services import Service
    from plantid_core.resilience.breaker_settings import BreakerReport
    from plantid_core.web.stage.theatre import Stage
    from plantid_core.web.stage.ticker import Figures
    from plantid_core.workbench import Readiness

State: TypeAlias = Literal["well", "degraded", "broken"]

SIGNS: Mapping[State, str] = {"well": "✓", "degraded": "▲", "broken": "✕"}
# An outage of a fraction of a second is still told of when the next picture comes.
_TOLD_S = 8.0
_BREAKERS: Mapping[str, tuple[State, str]] = {
    "closed": ("well", "closed"),
    "open": ("broken", "open"),
    "half-open": ("degraded", "half-open"),
}


@dataclass(frozen=True, slots=True)
class Part:
    """One part: its state, that state in a word or two, and a line of detail."""

    title: str
    state: State
    word: str
    detail: str


@dataclass(frozen=True, slots=True)
class Room:
    """Parts that stand side by side on the way of a request."""

    name: str
    parts: tuple[Part, ...]


def rooms(stage: Stage) -> tuple[Room, ...]:
    """Return every part of a stage's workbench, in the order a request passes them."""
    workbench = stage.workbench
    ready, figures = workbench.readiness(), stage.ticker.figures()
    reports = {report["name"]: report for report in workbench.breaker_reports()}
    return (
        Room("browser", (_people(stage, figures),)),
        Room("app", (_app(ready, reports, figures),)),
        Room("cache", (_store(stage, ready),)),
        Room("breakers", tuple(_breaker(reports[name]) for name in SERVICES)),
        Room("services", tuple(_service(stage, ready, name) for name in SERVICES)),
        Room("offline", (_offline(figures),)),
    )


def told(system: Sequence[Room]) -> str:
    """Return the picture in a sentence, for those who do not see it."""
    parts = [
        f"{part.title}{' breaker' if room.name == 'breakers' else ''} {part.word}"
        for room in system
        for part in room.parts
    ]
    return f"From the browser to the offline model: {'; '.join(parts)}."


def drawn(system: Sequence[Room]) -> str:
    """Return the picture as HTML; `board` has its dress."""
    arrow = '<div class="pid-way">→</div>'
    return (
        f'<div class="pid-map" role="img" aria-label="{escape(told(system))}">'
        f"{arrow.join(_room(room) for room in system)}</div>"
    )


def _room(room: Room) -> str:
    cards = "".join(
        f'<div class="pid-part pid-{part.state}" data-part="{room.name}"><b>{escape(part.title)}</b>'
        f"<strong>{SIGNS[part.state]} {escape(part.word)}</strong><small>{escape(part.detail)}</small></div>"
        for part in room.parts
    )
    return f'<div class="pid-room"><i>{escape(room.name)}</i>{cards}</div>'


def _people(stage: Stage, figures: Figures) -> Part:
    if figures.failed:
        return Part("People", "broken", f"{figures.failed} without an answer", "this must not be")
    if stage.traffic.left:
        return Part("People", "well", f"{PEOPLE:,} at once", f"{stage.traffic.left:,} still wait")
    if stage.traffic.running:
        return Part("People", "well", "steady", f"{PER_S:.0f} a second ask")
    return Part("People", "well", "quiet", "nobody is sent at the moment")


def _app(ready: Readiness, reports: Mapping[str, BreakerReport], figures: Figures) -> Part:
    asked = figures.lately
    pace = f"median {duration(figures.median_ms)}" if asked else "waits for the first question"
    # Of the same moment as the breakers beside it.
    missing = ["Redis"] if ready["redis"] != "ok" else []
    missing += [TITLES[name] for name in SERVICES if reports[name]["state"] != "closed"]
    if missing:
        return Part("Workbench", "degraded", "limited", f"without {' and '.join(missing)}; {pace}")
    return Part("Workbench", "well", "answers", pace)


def _store(stage: Stage, ready: Readiness) -> Part:
    memory = "each process uses its own memory"
    if ready["redis"] != "ok":
        return Part("Redis", "broken", "hangs" if stage.switches.frozen else "down", memory)
    outage = stage.acts.outage
    if outage is not None and time.monotonic() - outage.at < _TOLD_S:
        if outage.away_s is None:
            return Part("Redis", "degraded", "comes back", memory)
        return Part("Redis", "degraded", "back", f"was away for {outage.away_s:.2f} s")
    counts = ready["counters"]
    hits = sum(counts.get(f"cache_{event}", 0) for event in ("hit", "near_hit", "stale"))
    return Part("Redis", "well", "keeps answers", f"{hits:,} came from here or nearer")


def _breaker(report: BreakerReport) -> Part:
    state, word = _BREAKERS[report["state"]]
    if report["state"] == "open":
        detail = f"left alone, asked again {_until(report['opens_until'])}"
    elif report["state"] == "half-open":
        detail = "a few calls may try"
    else:
        failures = report["failures"]
        detail = (
            f"{failures} failure{'' if failures == 1 else 's'} in a row"
            if failures
            else "calls pass"
        )
    return Part(TITLES[report["name"]], state, word, detail)


def _until(moment: str | None) -> str:
    if moment is None:
        return "later"
    left = dt.datetime.fromisoformat(moment) - dt.datetime.now(dt.UTC)
    return f"in {age(max(1, math.ceil(left.total_seconds())))}"


def _service(stage: Stage, ready: Readiness, name: Service) -> Part:
    kind = "the sandbox" if ready["providers"].get(name) == "sandbox" else "the real service"
    if name in stage.switches.out:
        return Part(TITLES[name], "broken", "down", "resets every call")
    if name in stage.switches.slow:
        return Part(TITLES[name], "degraded", "slow", f"{SLOW_S:.0f} s an answer")
    return Part(TITLES[name], "well", "up", kind)


def _offline(figures: Figures) -> Part:
    alone, beside = figures.lately.get("offline", 0), figures.lately.get("other", 0)
    if alone or beside:
        return Part("Offline model", "well", "stands in", f"for {alone + beside} lately")
    return Part("Offline model", "well", "ready", "on this machine, no credit")
