"""``/api/v1/breakers``: told to whoever may ask, pressed by admins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rest import Rest

PATH = "/api/v1/breakers"


@pytest.fixture
def admin(production: Rest) -> Iterator[Rest]:
    """Return the API as an admin uses it; every breaker goes by itself again in the end."""
    rest = production.person("root", admin=True)
    yield rest
    for name in production.workbench.breakers:
        rest.post(f"{PATH}/{name}", json={"action": "reset"})


def test_breakers_are_told(admin: Rest) -> None:
    """Every breaker is listed with its state and times, the one around Redis among them."""
    admin.post(f"{PATH}/plantnet", json={"action": "open"})

    told = {each["name"]: each for each in admin.get(PATH).json()}
    ready = admin.get("/readyz").json()

    assert set(told) == {"plant_id", "plantnet", "redis"}
    assert told["plantnet"]["state"] == ready["breakers"]["plantnet"] == "open"
    assert told["plantnet"]["opened_at"] < told["plantnet"]["opens_until"]
    assert set(told["plant_id"]) == {
        "name", "state", "failures", "failure_rate", "slow_rate", "last_failure_at", "opened_at",
        "opens_until", "forced",
    }  # fmt: skip
    assert told["plant_id"]["state"] == told["redis"]["state"] == "closed"


@pytest.mark.parametrize(
    ("action", "state", "forced"),
    [
        ("open", "open", None),
        ("close", "closed", None),
        ("force_open", "open", "forced-open"),
        ("force_close", "closed", "disabled"),
        ("metrics_only", "closed", "metrics-only"),
        ("auto", "closed", None),
        ("reset", "closed", None),
    ],
)
def test_an_admin_presses(admin: Rest, action: str, state: str, forced: str | None) -> None:
    """The answer is how the breaker stands after it."""
    told = admin.post(f"{PATH}/plantnet", json={"action": action}).json()

    assert (told["name"], told["state"], told["forced"]) == ("plantnet", state, forced)


def test_reset_undoes_all_of_it(admin: Rest) -> None:
    """What was forced, and what it had opened for."""
    for action in ("open", "force_open"):
        admin.post(f"{PATH}/plantnet", json={"action": action})

    told = admin.post(f"{PATH}/plantnet", json={"action": "reset"}).json()

    assert (told["state"], told["forced"], told["opened_at"]) == ("closed", None, None)


@pytest.mark.parametrize(
    ("name", "sent", "status"),
    [
        ("nobody", {"json": {"action": "reset"}}, 404),
        ("redis", {"json": {"action": "reset"}}, 409),
        ("plantnet", {"json": {"action": "explode"}}, 400),
        ("plantnet", {"json": {"action": "reset", "now": True}}, 400),
        ("plantnet", {"json": ["reset"]}, 400),
        ("plantnet", {"data": "reset", "headers": {"Content-Type": "application/json"}}, 400),
        ("plantnet", {"data": {"action": "reset"}}, 415),
        ("plantnet", {"json": {"action": "x" * 20_000}}, 413),
    ],
)
def test_what_cannot_be_pressed_is_told(
    admin: Rest, name: str, sent: dict[str, object], status: int
) -> None:
    """A problem each, and nothing is changed."""
    response = admin.post(f"{PATH}/{name}", **sent)

    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert admin.get(PATH).json()[1]["forced"] is None


def test_others_may_look_and_not_press(production: Rest) -> None:
    """Who is no admin is told 403, whether there is such a breaker or not."""
    ann = production.person("ann")

    pressed = [
        ann.post(f"{PATH}/{name}", json={"action": "reset"}) for name in ("plantnet", "nobody")
    ]

    assert ann.get(PATH).status_code == 200
    assert [one.status_code for one in pressed] == [403, 403]
