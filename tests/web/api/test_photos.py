"""``/api/v1/photos/{id}``: to its owner, an admin, or whoever has a link that is still good."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest
from rest import ISSUER, PRODUCTION

from plantid_core.access.principal import owner_of
from plantid_core.access.signing import KeyRing
from plantid_core.web.api import download

if TYPE_CHECKING:
    from rest import Rest

OTHER_KEY = "another key, that is as long as a key ought to be"


@pytest.fixture
def subject() -> str:
    """Return somebody new."""
    return uuid.uuid4().hex


@pytest.fixture
def ann(production: Rest, subject: str) -> Rest:
    """Return the API as they use it."""
    return production.person(subject)


@pytest.fixture
def photo(ann: Rest, flower: bytes) -> dict[str, str]:
    """Return a photo of theirs: sha256, url and link."""
    address = ann.identify(flower).headers["content-location"]
    found: dict[str, str] = ann.get(address).json()["photos"][0]
    return found


def test_a_photo_known_is_not_sent_again(ann: Rest, photo: dict[str, str]) -> None:
    """Its id is its ETag; it is kept by the client alone, and asked for each time."""
    first = ann.get(photo["url"])
    again = ann.get(photo["url"], headers={"If-None-Match": f'"other", {first.headers["etag"]}'})
    other = ann.get(photo["url"], headers={"If-None-Match": '"other"'})
    head = ann.head(photo["url"])

    assert first.content.startswith(b"\xff\xd8\xff")
    assert first.headers["etag"] == f'"{photo["sha256"]}"'
    assert first.headers["cache-control"] == "private, no-cache"
    assert (again.status_code, again.content) == (304, b"")
    assert (other.status_code, other.content) == (200, first.content)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == first.headers["content-length"]


def test_a_link_needs_no_sign_in(production: Rest, ann: Rest, photo: dict[str, str]) -> None:
    """Nobody in particular gets the same bytes by it, and nothing without it."""
    by_link = production.get(photo["link"])

    assert by_link.content == ann.get(photo["url"]).content
    assert production.get(photo["url"]).status_code == 401


def test_a_link_outlives_its_key(production: Rest, photo: dict[str, str], subject: str) -> None:
    """What was signed before the key was changed is still good; by a stranger's key, nothing is."""
    current = str(PRODUCTION["secret_key"])
    keys = production.workbench.access.keys
    assert keys == KeyRing(current, (str(PRODUCTION["secret_key_fallbacks"]),))
    owner = owner_of(ISSUER, subject)

    former = download.link(KeyRing(keys.fallbacks[0]), photo["sha256"], owner)
    foreign = download.link(KeyRing(OTHER_KEY), photo["sha256"], owner)

    assert production.get(former).status_code == 200
    assert production.get(foreign).json()["code"] == "link_refused"


def test_a_link_is_for_one_photo_of_one_owner(
    production: Rest, photo: dict[str, str], subject: str
) -> None:
    """Neither of them can be changed in it, nor can what was signed for another purpose be used."""
    keys, owner = production.workbench.access.keys, owner_of(ISSUER, subject)
    signed = photo["link"].partition("=")[2]
    links = [
        f"/api/v1/photos/{'0' * 64}?link={signed}",
        photo["link"][:-1],
        f"{photo['url']}?link=",
        f"{photo['url']}?link={keys.sign('upload', [photo['sha256'], owner])}",
        f"{photo['url']}?link={keys.sign('download', photo['sha256'])}",
    ]

    assert [production.get(link).status_code for link in links] == [403] * len(links)
    of_another = download.link(keys, photo["sha256"], "local")
    assert production.get(of_another).status_code == 404


def test_a_link_ends_with_its_time(
    production: Rest, photo: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is older than it may be is refused."""
    monkeypatch.setattr(download, "VALID_S", -1)

    assert production.get(photo["link"]).status_code == 403


def test_a_link_ends_with_its_owners_stay(
    production: Rest, photo: dict[str, str], subject: str
) -> None:
    """Whoever is deactivated is seen no more, by whatever was handed out before."""
    production.workbench.access.people.deactivate(owner_of(ISSUER, subject))

    assert production.get(photo["link"]).status_code == 403
