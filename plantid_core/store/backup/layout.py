"""What a backup holds: a gzipped tar with these members, and last a manifest of their digests.

::

    history.sqlite                      the observations and people: SQLite's file, or
    history.jsonl people.jsonl          a Postgres' rows as JSON
    photos/<owner>/<photo>.jpg          as in `PhotoStore`: sha256 of the owner's id, of the photo
    names.sqlite calibration.json sensitive.csv herbarium/…     what users have loaded or built
    manifest.json                       sha256 and size of each member above
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from plantid_core.errors import InputUnreadable

if TYPE_CHECKING:
    from pathlib import Path

MANIFEST = "manifest.json"
FORMAT, VERSION = "plantid-backup", 1
SNAPSHOT, ROWS, PEOPLE = "history.sqlite", "history.jsonl", "people.jsonl"
# Replaced as a whole by whoever writes them, so that they can be copied as they lie there.
FILES = ("names.sqlite", "calibration.json", "sensitive.csv")
FOLDERS = ("herbarium",)
NOT_WORTH_IT = {
    "valkey": "the cache, which fills again",
    "sandbox": "the sandbox's own state",
    "models": "models, which are built again",
    "batches": "batches under way, which can be begun anew",
    "secret-key": "the key that signs: a new one is made",
}

PHOTO = re.compile(r"photos/([0-9a-f]{64})/([0-9a-f]{64})\.jpg")
_MEMBER = re.compile(
    rf"{PHOTO.pattern}|history\.(sqlite|jsonl)|people\.jsonl|names\.sqlite|calibration\.json|sensitive\.csv"
    r"|herbarium/[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)?"
)


@dataclass(frozen=True, slots=True)
class Member:
    """A member's size in bytes, and the sha256 of its bytes, in hex."""

    size: int
    sha256: str


def is_member(name: str) -> bool:
    """Tell whether a backup can hold a member of this name; no other path is ever written."""
    return _MEMBER.fullmatch(name) is not None


def manifest(members: dict[str, Member], made_at: str) -> dict[str, object]:
    """Return the manifest as JSON holds it."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "made_at": made_at,
        "members": {
            name: {"bytes": member.size, "sha256": member.sha256}
            for name, member in members.items()
        },
    }


def read_manifest(path: Path, told: Any) -> dict[str, Member]:  # noqa: ANN401 - parsed JSON
    """Return what the manifest promises; raises `InputUnreadable` for one that is none of ours."""
    try:
        if told["format"] != FORMAT:
            raise InputUnreadable(str(path), "this is no backup of this app.")
        if told["version"] != VERSION:
            reason = f"this backup is of version {told['version']!r}; this app reads {VERSION}."
            raise InputUnreadable(str(path), reason)
        return {
            str(name): Member(int(one["bytes"]), str(one["sha256"]))
            for name, one in told["members"].items()
        }
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        raise InputUnreadable(str(path), "its manifest cannot be read.") from None
