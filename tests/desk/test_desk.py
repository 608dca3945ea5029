"""Who may do what at the desk: every action, asked for by everybody, as the matrix says."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from plantid_core.access import matrix
from plantid_core.access.principal import ANONYMOUS
from plantid_core.access.rules import RULES
from plantid_core.batch.order import Estimate
from plantid_core.compare.determination import Decision
from plantid_core.desk import Desk
from plantid_core.errors import PermissionDenied, SignInRequired
from plantid_core.plants import Place
from plantid_core.settings import Settings, load_settings
from plantid_core.store.history.values import Circumstances
from plantid_core.upload import Upload
from plantid_core.web import batch_job
from plantid_core.web.batch_job import Batch, BatchJob
from plantid_core.web.evaluation_job import EvaluationJob
from plantid_core.web.herbarium_job import HerbariumJob
from plantid_core.web.labelled import Labels
from plantid_core.web.stage.seat import Seat

if TYPE_CHECKING:
    from collections.abc import Callable

    from plantid_core.access.matrix import Caller
    from plantid_core.access.rules import Action

HERE, SEEN = Place(50.0, 14.4), Circumstances()
UPLOAD = Upload(b"no photo", "a.jpg")
BATCH = Batch(Path("nowhere"), Path("nowhere"), Estimate(0, 0, 0, 0, 0, {}, 0, 0.0), ())


class ReachedError(Exception):
    """Somebody was let through, and the work would begin."""


class Unopened:
    """Stands where the workbench is: whatever is done with it but to read its settings is noticed."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def __getattr__(self, name: str) -> object:
        raise ReachedError(name)


def _if_refused(action: Action, desk: Desk, begin: Callable[[], object]) -> None:
    """Begin a job where it will be refused; else it would go on in a thread of its own."""
    if not desk.may(action):
        begin()


# What each action is asked for by. Those of other people's things name `matrix.OWNER`.
ASKED: dict[Action, tuple[Callable[[Desk], object], ...]] = {
    "status.see": (Desk.providers, Desk.readiness, lambda desk: desk.names),
    "identify.ask": (
        lambda desk: desk.identify([UPLOAD]),
        lambda desk: desk.answer([UPLOAD]),
        lambda desk: desk.at_hand([UPLOAD]),
        lambda desk: desk.admit(UPLOAD),
        lambda desk: desk.read_prefill(UPLOAD),
        lambda desk: desk.project_for(HERE),
        lambda desk: desk.joint([]),
    ),
    "identify.keep": (
        lambda desk: desk.keep(cast("Any", None), []),
        lambda desk: desk.keep_soon(cast("Any", None)),
    ),
    "history.list": (lambda desk: desk.collection.find(),),
    "history.read": (lambda desk: desk.collection.get("1"),),
    "history.decide": (lambda desk: desk.collection.determine("1", Decision("rejected")),),
    "history.describe": (lambda desk: desk.collection.describe("1", SEEN),),
    "history.forget": (
        lambda desk: desk.collection.forget(["1"]),
        lambda desk: desk.collection.forget_all(),
    ),
    "history.export": (
        lambda desk: desk.collection.export(Path("a.csv"), "csv"),
        lambda desk: desk.collection.export_mine(Path("a.zip")),
    ),
    "photo.read": (lambda desk: desk.collection.photo("1"),),
    "batch.run": (
        lambda desk: batch_job.prepare(desk, [("a.jpg", io.BytesIO(b"no photo"))]),
        lambda desk: _if_refused("batch.run", desk, lambda: BatchJob(desk, BATCH, None)),
    ),
    "evaluate.run": (
        lambda desk: _if_refused(
            "evaluate.run",
            desk,
            lambda: EvaluationJob(desk, Labels("", ()), [], include_sandbox=False, seed=1),
        ),
    ),
    "herbarium.see": (Desk.herbarium,),
    "herbarium.change": (
        lambda desk: _if_refused(
            "herbarium.change", desk, lambda: HerbariumJob(desk, io.BytesIO(b"no ZIP"), "a.zip")
        ),
    ),
    "stage.press": (
        lambda desk: Seat(cast("Any", Unopened(desk.settings)), desk, "s").press("bomb"),
        lambda desk: Seat(cast("Any", Unopened(desk.settings)), desk, "s").play(),
        lambda desk: Seat(cast("Any", Unopened(desk.settings)), desk, "s").rehearse("outage"),
        lambda desk: Seat(cast("Any", Unopened(desk.settings)), desk, "s").stop(),
    ),
    "breakers.see": (Desk.breaker_reports,),
    "tokens.list": (lambda desk: desk.office.tokens(),),
    "tokens.create": (lambda desk: desk.office.create_token("local", ["identify"], 1),),
    "operations.see": (lambda desk: desk.office.all_tokens(),),
    "people.list": (lambda desk: desk.office.people(),),
    "people.change": (
        lambda desk: desk.office.deactivate("1"),
        lambda desk: desk.office.activate("1"),
    ),
}
OF_ANOTHER: dict[Action, tuple[Callable[[Desk], object], ...]] = {
    "history.read": (lambda desk: desk.collection.get("1", owner=matrix.OWNER),),
    "photo.read": (lambda desk: desk.collection.photo("1", owner=matrix.OWNER),),
}
LET_IN = [caller for caller in matrix.CALLERS if not caller.refused]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Settings]:
    folder = tmp_path_factory.mktemp("data")
    keys = {"secret_key": "k" * 64, "allowed_hosts": "plants.example", "allow_sandbox": True}
    return {
        "development": load_settings(data_dir=folder),
        "production": load_settings(data_dir=folder, environment="production", **keys),
    }


