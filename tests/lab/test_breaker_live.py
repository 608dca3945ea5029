"""A live breaker before a sandbox of its own."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import psutil
import pytest
from processes import until

from plantid_core.lab.breaker_live import MOST, Faults, Live, TooManyLive
from plantid_core.lab.breaker_sim import Protection

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

QUICK = Protection(reset_timeout=1.0, slow_call_s=1.0, window_s=10.0, jitter=0.0, ramp=False)


def sandboxes() -> list[str]:
    """Return the sandboxes that live breakers of this process have started."""
    own = psutil.Process().children(recursive=True)
    words = [" ".join(_words(child)) for child in own]
    return [line for line in words if "breaker-lab-" in line and "plantid_core.sandbox" in line]


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


@pytest.fixture
def live(model_cache: Path) -> Iterator[Live]:
    """Run a live breaker until the test's end."""
    started = Live(QUICK, models=model_cache / "models")
    assert until(lambda: started.phase != "starting")
    yield started
    started.stop()


def test_it_opens_when_the_service_fails_and_comes_back(live: Live) -> None:
    """Errors open it, hands hold it, the service's health closes it; the end leaves nothing."""
    assert until(lambda: live.timeline()["ok"].sum() > 0)
    live.suffer(Faults(error_rate=1.0))
    assert until(lambda: live.state == "open")

    live.press("disabled")
    assert (live.state, live.mode) == ("closed", "disabled")
    live.suffer(Faults())
    live.press("auto")
    assert until(lambda: live.state == "closed" and live.mode == "auto")

    live.stop()
    assert live.phase == "ended"
    assert {"opened", "state", "by hand", "service", "end"} <= {e.about for e in live.entries()}
    assert "open" in set(live.states()["state"])
    assert until(lambda: not sandboxes())


def test_no_more_than_a_few_run_at_once(model_cache: Path) -> None:
    """The one too many is told so, and may start when another has stopped."""
    with ExitStack() as stack:
        running = [Live(QUICK, models=model_cache / "models") for _ in range(MOST)]
        for each in running:
            stack.callback(each.stop)
        with pytest.raises(TooManyLive, match="try again"):
            Live(QUICK)
        running[0].stop()

        again = Live(QUICK, models=model_cache / "models")
        stack.callback(again.stop)
        assert again.running


def test_one_that_cannot_begin_keeps_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a folder for its sandbox it fails in words, and others may start."""
    monkeypatch.setattr("tempfile.tempdir", "/nowhere/at/all")

    for _ in range(MOST + 1):
        failed = Live(QUICK)
        assert until(lambda failed=failed: failed.phase == "failed")  # type: ignore[misc]
        failed.stop()

    assert not failed.running
