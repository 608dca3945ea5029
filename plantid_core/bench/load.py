"""Cached identifications by the API under load, beside a bare route that reads the same photo.

The app is the real one, on its production settings: a token, every guard, a row in the history for each
answer. The throttle alone leaves this machine's own address out.
"""

from __future__ import annotations

import json
import shutil
import signal
import socket
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING

from plantid_core.access.signing import new_key
from plantid_core.bench.bare import PATH as BARE_PATH
from plantid_core.bench.report import Ratio, Report, Row
from plantid_core.bench.wrk import Wrk
from plantid_core.errors import PlantIDError
from plantid_core.lab.pictures import encode, photo_like
from plantid_core.settings import load_settings
from plantid_core.supervise.group import Group
from plantid_core.supervise.python import module_command

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from plantid_core.bench.wrk import Round

SECONDS = 60.0
ROUNDS = 5
CONNECTIONS = 8
PHOTO_BYTES = 200_000
# The app answers at least half as often as the bare route: the bare route at most twice as often.
BAR = 2.0

_BOUNDARY = "plantid-load"
_WARM_S = 2.0
_WAIT_S = 60.0
_HTTP_S = 30.0
_SIDE_STEP = 1
_CASE = "cached, 200 KB"


def run(
    tell: Callable[[str], None],
    *,
    seconds: float = SECONDS,
    rounds: int = ROUNDS,
    connections: int = CONNECTIONS,
) -> Report:
    """Return requests a second of both, each for ``seconds`` in so many rounds by turns.

    The bare route is started anew for each round: how fast it is differs by a third from start to start,
    by where the C library happens to put 200 KB.

    Raises `PlantIDError` where wrk is missing, or a server does not start.
    """
    group = Group("load")
    try:
        return _Load(group, tell).measure(seconds / rounds, rounds, connections)
    finally:
        group.close()