def desk_of(caller: Caller, settings: dict[str, Settings]) -> Desk:
    return Desk(cast("Any", Unopened(settings[caller.environment])), caller.principal)


def outcome(ask: Callable[[Desk], object], desk: Desk) -> str:
    """Return what came of it, in the matrix's words."""
    try:
        ask(desk)
    except SignInRequired:
        return "401"
    except PermissionDenied:
        return "403"
    except ReachedError:
        return "yes"
    return "yes"


@pytest.mark.parametrize("caller", LET_IN, ids=lambda caller: caller.name)
def test_every_action_is_asked_for_before_anything_is_done(
    caller: Caller, settings: dict[str, Settings]
) -> None:
    """Whoever may not is refused with the workbench untouched; whoever may is let through to it."""
    desk = desk_of(caller, settings)
    own = matrix.own_things(caller)

    wrong = [
        (action, found, expected)
        for action in RULES
        for ask in ASKED.get(action, (lambda at, action=action: at.require(action),))
        if (found := outcome(ask, desk)) != (expected := matrix.cell(action, own))
    ]
    wrong += [
        (action, found, expected)
        for action in RULES
        for ask in OF_ANOTHER.get(
            action, (lambda at, action=action: at.require(action, caller.whose),)
        )
        if caller.stranger
        and (found := outcome(ask, desk)) != (expected := matrix.cell(action, caller))
    ]

    assert wrong == []


def test_nobody_reaches_a_batch_of_somebody_else(settings: dict[str, Settings]) -> None:
    """A batch is begun by whoever brought it: its place tells whose it is."""
    user = next(caller for caller in LET_IN if caller.name == "user")

    with pytest.raises(PermissionDenied):
        BatchJob(desk_of(user, settings), BATCH, None)


def test_whoever_keeps_nothing_is_counted_by_their_address(settings: dict[str, Settings]) -> None:
    """Two visitors without a sign-in do not use up each other's calls."""
    bench = cast("Any", Unopened(settings["development"]))
    here, there = (Desk(bench, ANONYMOUS, address) for address in ("10.0.0.1", "10.0.0.2"))

    assert here.user != there.user
    assert here.owner is there.owner is None


def test_whoever_lost_a_right_has_lost_it_on_an_open_page(settings: dict[str, Settings]) -> None:
    """What a page drew a while ago, and is pressed now, is asked for as they are now."""
    user = next(caller for caller in LET_IN if caller.name == "user").principal
    now = [user]
    page = Desk(cast("Any", Unopened(settings["production"])), user, asked=lambda: now[0])
    page.require("history.list")

    now[0] = ANONYMOUS

    with pytest.raises(SignInRequired):
        page.collection.find()
    assert page.owner is None
