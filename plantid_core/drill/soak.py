"""Many minutes of everything at once: what is asked is answered, what is kept stays, nothing grows."""

from __future__ import annotations

import threading
import time
from dataclasses import fields
from statistics import median
from typing import TYPE_CHECKING

from plantid_core.drill.soak_app import App, Vitals
from plantid_core.drill.soak_load import Callers
from plantid_core.drill.soak_visitor import Visitor
from plantid_core.errors import PlantIDError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Self

    from plantid_core.drill.scene import Scene
    from plantid_core.drill.soak_load import Book

MINUTES = 20.0
_MINUTE_S = 60.0
_RATE, _THREADS, _SEED = 8.0, 6, 20
_SAMPLE_S = 5.0
# Caches, pools and the browser's sessions have filled by then; shorter runs only tell figures.
_WARM_MINUTES, _LEAST_MINUTES = 5.0, 10.0
_WINDOW_MINUTES = 5.0
_RSS_GROWTH_PERCENT = 5.0
# Of a median against the highest of the first window: what comes and goes is not a leak. Each session
# that is kept has an event loop of three files, two of them sockets; eight more may be kept then.
_SLACK = {"processes": 0, "threads": 4, "files": 24, "sockets": 16, "redis_clients": 4}
_MIB = 1 << 20
_TOLD = 20
_FIRST_ROUND_S, _TROUBLE_S = 30.0, 15.0
# Far longer than a read may take, or a watchdog needs to start the server again.
_HANG_S = 6.0


def soak(scene: Scene, minutes: float = MINUTES) -> None:
    """Use the running app in every way, and have something go wrong with it every minute."""
    app = App(scene)
    scene.at_the_end(app.close)
    token = app.token()
    scene.note("app", "ready", f"to be used for {minutes:g} minutes")
    began = time.monotonic()
    with (
        Callers(app.url, token, threads=_THREADS, rate=_RATE, seed=_SEED) as callers,
        Visitor(app.url) as visitor,
        _Trouble(scene, app, minutes) as trouble,
    ):
        if visitor.absent:
            scene.note("browser", "absent", f"{visitor.absent}: pages are not looked at")
        vitals = _watch(scene, app, callers.book, began, minutes)
        callers.end()
        visitor.end()
    _judge_answers(scene, callers, visitor)
    if trouble.hung:
        # Else it was not while it was needed that Redis was away.
        scene.checks.at_least("answers_without_redis", callers.book.degraded["redis"], 1)
    _judge_vitals(scene, vitals, began, minutes)
    scene.checks.equal("keys_without_an_end", len(app.lasting_keys()), 0)
    scene.checks.equal("app_ended_early", int(not app.running), 0)


class _Trouble:
    """One thing a minute that goes wrong, and the quiet before the last measurements.

    The first round goes quicker: what a trouble makes the app load and keep for good is there before
    the memory is measured that it must not exceed.
    """

    def __init__(self, scene: Scene, app: App, minutes: float) -> None:
        self._scene, self._app, self._minutes = scene, app, minutes
        self.hung = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="soak-trouble", daemon=True)
        services = scene.services
        slow = {"p50": 2000, "p99": 4000}
        self._acts: list[tuple[str, str, Callable[[], object]]] = [
            ("Redis", "hangs", self._hang),
            # Early, so that all is as full again by minute 5 as it will be at the end.
            ("Redis", "emptied", app.flush_redis),
            ("plant_id", "out", lambda: self._for_a_while(lambda: services.out("plant_id"))),
            ("Redis", "killed", app.kill_redis),
            (
                "plantnet",
                "slow",
                lambda: self._for_a_while(lambda: services.faults("plantnet", latency_ms=slow)),
            ),
            ("upload worker", "killed", app.kill_worker),
            ("both services", "out", lambda: self._for_a_while(self._both_out)),
        ]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        # In a short run they come closer together, so that there are some.
        longest_s = self._minutes * _MINUTE_S / 4
        number = 0
        until = time.monotonic() + self._minutes * _MINUTE_S - min(_MINUTE_S, longest_s)
        while True:
            first = number < len(self._acts)
            every_s = min(_FIRST_ROUND_S if first else _MINUTE_S, longest_s)
            if self._over.wait(every_s / 2) or time.monotonic() > until:
                return
            who, what, act = self._acts[number % len(self._acts)]
            self._scene.note(who, what)
            try:
                act()
            except Exception as error:  # noqa: BLE001 - the run goes on, and its checks tell
                self._scene.note(who, "could not be troubled", f"{type(error).__name__}: {error}")
            number += 1
            if self._over.wait(every_s / 2):
                return

    def _hang(self) -> None:
        self._app.freeze_redis(_HANG_S)
        self.hung += 1

    def _both_out(self) -> None:
        self._scene.services.out("plant_id")
        self._scene.services.out("plantnet")

    def _for_a_while(self, begin: Callable[[], object]) -> None:
        begin()
        self._over.wait(min(_TROUBLE_S, self._minutes * _MINUTE_S / 12))
        self._scene.services.faults("plant_id")
        self._scene.services.faults("plantnet")


