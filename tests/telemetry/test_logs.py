"""The process's log, as another process reads it."""

from __future__ import annotations

import json
import subprocess
import sys

_SCRIPT = """
import logging
from plantid_core.telemetry import configure_logging, request, shout, tell
configure_logging({log_format!r}, {level!r}, ["s3cret-word"])
with request.bound("abcd-1234"):
    tell("one", number=1)
    shout("two", named="s3cret-word")
    log = logging.getLogger("uvicorn.error")
    log.addHandler(logging.StreamHandler())
    configure_logging({log_format!r}, {level!r}, ["s3cret-word"])
    log.info("not told")
    log.warning("three %s", "Authorization: Bearer abcdefgh")
    try:
        hidden_local = "kept-in-a-variable"
        raise ValueError("with s3cret-word")
    except ValueError:
        logging.getLogger("sqlalchemy.engine").exception("four")
tell("five", half="\\ud800", many=2**70)
"""


def logged(log_format: str, level: str = "info") -> list[str]:
    script = _SCRIPT.format(log_format=log_format, level=level)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert not done.stdout
    return done.stderr.splitlines()


def test_every_line_is_one_json_object() -> None:
    """Ours and the libraries' have one form, the request's id, and no secret."""
    lines = [json.loads(line) for line in logged("json")]

    assert [line["event"].split()[0] for line in lines] == ["one", "two", "three", "four", "five"]
    assert [line.get("request_id") for line in lines] == ["abcd-1234"] * 4 + [None]
    assert [line["level"] for line in lines] == ["info", "error", "warning", "error", "info"]
    assert lines[1]["named"] == "[hidden]"
    assert lines[2]["logger"] == "uvicorn.error"
    assert lines[4]["many"] == 2**70


def test_no_secret_and_no_variable_is_in_a_log() -> None:
    """Neither in the machine's form nor in the one for people, nor in a traceback."""
    for log_format in ("json", "console"):
        text = "\n".join(logged(log_format))

        assert "with [hidden]" in text
        for secret in ("s3cret-word", "abcdefgh", "kept-in-a-variable"):
            assert secret not in text.replace('hidden_local = "kept-in-a-variable"', "")


def test_level_holds_back_what_is_below() -> None:
    """At "error" only errors are told, the libraries' as well."""
    lines = [json.loads(line)["event"] for line in logged("json", "error")]

    assert lines == ["two", "four"]
