"""Processes that call through one breaker: ``python tests/breaker_callers.py '{"url": "unix://…"}'``.

Such a process does what it is told, one JSON object a line, and answers each with one line.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING

from processes import until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Self

    from servers import Server

    from plantid_core.resilience.breaker import Breaker

USUAL = {"fail_max": 2, "reset_timeout": 30.0, "jitter": 0.0, "ramp_s": 0.3}


class Down(Exception):
    """What a failing call raises; the service may have asked to be left alone."""

    def __init__(self, named_s: float | None = None) -> None:
        self.named_s = named_s
        super().__init__("down")


class Caller:
    """A process with a breaker, seen from the test."""

    def __init__(self, url: str, name: str = "svc", **settings: object) -> None:
        asked = {"url": url, "name": name, "settings": {**USUAL, **settings}}
        self.process = subprocess.Popen(
            [sys.executable, __file__, json.dumps(asked)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def tell(self, do: str, **more: object) -> None:
        """Let it begin something."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"do": do, **more}) + "\n")
        self.process.stdin.flush()

    def hear(self) -> dict[str, object]:
        """Wait for what came of it."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the process has ended"
        return dict(json.loads(line))

    def ask(self, do: str, **more: object) -> dict[str, object]:
        self.tell(do, **more)
        return self.hear()

    def call(self, outcome: str = "ok", **more: object) -> object:
        """Return how a call ended: "ok", "Down" (it was let through), or "BreakerOpen"."""
        return self.ask("call", outcome=outcome, **more)["result"]

    def look(self) -> dict[str, object]:
        return self.ask("look")

    @property
    def state(self) -> object:
        return self.look()["state"]

    @property
    def alerts(self) -> list[str]:
        return list(self.look()["alerts"])  # type: ignore[call-overload]

    def ready(self) -> Self:
        """Wait until it goes with the fleet."""
        assert until(lambda: self.look()["up"] is True)
        return self

    def close(self) -> None:
        self.process.kill()
        with self.process:
            pass


class Crew(ExitStack):
    """Several such processes, started at once."""

    def __init__(self, url: str, count: int, **settings: object) -> None:
        super().__init__()
        self.url, self.settings = url, settings
        self.members = [Caller(url, **settings) for _ in range(count)]
        for member in self.members:
            self.callback(member.close)

    def __enter__(self) -> Self:
        for member in self.members:
            member.ready()
        return self

    def __iter__(self) -> Iterator[Caller]:
        return iter(self.members)

    def join(self) -> Caller:
        """Start one more, which nobody waits for."""
        member = Caller(self.url, **self.settings)
        self.callback(member.close)
        self.members.append(member)
        return member

    def together(self, do: str, **more: object) -> list[dict[str, object]]:
        """Let all do it at once; returns what came of it."""
        for member in self.members:
            member.tell(do, **more)
        return [member.hear() for member in self.members]

    def all_in(self, state: str, within_s: float = 5.0) -> bool:
        return until(lambda: {member.state for member in self.members} == {state}, within_s)


def trip(member: Caller) -> None:
    """Let it meet as many failures as it takes."""
    for _ in range(2):
        assert member.call("fail") == "Down"


def results(answers: Sequence[dict[str, object]]) -> list[object]:
    return sorted(str(answer["result"]) for answer in answers)


class Party(ExitStack):
    """Breakers of this process, each on a connection of its own: so many processes to the others."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self._server = server
        self._made = 0

    def make(self, name: str = "svc", *, wait: bool = True, **settings: object) -> Breaker:
        from plantid_core.resilience.breaker import Breaker
        from plantid_core.store.connection import connect

        self._made += 1
        client = connect(self._server.url, health_check_interval_s=100 + self._made)
        self.enter_context(client)
        breaker = Breaker(name, client=client, **{**USUAL, **settings})  # type: ignore[arg-type]
        self.callback(breaker.leave)
        if wait:
            assert until(lambda: goes_with_the_fleet(breaker))
            assert breaker.call(lambda: 1) == 1
        return breaker