def _watch(scene: Scene, app: App, book: Book, began: float, minutes: float) -> Sequence[Vitals]:
    """Look at the app until its time is over; tell every minute how it goes."""
    vitals: list[Vitals] = []
    until, told = began + minutes * _MINUTE_S, began
    while (now := time.monotonic()) < until:
        if not app.running:
            raise PlantIDError("The app ended in the middle of it.")
        vitals.append(app.look())
        if now - told >= _MINUTE_S:
            told = now
            _progress(scene, vitals[-1], book, now - began, until - now)
        time.sleep(min(_SAMPLE_S, max(0.0, until - time.monotonic())))
    return vitals


def _progress(scene: Scene, now: Vitals, book: Book, gone_s: float, left_s: float) -> None:
    scene.note(
        "soak",
        f"minute {gone_s / _MINUTE_S:.0f}",
        f"{book.total():,} requests, {book.total() / gone_s:.1f}/s, {len(book.unanswered)} not"
        f" answered, {now.rss / _MIB:.0f} MiB, {now.threads} threads, {now.files} files,"
        f" {now.keys} keys, {left_s / _MINUTE_S:.0f} min left",
    )


def _judge_answers(scene: Scene, callers: Callers, visitor: Visitor) -> None:
    checks, book = scene.checks, callers.book
    for kind in sorted(book.requests):
        checks.figure(f"{kind}_requests", book.requests[kind])
    checks.figure("requests", book.total())
    checks.figure("degraded_by_history", book.degraded["history"])
    checks.figure("slowest_ms", book.slowest_ms)
    for fault in book.unanswered[:_TOLD]:
        scene.note("caller", "not answered", fault)
    checks.equal("unanswered", len(book.unanswered), 0)
    lost = callers.lost()
    for one in lost[:_TOLD]:
        scene.note("history", "lost", one)
    checks.figure("kept", len(book.kept))
    checks.equal("lost", len(lost), 0)
    checks.figure("pages_read", visitor.pages)
    checks.figure("identified_in_the_browser", visitor.identified)
    if not visitor.absent:
        for failure in visitor.failures[:_TOLD]:
            scene.note("browser", "page failed", failure)
        checks.equal("page_failures", len(visitor.failures), 0)


def _judge_vitals(scene: Scene, vitals: Sequence[Vitals], began: float, minutes: float) -> None:
    """Hold the last five minutes to the five after minute 5 (of a short run: a quarter each).

    Each minute has a trouble of its own, and some fill the memory more than others: one minute compared
    with another tells which troubles they had.
    """
    warm = min(_WARM_MINUTES, minutes / 2) * _MINUTE_S
    window = min(_WINDOW_MINUTES, minutes / 4) * _MINUTE_S
    first = [one for one in vitals if warm <= one.at - began < warm + window]
    last = [one for one in vitals if one.at >= vitals[-1].at - window]
    binding = minutes >= _LEAST_MINUTES
    checks = scene.checks
    for name in (field.name for field in fields(Vitals) if field.name != "at"):
        before = [float(getattr(one, name)) for one in first if getattr(one, name) >= 0]
        after = [float(getattr(one, name)) for one in last if getattr(one, name) >= 0]
        if not before or not after:
            continue
        if name.endswith("rss"):
            checks.figure(f"{name}_before_mib", median(before) / _MIB)
            checks.figure(f"{name}_after_mib", median(after) / _MIB)
            growth = 100 * (median(after) / median(before) - 1)
            if binding and name == "rss":
                checks.at_most("rss_growth_percent", growth, _RSS_GROWTH_PERCENT)
            else:
                checks.figure(f"{name}_growth_percent", growth)
            continue
        checks.figure(f"{name}_before", median(before))
        if binding and name in _SLACK:
            checks.at_most(f"{name}_after", median(after), max(before) + _SLACK[name])
        else:
            checks.figure(f"{name}_after", median(after))
