"""One server a directory, gone with its last user, by whatever signal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil
import pytest
from processes import servers, until, watchdogs

from plantid_core.store.connection import connect
from plantid_core.store.embedded import open_embedded

if TYPE_CHECKING:
    from pathlib import Path

OWNER = """
import sys, time, pathlib
from plantid_core.store.embedded import open_embedded
store = open_embedded(pathlib.Path(sys.argv[1]))
print("ready", flush=True)
time.sleep(60)
"""


def owner(directory: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", OWNER, str(directory)], stdout=subprocess.PIPE, text=True
    )


def ready(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_server_goes_with_its_owner(tmp_path: Path, how: signal.Signals) -> None:
    """However the last user dies, server and watchdog are gone within 5 s."""
    process = owner(tmp_path)
    ready(process)
    assert len(servers(tmp_path)) == 1

    process.send_signal(how)
    process.communicate()

    assert until(lambda: not servers(tmp_path) and not watchdogs(tmp_path))


def test_server_goes_with_its_watchdog_and_comes_back(tmp_path: Path) -> None:
    """A SIGKILLed watchdog takes its server along; who is attached gets the next ones."""
    process = owner(tmp_path)
    ready(process)
    before = set(servers(tmp_path)) | set(watchdogs(tmp_path))

    os.kill(watchdogs(tmp_path)[0], signal.SIGKILL)

    assert until(lambda: not any(psutil.pid_exists(pid) for pid in before))
    assert until(lambda: len(servers(tmp_path)) == 1)
    end(process)
    assert until(lambda: not servers(tmp_path))


def test_two_owners_at_one_instant_share_one_server(tmp_path: Path) -> None:
    """Two processes on one directory end with one server."""
    pair = [owner(tmp_path), owner(tmp_path)]

    for process in pair:
        ready(process)

    assert len(servers(tmp_path)) == 1
    assert len(watchdogs(tmp_path)) == 1
    end(pair[0])
    time.sleep(0.5)
    assert len(servers(tmp_path)) == 1
    end(pair[1])
    assert until(lambda: not servers(tmp_path))


def test_two_directories_have_two_servers(tmp_path: Path) -> None:
    """Two processes on two directories end with two servers."""
    pair = [owner(tmp_path / "a"), owner(tmp_path / "b")]

    for process in pair:
        ready(process)

    assert len(servers(tmp_path)) == 2
    for process in pair:
        end(process)
    assert until(lambda: not servers(tmp_path))


def test_killed_server_comes_back_with_its_contents(tmp_path: Path) -> None:
    """The watchdog restarts a killed server, on what it had written."""
    with open_embedded(tmp_path) as store:
        client = connect(store.url)
        client.set("leaf", b"green")
        time.sleep(1.2)  # appendfsync everysec

        os.kill(servers(tmp_path)[0], signal.SIGKILL)

        def back() -> bool:
            try:
                return client.get("leaf") == b"green"
            except OSError:
                return False
            except Exception:  # noqa: BLE001 - the client's errors while there is no server
                return False

        assert until(back)
        client.close()


def test_contents_outlive_the_server(tmp_path: Path) -> None:
    """What was stored is there for the next start."""
    with open_embedded(tmp_path) as store:
        client = connect(store.url)
        client.set("leaf", b"green")
        client.close()
    assert until(lambda: not servers(tmp_path))

    with open_embedded(tmp_path) as store:
        client = connect(store.url)
        assert client.get("leaf") == b"green"
        client.close()


def test_a_forked_child_keeps_nothing_alive(tmp_path: Path) -> None:
    """A child that outlives its parent does not hold the server."""
    script = OWNER.replace(
        'print("ready", flush=True)',
        'import os\nif os.fork() == 0:\n    time.sleep(8)\n    os._exit(0)\nprint("ready", flush=True)',
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    ready(process)

    process.kill()
    process.wait()

    assert until(lambda: not servers(tmp_path))
    assert process.stdout is not None
    process.stdout.close()


def test_deep_directories_work(tmp_path: Path) -> None:
    """A data directory may lie deeper than a unix socket's path can be long."""
    deep = tmp_path / ("d" * 90) / ("e" * 90)

    with open_embedded(deep) as store:
        client = connect(store.url)
        assert client.ping()
        client.close()


def test_only_the_owner_can_reach_it(tmp_path: Path) -> None:
    """Folder and sockets are closed to everyone else."""
    with open_embedded(tmp_path):
        folder = tmp_path / "valkey"

        assert folder.stat().st_mode & 0o777 == 0o700
        assert (folder / "valkey.sock").stat().st_mode & 0o077 == 0
        assert (folder / "watchdog.sock").stat().st_mode & 0o077 == 0
