"""What a hit costs: a value of 4 KB, decoded, in Redis and near, beside what others take for it."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING

import orjson
import redis

from plantid_core.bench.peers import Cashews, make, present
from plantid_core.bench.report import Ratio, Report, Row
from plantid_core.bench.servers import Server
from plantid_core.bench.timing import interleaved
from plantid_core.resilience.policy import Policy
from plantid_core.store.connection import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from plantid_core.bench.peers import Contestant

ROUNDS = 9
GETS = 2000
_KEY = "leaf"
# In one line, as `python -c` takes it.
_SPIN = "import os\nos.nice(19)\nwhile True: pass"
# A near hit takes less than the clock's own call: more of them a round.
_NEAR_FACTOR = 10


def run(tell: Callable[[str], None], *, rounds: int = ROUNDS, gets: int = GETS) -> Report:
    """Return microseconds a hit; takes about a minute."""
    rows: list[Row] = []
    for case, value in VALUES.items():
        with Server() as server, ExitStack() as stack, _awake():
            work = _contestants(server.url, value, gets, stack, tell)
            tell(f"{case}: {rounds} rounds of {len(work)} contestants")
            taken = interleaved(work, rounds)
        rows += [
            Row.of(case, name, "time", "us", [ms * 1e3 / _count(name, gets) for ms in taken[name]])
            for name in work
        ]
    return Report("cache-hit", tuple(rows), tuple(_ratios(rows)))


def leaf() -> dict[str, object]:
    """Return a value whose JSON takes about 4 KB, shaped like an answer."""
    return {
        "suggestions": [
            {"name": f"Species {number:02d}", "score": 1 / (number + 2), "rank": number,
             "common": ["leaf", "blatt"], "note": "x" * 80}
            for number in range(24)
        ]
    }  # fmt: skip


# To decode an answer takes half as long as to fetch it; a text costs next to nothing.
VALUES: dict[str, object] = {"4 KB text": {"text": "leaf " * 800}, "4 KB answer": leaf()}


@contextmanager
def _awake() -> Iterator[None]:
    """Keep the other core from its sleep states, out of whose depth a server answers late."""
    spinner = subprocess.Popen([sys.executable, "-c", _SPIN])  # noqa: S603 - our own line
    try:
        yield
    finally:
        spinner.kill()
        spinner.wait()


def _contestants(
    url: str, value: object, gets: int, stack: ExitStack, tell: Callable[[str], None]
) -> dict[str, Callable[[], object]]:
    far = Policy(near_size=0)
    caches = {
        name: stack.enter_context(closing(make(name, url, far)))
        for name in present(("lease", "lease over redis-py", "dogpile", "cashews"), tell)
    }
    for name, cache in caches.items():
        _warm(name, cache, value)
    near = stack.enter_context(closing(make("lease", url)))
    _warm("near", near, value)
    work = {name: _gets(cache, gets) for name, cache in caches.items()}
    return {
        **work,
        **_raw(url, value, gets, stack),
        "near": partial(_repeat, partial(near.get, _KEY, _absent), gets * _NEAR_FACTOR),
    }


def _raw(url: str, value: object, gets: int, stack: ExitStack) -> dict[str, Callable[[], object]]:
    """Return redis-py's own ``GET`` by our client and by a plain one, and with the decoding."""
    ours = stack.enter_context(closing(connect(url)))
    plain = stack.enter_context(closing(redis.Redis.from_url(url)))
    plain.set("raw", orjson.dumps(value))
    return {
        "redis-py GET, pooled": partial(_repeat, partial(ours.get, "raw"), gets),
        "redis-py GET": partial(_repeat, partial(plain.get, "raw"), gets),
        "redis-py GET, decoded": partial(
            _repeat,
            lambda: orjson.loads(plain.get("raw")),  # type: ignore[arg-type]
            gets,
        ),
    }


def _warm(name: str, cache: Contestant, value: object) -> None:
    """Put the value there; raises RuntimeError where the cache then computes it again."""
    cache.get(_KEY, lambda: value)
    try:
        found = cache.get(_KEY, _absent)
    except LookupError as error:
        raise RuntimeError(f"{name} keeps nothing in Redis") from error
    if found != value:
        raise RuntimeError(f"{name} gave another value")


def _absent() -> object:
    raise LookupError


def _gets(cache: Contestant, gets: int) -> Callable[[], object]:
    if isinstance(cache, Cashews):
        return partial(cache.gets, _KEY, _absent, gets)
    return partial(_repeat, partial(cache.get, _KEY, _absent), gets)


def _repeat(get: Callable[[], object], gets: int) -> None:
    for _ in range(gets):
        get()


def _count(name: str, gets: int) -> int:
    return gets * _NEAR_FACTOR if name == "near" else gets


def _ratios(rows: list[Row]) -> Iterator[Ratio]:
    for case in VALUES:
        us = {row.contestant: row.median for row in rows if row.case == case}
        raw, lease = us["redis-py GET"], us["lease"]
        yield Ratio(f"{case}: lease / redis-py GET", lease / raw, "x", 0.7)
        decoded = us["redis-py GET, decoded"]
        yield Ratio(f"{case}: lease / redis-py GET, decoded", lease / decoded, "x", 0.7)
        if "dogpile" in us:
            times = lease / us["dogpile"]
            yield Ratio(f"{case}: lease / dogpile (2.5 times as fast)", times, "x", 0.4)
        over = us["lease over redis-py"]
        yield Ratio(f"{case}: lease over redis-py / redis-py GET", over / raw, "x", 1.5)
        yield Ratio(f"{case}: near hit", us["near"], "us", 1.0)
