"""Links to a photo that need no sign-in: signed, for a quarter of an hour, for as long as its owner stays.

They are for an ``<img>`` or a program that cannot send a token. A link names the photo and its owner;
one that was signed with a former key of ours is still good.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from plantid_core.errors import PersonUnknown, PlantIDError
from plantid_core.store.history.values import LOCAL_OWNER

if TYPE_CHECKING:
    from plantid_core.access.people import People
    from plantid_core.access.signing import KeyRing

PATH = "/api/v1/photos"
VALID_S = 15 * 60.0

_PURPOSE = "download"
_PARTS = 2


class LinkRefused(PlantIDError):
    """A link that is not ours, is too old, is another photo's, or whose owner has left."""

    def __init__(self) -> None:
        super().__init__(
            "This link is no longer good. Open the identification again: it has a new one."
        )


def link(keys: KeyRing, photo_id: str, owner: str) -> str:
    """Return the address of a photo, signed."""
    return f"{PATH}/{photo_id}?link={keys.sign(_PURPOSE, [photo_id, owner])}"


def owner_of(keys: KeyRing, people: People, photo_id: str, signed: str) -> str:
    """Return whose photo a link lets see; raises `LinkRefused`, and `HistoryUnavailable`."""
    value = keys.read(_PURPOSE, signed, VALID_S)
    if not isinstance(value, list) or len(value) != _PARTS or value[0] != photo_id:
        raise LinkRefused
    owner = str(value[1])
    if not _is_active(people, owner):
        raise LinkRefused
    return owner


def _is_active(people: People, owner: str) -> bool:
    if owner == LOCAL_OWNER:
        return True
    try:
        return people.get(owner).active
    except PersonUnknown:
        return False
