"""``python identify_callers.py DATA_DIR SANDBOX_URL CALLERS [OPEN_BREAKER]``: callers of one process.

Prints "ready", waits for a line on its standard input, sends every caller off at once with one
photo, and prints what each was answered.
"""

from __future__ import annotations

import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from plantid_core import open_workbench
from plantid_core.settings import load_settings
from plantid_core.workbench import sample_photo

if TYPE_CHECKING:
    from plantid_core.plants import Answer


def told(answer: Answer) -> list[object]:
    names = [suggestion.taxon.scientific_name for suggestion in answer.suggestions]
    # The rest of an error tells how long to wait, which grows less while callers are answered.
    return [answer.provider, answer.status, names, answer.error and answer.error["code"]]


def main(data_dir: str, sandbox_url: str, callers: str, breaker: str | None = None) -> None:
    count, photo = int(callers), sample_photo()
    meeting = threading.Barrier(count)
    with open_workbench(load_settings(data_dir=data_dir, sandbox_url=sandbox_url)) as workbench:
        if breaker:
            workbench.breakers[breaker].open()
        workbench.admit(photo)

        def call(_: int) -> list[object]:
            meeting.wait()
            return [told(answer) for answer in workbench.identify([photo]).answers]

        print("ready", flush=True)  # noqa: T201 - a command's output
        sys.stdin.readline()
        with ThreadPoolExecutor(count) as pool:
            print(json.dumps(list(pool.map(call, range(count)))))  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
