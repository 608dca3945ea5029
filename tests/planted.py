"""Secrets planted where real ones would be, and a watch that finds them in whatever a test lets out.

All of them hold one mark. Whatever any test of the session, or a process it started, writes to stdout,
stderr or a log is searched for it, for the place and for the person; one find fails the session.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable

MARK = "zq9planted"

# Settings that make an app's secrets recognisable and change nothing else.
SETTINGS = {
    "PLANTID_SECRET_KEY": f"{MARK}-key-5d1f0c7b9a3e4862b07d-now-in-force",
    "PLANTID_SECRET_KEY_FALLBACKS": f"{MARK}-key-77c2a9d04e1b4f538a6c-of-before",
    "PLANTID_METRICS_TOKEN": f"{MARK}-metrics-c1a7e94b2d",
    "PLANTID_RECORDED_BY": f"{MARK} Lovelace",
}
# Of services, stores and people.
PLANT_ID_KEY = f"{MARK}-plant-id-3b8e61f2a9"
PLANTNET_KEY = f"{MARK}-plantnet-6f0d27c4e8"
PASSWORD = f"{MARK}%2Bp@ss-word"
PERSON = f"{MARK} Hopper"
EMAIL = f"{MARK}@example.org"
SUBJECT = f"{MARK}-subject-41"
FILE = f"{MARK} garden.jpg"
LATITUDE, LONGITUDE = "48.209417", "16.370583"

MARKS = (MARK, LATITUDE, LONGITUDE)

_LEAKS: pytest.StashKey[list[str]] = pytest.StashKey()


def found_in(text: str) -> list[str]:
    """Return which marks a text holds, whatever the case."""
    plain = text.lower()
    return [mark for mark in MARKS if mark in plain]


class Watch:
    """Looks at what each test has let out; with xdist, where all reports come together."""

    def __init__(self, config: pytest.Config) -> None:
        self._leaks: list[str] = []
        config.stash[_LEAKS] = self._leaks

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        # Each phase's report has the parts of those before as well.
        now = [part for part in report.sections if part[0].endswith(report.when)]
        self._leaks += leaks(report.nodeid, now)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self._leaks and session.exitstatus in {pytest.ExitCode.OK, 0}:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._leaks:
            terminalreporter.section("planted secrets came out", red=True)
            for leak in self._leaks:
                terminalreporter.line(leak, red=True)


def leaks(where: str, sections: Iterable[tuple[str, str]]) -> list[str]:
    """Return a sentence for each part of a test's output that holds a mark."""
    return [
        f"{where}: {name} holds {', '.join(marks)}"
        for name, text in sections
        if (marks := found_in(text))
    ]


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Watch(config), "planted-watch")
