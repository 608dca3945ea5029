"""``python -m plantid_core.drill.worker``: a client process, told over its standard input what to ask.

It reads a `Hello`, opens a workbench, prints ``{"event": "ready"}``, and then carries out every
`Order` it reads, as many at a time as there are. Each answer is a line, and so is an order's end.
"""

from __future__ import annotations

import datetime as dt
import itertools
import os
import sys
import threading
import time
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import orjson
from pydantic import TypeAdapter

from plantid_core.drill.photos import photo
from plantid_core.drill.traffic import Hello, Order, Said, Traffic
from plantid_core.errors import UploadRejected
from plantid_core.settings import load_settings
from plantid_core.workbench import open_workbench

if TYPE_CHECKING:
    from collections.abc import Iterator

    from plantid_core.plants import Outcome
    from plantid_core.upload import Upload
    from plantid_core.workbench import Workbench

_HELLO = TypeAdapter(Hello)
_ORDER = TypeAdapter(Order)
_DAY_ONE = dt.date(1000, 1, 1)
_PHOTOS_A_CLIENT = 10_000
_DAYS_A_CLIENT = 30_000


class Client:
    """One workbench, and its answers as lines on standard output."""

    def __init__(self, hello: Hello, workbench: Workbench) -> None:
        self._number, self._workbench = hello.number, workbench
        self._days: Iterator[int] = itertools.count(hello.number * _DAYS_A_CLIENT)
        self._writing = threading.Lock()

    def say(self, event: str, **fields: object) -> None:
        """Print one line."""
        line = orjson.dumps({"event": event, **fields}) + b"\n"
        with self._writing:
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()

    def carry_out(self, order: Order) -> None:
        """Begin an order, in threads of its own."""
        threading.Thread(target=self._carry_out, args=(order,), daemon=True).start()

    def _carry_out(self, order: Order) -> None:
        traffic = order.traffic
        first = traffic.first + (self._number * _PHOTOS_A_CLIENT if traffic.apart else 0)
        files = _attacks(traffic) or [photo(first + n) for n in range(traffic.photos)]
        tickets = iter(range(traffic.requests))
        taking = threading.Lock()

        def serve() -> None:
            while True:
                with taking:
                    ticket = next(tickets, None)
                if ticket is None:
                    return
                due = order.at + (ticket / traffic.rate if traffic.rate else 0.0)
                time.sleep(max(0.0, due - time.monotonic()))
                self._ask(traffic, _nth(files, ticket, anew=bool(traffic.attacks)), due)

        crowd = [threading.Thread(target=serve, daemon=True) for _ in range(traffic.threads)]
        for thread in crowd:
            thread.start()
        for thread in crowd:
            thread.join()
        self.say("done", traffic=traffic.name)

    def _ask(self, traffic: Traffic, file: Upload, due: float) -> None:
        found: dict[str, object]
        try:
            found = _told(self._identify(traffic, file))
        except UploadRejected as rejected:
            found = {"refused": rejected.code}
        except Exception as error:  # noqa: BLE001 - no request may end so, and the drill is told
            found = {"failed": f"{type(error).__name__}: {error}"}
        ms = (time.monotonic() - due) * 1e3
        told = {"traffic": traffic.name, "client": self._number, "due": due, "ms": ms, **found}
        self.say("answer", told=told)

    def _identify(self, traffic: Traffic, file: Upload) -> Outcome:
        day = _DAY_ONE + dt.timedelta(days=next(self._days)) if traffic.unasked else None
        return self._workbench.identify(
            [file],
            date=day,
            providers=traffic.providers,
            fresh=traffic.fresh,
            deadline_s=traffic.deadline_s,
        )


def _told(outcome: Outcome) -> dict[str, object]:
    said = [
        Said(
            answer.provider,
            answer.status,
            answer.source,
            answer.error["code"] if answer.error else None,
            answer.error["retry_after_s"] if answer.error else None,
        )
        for answer in outcome.answers
    ]
    return {
        "rung": outcome.rung,
        "degraded": outcome.degraded,
        "said": [asdict(one) for one in said],
    }


def _nth(files: list[Upload], number: int, *, anew: bool) -> Upload:
    """Return a file of the ring; ``anew`` adds a tail, so that no kept verdict spares the chain."""
    file = files[number % len(files)]
    return replace(file, data=file.data + str(number).encode()) if anew else file


def _attacks(traffic: Traffic) -> list[Upload]:
    if not traffic.attacks:
        return []
    from plantid_core.lab.attacks import ATTACKS

    return [attack.upload() for attack in ATTACKS if attack.id in traffic.attacks]


def main() -> None:
    """Serve until standard input ends."""
    hello = _HELLO.validate_json(sys.stdin.buffer.readline())
    client = Client(hello, open_workbench(load_settings(**hello.settings)))
    client.say("ready")
    for line in sys.stdin.buffer:
        client.carry_out(_ORDER.validate_json(line))
    # Requests may still be under way; whoever started us wants none of them.
    os._exit(0)


if __name__ == "__main__":
    main()
