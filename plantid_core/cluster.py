"""The way to a Dask cluster: a client of its scheduler, or one sentence that says what is missing."""

from __future__ import annotations

import logging
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from plantid_core.errors import PlantIDError

if TYPE_CHECKING:
    from distributed import Client

REACH_S = 5.0


class ClusterUnavailable(PlantIDError):
    """The Dask cluster at ``address`` cannot be used; the sentence says what to do."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(f"The cluster at {address} cannot be used: {reason}")
        self.address, self.reason = address, reason


def connect(address: str) -> Client:
    """Return a client of the scheduler at ``tcp://host:8786`` that has workers.

    Raises `ClusterUnavailable`.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise ClusterUnavailable(
            address, 'Dask is not installed here. Run: pip install "plantid[cluster]"'
        ) from error
    _require_answer(address)
    for name in ("distributed", "distributed.client"):
        # It logs a traceback where a sentence of ours follows.
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        client = Client(  # type: ignore[no-untyped-call]
            address, timeout=REACH_S, set_as_default=False
        )
    except (OSError, ValueError) as error:
        raise _no_scheduler(address, str(error)) from error
    if not client.scheduler_info()["workers"]:
        client.close()  # type: ignore[no-untyped-call]
        raise ClusterUnavailable(address, f"it has no workers. Start some: dask worker {address}")
    return client


def _require_answer(address: str) -> None:
    # Asked of the plain socket: Dask's own client says no more, and leaves a thread that tries on.
    parts = urlsplit(address)
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if parts.scheme not in {"tcp", "tls"} or host is None or port is None:
        raise ClusterUnavailable(address, "an address looks like tcp://host:8786.")
    try:
        with socket.create_connection((host, port), REACH_S) as answered:
            # A scheduler speaks first; of a server that waits to be spoken to, Dask waits for ever.
            speaks = parts.scheme == "tls" or _hears_a_word(answered)
    except OSError as error:
        raise ClusterUnavailable(
            address,
            f"nobody answered within {REACH_S:.0f} s. Is `dask scheduler` running there?",
        ) from error
    if not speaks:
        raise _no_scheduler(address, "it says nothing")


def _hears_a_word(answered: socket.socket) -> bool:
    try:
        return bool(answered.recv(1))
    except TimeoutError:
        return False


def _no_scheduler(address: str, told: str) -> ClusterUnavailable:
    return ClusterUnavailable(
        address, f"what answers there is no Dask scheduler of our version ({told})."
    )
