"""The page, run by Streamlit's own test runner; the settings behind it; and who may run live."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from plantid_core.lab import live
from plantid_core.lab.workload import Recompute, Workload
from plantid_core.web import application, stampede_live
from plantid_core.web.stampede_controls import Choice
from plantid_core.web.stampede_data import Shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.conftest import SandboxServer

SCRIPT = Path(__file__).parents[2] / "pages" / "stampede_lab.py"


@pytest.fixture(scope="module", autouse=True)
def machine(
    tmp_path_factory: pytest.TempPathFactory, running_sandbox: SandboxServer
) -> Iterator[Callable[..., None]]:
    """Open the app's workbench on a data directory of its own; return what opens it otherwise."""
    folder = tmp_path_factory.mktemp("lab")

    def opened_with(**settings: str) -> None:
        application.close_workbench()
        with pytest.MonkeyPatch.context() as patch:
            chosen = {"data_dir": str(folder), "sandbox_url": running_sandbox.url, **settings}
            for name, value in chosen.items():
                patch.setenv(f"PLANTID_{name.upper()}", value)
            application.workbench()

    opened_with()
    yield opened_with
    application.close_workbench()


def opened(query: Mapping[str, str | list[str]] | None = None) -> AppTest:
    """Return the page as a link with such a query opens it."""
    page = AppTest.from_file(str(SCRIPT), default_timeout=60)
    for name, value in (query or {}).items():
        page.query_params[name] = value
    return page.run()


def finding(page: AppTest) -> str:
    return " ".join(str(element.proto.body) for element in page.get("html"))


def slider(page: AppTest, key: str) -> object:
    return page.slider(key=key).value


def test_the_page_opens_with_four_lanes_and_their_finding() -> None:
    """Nothing has to be set before there is something to see."""
    page = opened()

    assert not page.exception
    assert page.multiselect(key="strategy").value == ["none", "redis-lock", "xfetch", "lease"]
    assert "lease made 1 call and let nobody wait" in finding(page)


def test_a_moved_slider_changes_the_finding() -> None:
    """Ten times the requests make a larger stampede, and the sentence says so."""
    page = opened({"strategy": "none"})
    before = finding(page)

    page.slider(key="rate").set_value(150).run()

    assert not page.exception
    assert finding(page) != before


def test_a_link_restores_every_setting() -> None:
    """What the address says is what the widgets show."""
    query = {
        "rate": "120", "delta": "0.5", "ttl": "30", "beta": "2.5", "soft": "50", "jitter": "10",
        "fail": "5", "processes": "8", "keys": "40", "seed": "9",
    }  # fmt: skip

    page = opened(query)

    assert not page.exception
    for key, value in query.items():
        assert slider(page, key) == float(value)


@pytest.mark.parametrize("bad", ["nan", "-5", "many", ""])
def test_what_cannot_be_in_a_link_is_passed_over(bad: str) -> None:
    """A mangled link opens the page as it is without the mangled part."""
    page = opened({"rate": bad, "delta": bad, "strategy": bad or "x", "spread": bad, "view": bad})

    assert not page.exception
    assert not page.error
    assert slider(page, "rate") == 40


def test_without_a_strategy_the_page_says_what_will_be_here() -> None:
    """An empty choice is an invitation, not an empty chart."""
    page = opened({"strategy": ["none"]})

    page.multiselect(key="strategy").set_value([]).run()

    assert not page.exception
    assert "Choose a strategy" in page.info[0].value


def test_a_write_ups_contestant_is_named_as_such() -> None:
    """Nobody takes the snippet as written for the strategy done right."""
    page = opened()

    page.multiselect(key="strategy").set_value(["seed-early"]).run()

    assert "seed-early (seed, as written) made" in finding(page)


def choice(**settings: object) -> Choice:
    return Choice(("none",), replace(Workload(), **settings), 1)  # type: ignore[arg-type]