def goes_with_the_fleet(breaker: Breaker) -> bool:
    share = breaker._circuits.share  # noqa: SLF001 - the test wants to see inside
    return share is not None and share.up


def listeners(server: Server) -> int:
    """Return how many processes hear the fleet's news."""
    return int(server.client().publish("plantid:breakers:0", b""))


def epoch(breaker: Breaker) -> int:
    share = breaker._circuits.share  # noqa: SLF001 - as above
    assert share is not None
    return share.circuit.epoch


def fail(breaker: Breaker, times: int = 2) -> None:
    """Let calls through the breaker fail."""

    def work() -> None:
        raise Down

    for _ in range(times):
        try:
            breaker.call(work)
        except Down:
            continue


def through(breaker: Breaker) -> bool:
    """Tell whether a call is let through."""
    from pybreaker import CircuitBreakerError

    try:
        breaker.call(lambda: 1)
    except CircuitBreakerError:
        return False
    return True


class _Process:
    """The process's side."""

    def __init__(self, url: str, name: str, settings: dict[str, object]) -> None:
        from plantid_core.resilience.breaker import Breaker
        from plantid_core.resilience.outcome import Judgement
        from plantid_core.store.connection import connect

        self.alerts: list[str] = []
        self.released, self.inside = threading.Event(), threading.Event()
        self.held: dict[str, object] = {}
        self.thread: threading.Thread | None = None
        self.breaker: Breaker = Breaker(
            name,
            client=connect(url),
            classify=lambda e, _: Judgement(fails=True, open_for_s=getattr(e, "named_s", None)),
            alert=lambda alert: self.alerts.append(str(alert)),
            **settings,  # type: ignore[arg-type]
        )

    def call(self, outcome: str, named_s: float | None = None) -> dict[str, object]:
        def work() -> None:
            if outcome == "fail":
                raise Down(named_s)

        return self._through(work)

    def many(self, count: int, outcome: str = "ok") -> dict[str, object]:
        answers = [str(self.call(outcome)["result"]) for _ in range(count)]
        return {answer: answers.count(answer) for answer in set(answers)}

    def hold(self, outcome: str = "ok") -> dict[str, object]:
        """Begin a call that lasts until it is released."""
        self.released.clear()
        self.inside.clear()
        self.held = {}

        def work() -> None:
            self.inside.set()
            assert self.released.wait(30)
            if outcome == "fail":
                raise Down

        def run() -> None:
            self.held = self._through(work)
            self.inside.set()

        self.thread = threading.Thread(target=run, daemon=True)
        self.thread.start()
        assert self.inside.wait(10)
        return self.held or {"result": "inside"}

    def release(self) -> dict[str, object]:
        self.released.set()
        assert self.thread is not None
        self.thread.join(10)
        return self.held

    def look(self) -> dict[str, object]:
        share = self.breaker._circuits.share  # noqa: SLF001 - the test wants to see inside
        assert share is not None
        circuit = share.circuit
        return {
            "state": self.breaker.state,
            "up": share.up,
            "epoch": circuit.epoch,
            "strikes": circuit.strikes,
            "until": circuit.until,
            "lasts": circuit.until - circuit.since,
            "confirmed": circuit.confirmed,
            "accusers": len(circuit.accusers),
            "alerts": self.alerts,
        }

    def force(self, mode: str) -> dict[str, object]:
        self.breaker.force(mode)  # type: ignore[arg-type]
        return {}

    def close(self) -> dict[str, object]:
        self.breaker.close()
        return {}

    def _through(self, work: object) -> dict[str, object]:
        try:
            self.breaker.call(work)  # type: ignore[arg-type]
        except Exception as error:  # noqa: BLE001 - whatever it was is the result
            return {"result": type(error).__name__}
        return {"result": "ok"}


if __name__ == "__main__":
    process = _Process(**json.loads(sys.argv[1]))
    for line in sys.stdin:
        asked = json.loads(line)
        answer = getattr(process, asked.pop("do"))(**asked)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
