"""Values that their owner wants forgotten: gone from the server, and from every process."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

from processes import until

from plantid_core.resilience.cache import Cache
from plantid_core.resilience.lease import fence_key, value_key
from plantid_core.resilience.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Callable

    from servers import Server

KEEPER = """
import sys
from plantid_core.resilience.cache import Cache
from plantid_core.resilience.link import Address
from plantid_core.resilience.policy import Policy
from plantid_core.store.connection import connect
cache = Cache(Address.of(connect(sys.argv[1])), Policy(beta=0))
for line in sys.stdin:
    found = cache.get("k", lambda: "computed here")
    print(found.value, found.origin, flush=True)
cache.close()
"""


def test_another_process_forgets_too(make_cache: Callable[..., Cache], server: Server) -> None:
    """What lay near it a moment ago is computed anew; the fence stays, and grows."""
    ours = make_cache()
    ours.get("k", lambda: "first")
    client = server.client()
    fence = client.get(fence_key("k"))
    with subprocess.Popen(
        [sys.executable, "-c", KEEPER, server.url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        stdin, stdout = other.stdin, other.stdout

        def ask() -> str:
            stdin.write("\n")
            stdin.flush()
            return stdout.readline().strip()

        before = ask(), ask()
        left = ours.forget(["k"])
        assert client.get(value_key("k")) is None
        assert client.get(fence_key("k")) == fence
        after = [ask()]
        # The news is on its way.
        assert until(lambda: after[-1].startswith("computed") or after.append(ask()) is not None)
        other.stdin.close()
    grown = client.get(fence_key("k"))

    assert before == ("first redis", "first near")
    assert left == ()
    assert after[-1] == "computed here upstream"
    assert int(grown) > int(fence)


def test_others_keys_stay(make_cache: Callable[..., Cache]) -> None:
    """Only what is named is forgotten."""
    cache = make_cache()
    cache.get("mine", lambda: 1)
    cache.get("theirs", lambda: 2)

    cache.forget(["mine"])

    assert cache.get("mine", lambda: 3).origin == "upstream"
    assert cache.get("theirs", lambda: 3).origin == "near"


def test_what_the_server_could_not_be_told_is_returned(
    make_cache: Callable[..., Cache], server: Server
) -> None:
    """Near values go at once; whoever asked learns what may still lie on the server."""
    cache = make_cache()
    cache.get("k", lambda: 1)
    server.kill()

    left = cache.forget(["k", "unknown"])

    assert left == ("k", "unknown")
    assert cache.get("k", lambda: 2).value == 2


def test_a_computation_under_way_is_not_refused(make_cache: Callable[..., Cache]) -> None:
    """It began before the deletion, keeps its lease, and its value is stored."""
    cache, other = make_cache(), make_cache()

    def compute() -> str:
        other.forget(["k"])
        return "made meanwhile"

    cache.get("k", compute)

    assert other.get("k", lambda: "again").origin == "redis"


def test_a_cache_of_the_process_alone_forgets_with_it(make_cache: Callable[..., Cache]) -> None:
    """What this machine computed itself lies near only, and goes in every process that hears."""
    one, other = make_cache(), make_cache()
    with closing(Cache(None, Policy(beta=0))) as local:
        other.beside.append(local)
        local.get("k", lambda: 1)
        other.get("warm", lambda: 1)  # it is subscribed by now

        one.forget(["k"])

        assert until(lambda: local.near.peek("k") is None)
