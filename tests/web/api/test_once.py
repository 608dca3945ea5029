"""``Idempotency-Key``: a request that is sent again is answered again, and not done again."""

from __future__ import annotations

import datetime as dt
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from plantid_core.store.history.repeats import Repeats, Taken
from plantid_core.upload import Upload
from plantid_core.web.api.hot import Asked
from plantid_core.web.api.question import fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests
    from rest import Rest

    from tests.conftest import SandboxServer


def keyed(key: str) -> dict[str, str]:
    return {"Idempotency-Key": f'"{key}"'}


@pytest.fixture
def key() -> str:
    """Return a key nobody has used."""
    return str(uuid.uuid4())


def total(rest: Rest) -> int:
    return int(rest.get("/api/v1/identifications").json()["total"])


def test_the_same_request_gets_the_first_answer(development: Rest, flower: bytes, key: str) -> None:
    """Byte for byte, marked as a repetition, and kept once."""
    before = total(development)

    first = development.identify(flower, headers=keyed(key))
    again = development.identify(flower, headers={"Idempotency-Key": key})

    assert (first.status_code, again.status_code) == (200, 200)
    assert again.content == first.content
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["content-location"] == first.headers["content-location"]
    assert total(development) == before + 1


def test_another_request_under_the_same_key_is_refused(
    development: Rest, flower: bytes, key: str
) -> None:
    """A key stands for one request."""
    development.identify(flower, headers=keyed(key))

    other = development.identify(flower, data={"language": "de"}, headers=keyed(key))

    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


def test_many_at_once_are_done_once(
    development: Rest,
    running_sandbox: SandboxServer,
    quadrants: Callable[..., bytes],
    key: str,
) -> None:
    """One asks and keeps; the others are told to come back, or get its answer."""
    running_sandbox.clear()
    running_sandbox.faults(service="plantnet", latency_ms={"p50": 300, "p99": 300})
    before, photo = total(development), quadrants(quality=31)

    def send(_: int) -> requests.Response:
        return development.identify(photo, "four.jpg", headers=keyed(key))

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(send, range(6)))

    running_sandbox.clear()
    assert total(development) == before + 1
    assert {one.status_code for one in answers} <= {200, 409}
    assert len({one.content for one in answers if one.status_code == 200}) == 1
    for one in answers:
        assert one.status_code == 200 or one.headers["retry-after"] == "1"


def test_a_refused_request_leaves_its_key_free(development: Rest, flower: bytes, key: str) -> None:
    """What had no effect may be tried again, mended."""
    refused = development.identify(b"no photo", headers=keyed(key))
    mended = development.identify(flower, headers=keyed(key))

    assert (refused.status_code, mended.status_code) == (422, 200)


def test_a_key_is_a_persons_own(production: Rest, flower: bytes, key: str) -> None:
    """Two people may use the same one, and neither learns of the other's."""
    ann, ben = production.person("ann"), production.person("ben")

    hers = ann.identify(flower, headers=keyed(key))
    his = ben.identify(flower, data={"language": "de"}, headers=keyed(key))

    assert (hers.status_code, his.status_code) == (200, 200)
    assert hers.json()["id"] != his.json()["id"]


def test_what_was_deleted_is_not_told_again(development: Rest, flower: bytes, key: str) -> None:
    """With the observation goes the copy of its answer."""
    first = development.identify(flower, headers=keyed(key))
    development.delete(first.headers["content-location"])

    again = development.identify(flower, headers=keyed(key))

    assert "idempotency-replayed" not in again.headers
    assert again.json()["id"] != first.json()["id"]


def test_one_that_died_under_way_is_taken_over(development: Rest, flower: bytes, key: str) -> None:
    """A process that is killed holds its key no longer than a request may take."""
    an_hour_ago = dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
    database = development.workbench.access.database
    dead = Repeats(database, patience_s=1, now=lambda: an_hour_ago)
    held = dead.take("local", key, fingerprint(Asked([Upload(flower, "flower.jpg")])))

    answered = development.identify(flower, headers=keyed(key))

    assert isinstance(held, Taken)
    assert (answered.status_code, answered.json()["rung"]) == (200, "fresh")


@pytest.mark.parametrize(
    "bad", ['""', "", '"' + "x" * 256 + '"', "x" * 256, '"open', "späte", "a b"]
)
def test_what_cannot_be_a_key_is_refused(development: Rest, flower: bytes, bad: str) -> None:
    """A key is a string of RFC 8941, or its content."""
    response = development.identify(flower, headers={"Idempotency-Key": bad.encode("utf-8")})

    assert (response.status_code, response.json()["field"]) == (400, "Idempotency-Key")
