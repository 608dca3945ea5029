"""The watchdog when it is stopped, raced for, short of a lock, or started from odd places."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from processes import servers, until, watchdogs

from plantid_core.errors import PlantIDError
from plantid_core.store.embedded import open_embedded
from plantid_core.supervise import Attachment, ServerSpec, attach, rendezvous

TOGETHER = """
import sys, time, pathlib
from plantid_core.store.embedded import open_embedded
directory, start = pathlib.Path(sys.argv[1]), float(sys.argv[2])
time.sleep(max(0, start - time.time()))
with open_embedded(directory):
    print("ready", flush=True)
    sys.stdin.read()
"""


def sleeper(directory: Path, *command: str) -> Attachment:
    """Attach to a server that only sleeps."""
    return attach(ServerSpec("sleeper", directory, command or ("sleep", "60"), lambda: True))


def sleeping(directory: Path) -> list[int]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.name() == "sleep" and Path(process.cwd()) == directory:
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def test_many_processes_at_one_instant_share_one_server(tmp_path: Path) -> None:
    """Eight processes that attach at once end with one server and one watchdog."""
    start = str(time.time() + 2.0)
    crowd = [
        subprocess.Popen(
            [sys.executable, "-c", TOGETHER, str(tmp_path), start],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(8)
    ]

    said = [process.stdout.readline() for process in crowd if process.stdout]

    assert said == ["ready\n"] * 8
    assert len(servers(tmp_path)) == 1
    assert len(watchdogs(tmp_path)) == 1
    for process in crowd:
        process.communicate()
    assert until(lambda: not servers(tmp_path) and not watchdogs(tmp_path))


def test_a_stopped_watchdog_harms_nobody(tmp_path: Path) -> None:
    """While it is stopped its server serves on; a server killed meanwhile is back after it goes on."""
    with open_embedded(tmp_path):
        (watchdog,) = watchdogs(tmp_path)
        (server,) = servers(tmp_path)
        os.kill(watchdog, signal.SIGSTOP)

        with open_embedded(tmp_path):
            assert servers(tmp_path) == [server]
        os.kill(server, signal.SIGKILL)
        time.sleep(0.3)
        assert servers(tmp_path) == []
        os.kill(watchdog, signal.SIGCONT)

        assert until(lambda: len(servers(tmp_path)) == 1, 2.0)
        assert watchdogs(tmp_path) == [watchdog]


def test_a_second_watchdog_waits_for_the_first_ones_server(tmp_path: Path) -> None:
    """Without the socket nobody finds the first watchdog; its server still stays the only one."""
    with sleeper(tmp_path):
        assert until(lambda: len(sleeping(tmp_path)) == 1)
        before = sleeping(tmp_path)
        (tmp_path / rendezvous.SOCKET).unlink()

        with sleeper(tmp_path):
            assert until(lambda: len(watchdogs(tmp_path)) == 2)
            time.sleep(0.5)
            assert sleeping(tmp_path) == before

    assert until(lambda: not sleeping(tmp_path) and not watchdogs(tmp_path))


def test_a_server_that_ignores_sigterm_is_gone_in_time(tmp_path: Path) -> None:
    """SIGKILL follows soon enough for everything to be gone within 5 s."""
    stubborn = "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)"
    attachment = sleeper(tmp_path, sys.executable, "-c", stubborn)
    watchdog = psutil.Process(watchdogs(tmp_path)[0])
    assert until(lambda: bool(watchdog.children()))
    (server,) = watchdog.children()
    time.sleep(0.3)  # so that it has come to ignoring the signal

    attachment.close()

    assert until(lambda: not server.is_running() and not watchdogs(tmp_path))


@pytest.mark.parametrize("after_s", [0.0, 0.02, 0.05, 0.1, 0.2])
def test_a_user_killed_while_it_starts_leaves_nothing(tmp_path: Path, after_s: float) -> None:
    """Wherever in its start the first user is killed, all is gone within 5 s."""
    process = subprocess.Popen(
        [sys.executable, "-c", TOGETHER, str(tmp_path), "0"], stdin=subprocess.PIPE
    )
    assert until((tmp_path / "valkey" / rendezvous.LOCK).exists)
    time.sleep(after_s)

    process.kill()
    process.communicate()

    assert until(lambda: not servers(tmp_path) and not watchdogs(tmp_path))


def test_ctrl_c_in_the_terminal_does_not_reach_it(tmp_path: Path) -> None:
    """The watchdog is in a session of its own, and no child of the process that started it."""
    with sleeper(tmp_path):
        # The process between, which begat it, may not have ended yet.
        assert until(lambda: len(watchdogs(tmp_path)) == 1, 10)
        (watchdog,) = watchdogs(tmp_path)

        assert os.getsid(watchdog) != os.getsid(0)
        assert os.getpgid(watchdog) != os.getpgid(0)
        assert watchdog not in [child.pid for child in psutil.Process().children()]


def test_files_of_the_current_folder_shadow_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file named like a standard module, where the user happens to be, is not imported."""
    (tmp_path / "selectors.py").write_text("raise SystemExit('shadowed')")
    monkeypatch.chdir(tmp_path)

    with sleeper(Path("data")) as attachment:
        assert attachment.directory == tmp_path / "data"
        assert len(watchdogs(tmp_path / "data")) == 1


def test_an_unusable_directory_is_named(tmp_path: Path) -> None:
    """The error is the house's own, and says where and why."""
    (tmp_path / "file").write_text("")

    with pytest.raises(PlantIDError, match="Not a directory"):
        sleeper(tmp_path / "file" / "data")


def test_a_server_that_never_is_ready_leaves_nothing(tmp_path: Path) -> None:
    """The error ends with the log's last line, and the watchdog goes."""
    command = (
        sys.executable,
        "-c",
        "print('no such leaf', flush=True); import time; time.sleep(60)",
    )
    spec = ServerSpec("server", tmp_path, command, lambda: False, ready_s=1.0)

    with pytest.raises(PlantIDError, match=r"not ready within 1 s\. Its log ends: no such leaf"):
        attach(spec)

    assert until(lambda: not watchdogs(tmp_path))


def test_a_lock_that_stays_held_is_told(tmp_path: Path) -> None:
    """Nobody waits for ever on a process that was suspended while it held the lock."""
    with (
        rendezvous.locked(tmp_path, 0.1),
        pytest.raises(TimeoutError),
        rendezvous.locked(tmp_path, 0.1),
    ):
        pass


def test_the_watchdog_imports_only_the_standard_library() -> None:
    """It starts fast, and holds little memory for as long as it lives."""
    script = "import plantid_core.supervise.__main__, sys; print(*sys.modules)"

    loaded = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.split()

    assert not {"redis", "pydantic", "numpy", "requests", "streamlit"} & set(loaded)