@pytest.mark.parametrize("rate", [1.0, 40.0, 200.0])
@pytest.mark.parametrize("delta", [0.05, 1.0])
@pytest.mark.parametrize("ttl_s", [5.0, 300.0])
def test_the_window_holds_enough_and_not_too_much(rate: float, delta: float, ttl_s: float) -> None:
    """At every corner of the settings some requests come in it, not too many, and one expiry."""
    chosen = choice(rate=rate, recompute=Recompute(delta), ttl_s=ttl_s, beta=5.0)

    lead_s, after_s = chosen.window

    assert 1 <= rate * (lead_s + after_s) <= 10_000 + 1e-6
    assert lead_s < ttl_s
    assert after_s < ttl_s


def test_a_live_run_is_short() -> None:
    """Whatever is set, a strategy's run is some seconds, and holds more than one expiry."""
    for ttl_s, delta in ((300.0, 1.0), (60.0, 0.05)):
        run = stampede_live.bounded(
            choice(ttl_s=ttl_s, recompute=Recompute(delta), processes=16).workload
        )

        assert run.duration_s > run.ttl_s
        assert run.duration_s <= 12
        assert run.processes <= live.limits.MOST_PROCESSES


def test_a_soft_ttl_keeps_its_share_in_a_live_run() -> None:
    """Half of the short life is fresh where half of the long one was."""
    run = stampede_live.bounded(choice(ttl_s=60.0, soft_ttl_s=30.0).workload)

    assert run.soft_s == pytest.approx(run.ttl_s / 2)


def test_only_one_live_run_is_in_the_server() -> None:
    """The second visitor is told to wait, until the first's run has ended."""
    first = stampede_live.begin(choice(rate=1e5))
    assert first is not None

    assert stampede_live.begin(choice()) is None

    first.join(30)
    assert not first.running
    assert not stampede_live.busy()
    # And that one ended with the limit that it was beyond.
    assert "at most 2000 requests/s" in first.error


def test_the_download_has_every_table() -> None:
    """The lanes' tables name the strategy of each row."""
    from plantid_core.lab import simulate

    record = simulate.around_expiry("none", Workload(), 1, lead_s=0.1, after_s=0.3)

    with zipfile.ZipFile(io.BytesIO(Shown([record]).zipped())) as archive:
        requests = pd.read_csv(archive.open("requests.csv"))
        names = archive.namelist()

    assert names == ["requests.csv", "calls.csv", "expiries.csv"]
    assert set(requests["strategy"]) == {"none"}
    assert len(requests) == len(record.requests)


def test_the_download_holds_the_other_charts_and_the_real_runs() -> None:
    """Simulated and real rows are told apart, and each whole run has its line in the summary."""
    from plantid_core.lab import simulate

    lane = simulate.around_expiry("lease", Workload(), 1, lead_s=0.1, after_s=0.3)
    whole = simulate.run("lease", replace(Workload(), duration_s=100), 1, engine="fast")
    real = replace(whole, source="live")

    shown = Shown([lane], [replace(lane, source="live")], many=[whole], live=[real])
    tables = shown.tables()

    assert list(tables["requests"]["source"].value_counts()) == [len(lane.requests)] * 2
    assert list(tables["summary"]["source"]) == [whole.source, "live"]
    assert set(tables["waits"]["source"]) == {whole.source, "live"}
    assert len(tables["live-requests"]) == len(real.requests)


def test_a_run_that_nobody_watches_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A closed tab leaves the server's one place to others."""
    monkeypatch.setattr(stampede_live, "UNSEEN_S", 0.0)
    run = stampede_live.begin(choice(rate=20, ttl_s=5))
    assert run is not None

    run.join(30)

    assert run.stopped
    assert not run.error
    assert not run.landed
    assert not stampede_live.busy()


def test_in_production_nothing_is_run_for_real(machine: Callable[..., None]) -> None:
    """The button is not there, and a sentence says why; the simulation is."""
    machine(
        environment="production",
        secret_key="k" * 40,
        allowed_hosts="example.org",
        allow_sandbox="1",
    )

    page = opened()
    machine()

    assert not page.exception
    assert "made" in finding(page)
    assert "Run it for real" not in [button.label for button in page.button]
    assert any("in production" in caption.value for caption in page.caption)
