"""What the app's process logs, and hides."""

from __future__ import annotations

import json
import subprocess
import sys

import planted

from plantid_core.settings import load_settings
from plantid_core.web.logs import secrets_of

_SCRIPT = """
import streamlit.logger
from plantid_core.settings import load_settings
from plantid_core.web import logs

before = streamlit.logger.get_logger("streamlit.before")
logs.configure(load_settings(log_format="json", metrics_token={token!r}))
after = streamlit.logger.get_logger("streamlit.after")
streamlit.logger.update_formatter()
for logger in (before, after):
    logger.warning("shown %s", {token!r})
    logger.info("not told")
"""


def test_every_secret_of_the_settings_is_known() -> None:
    """Former keys one by one, and a password inside an address by itself, as written and as meant."""
    settings = load_settings(
        secret_key="in-force-now",  # noqa: S106 - no real one
        secret_key_fallbacks="before-it, and-before-that",  # noqa: S106
        redis_url="redis://app:p%40ss-word@localhost/0",
        database_url="postgresql://app:db-pass-word@localhost/plants",
        oidc_client_secret="of-the-issuer",  # noqa: S106
        metrics_token="of-the-scraper",  # noqa: S106
    )

    assert {
        "in-force-now", "before-it", "and-before-that", "p%40ss-word", "p@ss-word", "db-pass-word",
        "of-the-issuer", "of-the-scraper",
    } <= set(secrets_of(settings))  # fmt: skip


def test_streamlits_own_loggers_write_as_ours_do() -> None:
    """Those made before and after, once each, and without the secret."""
    token = planted.SETTINGS["PLANTID_METRICS_TOKEN"]

    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT.format(token=token)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    lines = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    assert [(line["logger"], line["event"]) for line in lines] == [
        ("streamlit.before", "shown [hidden]"),
        ("streamlit.after", "shown [hidden]"),
    ]
    assert planted.found_in(done.stdout + done.stderr) == []
