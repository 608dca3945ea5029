"""``/api/v1/identifications``: pages, filters, one, and gone; nobody's but one's own."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest
import requests

if TYPE_CHECKING:
    from rest import Rest

PATH = "/api/v1/identifications"


@pytest.fixture(scope="session")
def ann(production: Rest, flower: bytes) -> Rest:
    """Return the API as somebody uses it who has identified five flowers."""
    person = production.person(f"ann-{uuid.uuid4().hex}")
    for language in ("en", "de", "fr", "cs", "en"):
        assert person.identify(flower, data={"language": language}).status_code == 200
    return person


def test_pages_lead_to_all_of_it_once(ann: Rest) -> None:
    """Newest first, by the Link header as by the cursor, and a total that stays."""
    path, seen, totals = f"{PATH}?limit=2", [], set()
    while path:
        page = ann.get(path)
        seen += page.json()["identifications"]
        totals.add(page.json()["total"])
        path = page.links["next"]["url"] if "next" in page.links else ""
        assert ("next" in page.links) is (page.json()["after"] is not None)

    assert totals == {5}
    assert len({one["id"] for one in seen}) == len(seen) == 5
    assert [one["language"] for one in seen] == ["en", "cs", "fr", "de", "en"]


def test_a_page_keeps_its_filters(ann: Rest) -> None:
    """What was asked for stands in the address of the next page too."""
    page = ann.get(PATH, params={"limit": "1", "text": "a", "provider": "plantnet"})

    assert "text=a" in page.links["next"]["url"]
    assert "provider=plantnet" in page.links["next"]["url"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, 5),
        ({"provider": "plantnet"}, 5),
        ({"provider": "nobody"}, 0),
        ({"text": "zzzz"}, 0),
        ({"verified": "false"}, 5),
        ({"verified": "true"}, 0),
        ({"since": "2999-01-01"}, 0),
        ({"until": "2999-01-01T00:00:00+02:00"}, 5),
        ({"until": "2020-01-01"}, 0),
    ],
)
def test_filters_are_the_historys(ann: Rest, query: dict[str, str], found: int) -> None:
    """Text, provider, verified, since and until."""
    assert ann.get(PATH, params=query).json()["total"] == found


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"},
        {"limit": "101"},
        {"limit": "ten"},
        {"after": "the last one"},
        {"after": "99999999999999999999.x"},
        {"verified": "perhaps"},
        {"since": "yesterday"},
        {"since": "2026-05-01T12:00:00"},
        {"until": ""},
        {"text": "x" * 201},
        {"text": "a\x00b"},
        {"provider": "\x00"},
        {"colour": "red"},
        {"limit": ["1", "2"]},
    ],
)
def test_a_query_that_cannot_be_is_told_so(ann: Rest, query: dict[str, str]) -> None:
    """Field, limit and value; nothing is passed over in silence."""
    response = ann.get(PATH, params=query)

    told = response.json()
    assert (response.status_code, told["code"]) == (400, "parameter")
    assert told["limit"]
    assert told["field"] in {*query, "the name of a field"}


def test_one_is_told_whole_and_then_gone(ann: Rest, flower: bytes) -> None:
    """With photos, answers and determinations; after a DELETE it is not there."""
    address = ann.identify(flower).headers["content-location"]

    whole = ann.get(address).json()
    first, second = ann.delete(address), ann.delete(address)

    assert whole["determinations"] == []
    assert whole["sandbox"] is True
    assert ann.get(whole["photos"][0]["url"]).headers["content-type"] == "image/jpeg"
    assert (first.status_code, first.content) == (204, b"")
    assert (second.status_code, ann.get(address).status_code) == (404, 404)


def test_anothers_are_not_there(production: Rest, ann: Rest) -> None:
    """Whoever asks for them is told what they would be told of anything that never was."""
    ben = production.person("ben")
    theirs = ann.get(f"{PATH}?limit=1").json()["identifications"][0]
    owner = production.workbench.access.people.find("ben").id
    nothing = f"{PATH}/{'0' * 32}"

    def told(response: requests.Response) -> tuple[int, dict[str, object]]:
        return response.status_code, {**response.json(), "instance": ""}

    for path in (theirs["url"], f"{theirs['url']}?owner={owner}", f"{theirs['url']}?owner=nobody"):
        assert told(ben.get(path)) == told(ben.get(nothing))
    assert told(ben.delete(theirs["url"])) == told(ben.delete(nothing))
    photo = theirs["photos"][0]["url"]
    assert told(ben.get(photo)) == told(ben.get(f"/api/v1/photos/{'0' * 64}"))
    assert ann.get(theirs["url"]).status_code == 200


def test_an_admin_names_whose_they_want(production: Rest, ann: Rest) -> None:
    """One of another's and its photo, by ``?owner=``; without it, one's own."""
    admin = production.person("root", admin=True)
    theirs = ann.get(f"{PATH}?limit=1").json()["identifications"][0]
    owner = ann.get(theirs["url"]).json()["photos"][0]["link"]
    whose = production.workbench.access.keys.read("download", owner.partition("=")[2], 60)
    assert isinstance(whose, list)

    found = admin.get(f"{theirs['url']}?owner={whose[1]}")

    assert found.json()["id"] == theirs["id"]
    assert admin.get(theirs["url"]).status_code == 404
    assert admin.get(found.json()["photos"][0]["url"]).status_code == 200


@pytest.mark.parametrize(
    ("scopes", "method", "path", "status"),
    [
        (["history:read"], "get", PATH, 200),
        (["identify"], "get", PATH, 403),
        (["history:read"], "delete", f"{PATH}/one", 403),
        (["history:write"], "delete", f"{PATH}/one", 404),
        (["history:read"], "post", "/api/v1/identify", 403),
        (["operate"], "post", "/api/v1/breakers/plantnet", 403),
    ],
)
def test_a_token_does_what_its_scopes_name(
    production: Rest, scopes: list[str], method: str, path: str, status: int
) -> None:
    """One without the scope is told which it lacks (RFC 6750)."""
    response = production.person("sam", scopes).ask(method, path)

    assert response.status_code == status
    if status == 403 and "breakers" not in path:
        assert response.json()["scope"] in response.headers["www-authenticate"]


def test_nobody_is_asked_who_they_are(production: Rest) -> None:
    """401 with a challenge, before anything is looked for; a token of nobody's likewise."""
    unknown = production.get(PATH)
    made_up = production.get(PATH, headers={"Authorization": "Bearer plantid_none_none"})
    basic = requests.get(f"{production.url}{PATH}", auth=("ann", "secret"), timeout=9)

    assert [one.status_code for one in (unknown, made_up, basic)] == [401] * 3
    assert all(one.headers["www-authenticate"].startswith("Bearer") for one in (unknown, basic))
    assert "invalid_token" in made_up.headers["www-authenticate"]
