"""Many photos asked of one workbench, so many at a time; memory does not grow with their number."""

from __future__ import annotations

import queue
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plantid_core.errors import PlantIDError
from plantid_core.parts import require_known

if TYPE_CHECKING:
    import threading
    from collections.abc import Generator, Iterable, Sequence

    from plantid_core.plants import Outcome
    from plantid_core.upload import Upload
    from plantid_core.workbench import Workbench


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of one photo: an outcome, or the error with which it was refused."""

    name: str
    outcome: Outcome | None
    refusal: PlantIDError | None


def answers_of(
    workbench: Workbench,
    uploads: Iterable[tuple[str, Upload]],
    *,
    providers: Sequence[str] | None = None,
    concurrency: int = 8,
    user: str = "local",
    language: str = "en",
    stop: threading.Event | None = None,
) -> Generator[Asked]:
    """Yield what came of each photo, one observation a photo, in the order in which they end.

    ``uploads`` are pulled one by one, no more than ``concurrency`` ahead of what has been yielded. Once
    ``stop`` is set, or the generator is closed, none is begun any more; those under way end, and with
    ``stop`` are yielded as well. Raises `PlantIDError` for a provider that there is not, and what
    ``uploads`` raises.
    """
    require_providers(workbench, providers)

    def ask(name: str, upload: Upload) -> Asked:
        try:
            outcome = workbench.identify(
                [upload], providers=providers, language=language, user=user
            )
        except PlantIDError as refusal:
            return Asked(name, None, refusal)
        return Asked(name, outcome, None)

    done: queue.SimpleQueue[Asked | BaseException] = queue.SimpleQueue()

    def run(name: str, upload: Upload) -> None:
        try:
            done.put(ask(name, upload))
        except BaseException as error:  # noqa: BLE001 - raised again where the photos are yielded
            done.put(error)

    source, under_way, more = iter(uploads), 0, True
    executor = ThreadPoolExecutor(concurrency, "batch")
    try:
        while more or under_way:
            while more and under_way < concurrency:
                following = None if stop is not None and stop.is_set() else next(source, None)
                if following is None:
                    more = False
                else:
                    executor.submit(run, *following)
                    under_way += 1
            if under_way:
                ended = done.get()
                under_way -= 1
                if isinstance(ended, BaseException):
                    raise ended
                yield ended
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def require_providers(workbench: Workbench, names: Sequence[str] | None) -> None:
    """Raise `PlantIDError` for the first name that no provider of the workbench has."""
    require_known(names or (), [provider.name for provider in workbench.providers()])