class _Load:
    """The app and the bare route, running, and what is posted to both."""

    def __init__(self, group: Group, tell: Callable[[str], None]) -> None:
        self._group, self._tell = group, tell
        photo = photo_of(PHOTO_BYTES)
        self._body = form_of(photo)
        self._headers = {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"}
        # Before anything is started: it may be missing.
        Wrk(group.folder, self._body, self._headers)
        data_dir = group.folder / "data"
        data_dir.mkdir(mode=0o700)
        models = load_settings().data_dir / "models"
        if models.is_dir():
            shutil.copytree(models, data_dir / "models")
        self._port = _free_port()
        self._settings = settings_of(data_dir, self._port)
        tell("starting the app")
        self._app = self._start(module_command("plantid_core.cli", "serve"), self._settings)
        self._headers |= {"Authorization": f"Bearer {self._token()}"}
        self._wrk = Wrk(group.folder, self._body, self._headers)

    def measure(self, seconds: float, rounds: int, connections: int) -> Report:
        app_url = f"http://127.0.0.1:{self._port}/api/v1/identify"
        self._send(app_url)
        answer = self._send(app_url)
        self._wrk.post(app_url, _WARM_S, connections)
        before = self._kept()
        app: list[Round] = []
        bare: list[Round] = []
        for number in range(1, rounds + 1):
            self._tell(f"app, round {number} of {rounds}: {seconds:.0f} s")
            app.append(self._wrk.post(app_url, seconds, connections))
            self._tell(f"bare route, round {number} of {rounds}: {seconds:.0f} s")
            with self._bare(answer) as bare_url:
                self._wrk.post(bare_url, _WARM_S, connections)
                bare.append(self._wrk.post(bare_url, seconds, connections))
        kept = self._kept() - before
        report = _report(app, bare, kept, len(answer))
        self._app.send_signal(signal.SIGTERM)
        self._app.wait(_WAIT_S)
        return report

    def _start(
        self, command: Sequence[str], settings: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a server, and return it once it has said that it listens."""
        started = self._group.start(command, talks=True, settings=settings)
        if not (started.stdout and started.stdout.readline()):
            raise PlantIDError(f"A server did not start: {self._group.last_words()}")
        return started

    @contextmanager
    def _bare(self, answer: bytes) -> Iterator[str]:
        file, port = self._group.folder / "answer.json", _free_port()
        file.write_bytes(answer)
        server = self._start(module_command("plantid_core.bench.bare", str(port), str(file)))
        yield f"http://127.0.0.1:{port}{BARE_PATH}"
        server.send_signal(signal.SIGTERM)
        server.wait(_WAIT_S)

    def _token(self) -> str:
        scopes = ("--scope", "identify", "--scope", "history:read")
        words = ("token", "create", "--owner", "load", *scopes, "--days", "1", "--json")
        made = self._group.start(
            module_command("plantid_core.cli", *words), talks=True, settings=self._settings
        )
        said = made.communicate(timeout=_WAIT_S)[0]
        if made.returncode:
            raise PlantIDError(f"The token could not be made: {self._group.last_words()}")
        return str(json.loads(said)["token"])

    def _send(self, url: str) -> bytes:
        request = urllib.request.Request(url, self._body, self._headers)  # noqa: S310 - our own
        with urllib.request.urlopen(request, timeout=_HTTP_S) as answer:  # noqa: S310
            return bytes(answer.read())

    def _kept(self) -> int:
        """Return how many observations the history has; those that were queued are among them."""
        url = f"http://127.0.0.1:{self._port}/api/v1/identifications?limit=1"
        request = urllib.request.Request(
            url, headers={"Authorization": self._headers["Authorization"]}
        )
        with urllib.request.urlopen(request, timeout=_HTTP_S) as answer:  # noqa: S310
            return int(json.loads(answer.read())["total"])


def settings_of(data_dir: Path, port: int) -> dict[str, str]:
    """Return the settings of the app: production's, on the sandbox, without HTTPS in front of it."""
    return {
        "PLANTID_ENVIRONMENT": "production",
        "PLANTID_DATA_DIR": str(data_dir),
        "PLANTID_PORT": str(port),
        "PLANTID_SECRET_KEY": new_key(),
        "PLANTID_ALLOWED_HOSTS": "127.0.0.1",
        "PLANTID_ALLOW_SANDBOX": "1",
        "PLANTID_HTTPS_REDIRECT": "0",
        "PLANTID_LOG_FORMAT": "json",
        "PLANTID_THROTTLE_EXEMPT": "127.0.0.0/8",
        # Nobody signs in; it names whose issuer a person is of, for whom the token acts.
        "PLANTID_OIDC_ISSUER": "https://issuer.example.org",
        "PLANTID_OIDC_CLIENT_ID": "load",
        "PLANTID_OIDC_CLIENT_SECRET": new_key(),
    }


def photo_of(size: int) -> bytes:
    """Return a JPEG that weighs about ``size`` bytes, as a camera's would: its side is searched for."""
    low, high, made = 64, 4096, b""
    while high - low > _SIDE_STEP:
        side = (low + high) // 2
        made = encode(photo_like(side, side * 3 // 4), "JPEG", quality=90)
        low, high = (side, high) if len(made) < size else (low, side)
    return made


def form_of(photo: bytes) -> bytes:
    """Return the body that posts a photo, as browsers and curl write it (RFC 7578)."""
    head = (
        f"--{_BOUNDARY}\r\n"
        'Content-Disposition: form-data; name="images"; filename="flower.jpg"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    )
    return head.encode() + photo + f"\r\n--{_BOUNDARY}--\r\n".encode()


def _report(app: Sequence[Round], bare: Sequence[Round], kept: int, answer_bytes: int) -> Report:
    rows = [
        Row.of(_CASE, name, metric, unit, [float(getattr(one, field)) for one in found])
        for name, found in (("app", app), ("bare route", bare))
        for metric, unit, field in (
            ("requests a second", "1/s", "per_s"),
            ("p50", "ms", "p50_ms"),
            ("p99", "ms", "p99_ms"),
            ("refused", "requests", "refused"),
            ("broken", "requests", "broken"),
        )
    ]
    answered = sum(one.requests - one.refused for one in app)
    rows += [
        Row.of(_CASE, "app", "answered", "requests", [answered]),
        Row.of(_CASE, "app", "kept in the history", "observations", [kept]),
        Row.of(_CASE, "app", "an answer's size", "bytes", [answer_bytes]),
    ]
    found = Report("load", tuple(rows), ())
    per_s = {name: found.median(_CASE, name, "requests a second") for name in ("app", "bare route")}
    faults = sum(one.refused + one.broken for one in app)
    return Report(
        "load",
        found.rows,
        (
            Ratio(
                "requests/s of a bare route over the app's",
                per_s["bare route"] / max(per_s["app"], 1e-9),
                "x",
                BAR,
            ),
            Ratio("errors of the app", faults, "requests", 0),
            Ratio("answered and not kept", max(0, answered - kept), "requests", 0),
        ),
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
