"""The shelf of attacks, each through the real chain."""

from __future__ import annotations

import pytest

from plantid_core.errors import UploadRejected
from plantid_core.lab.attacks import ATTACKS, MARK, Attack
from plantid_core.upload import admit
from plantid_core.upload.rejection import LAYERS

EIGHT = {
    "Extension spoofing", "Null byte injection", "Double extension", "Content-type manipulation",
    "Magic byte spoofing", "Path traversal", "Decompression bomb", "Embedded scripts",
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.id)
def test_attack_gets_its_verdict(attack: Attack) -> None:
    """A refused one says why; an accepted one comes out without its payload."""
    upload = attack.upload()

    try:
        photo = admit(upload.data, upload.filename, upload.content_type)
    except UploadRejected as rejected:
        assert attack.expect == "reject"
        assert rejected.layer in LAYERS[:4]
        assert not rejected.transient
    else:
        assert attack.expect == "accept"
        assert MARK not in photo.jpeg


def test_the_eight_usual_vectors_are_all_there() -> None:
    """Every vector of the usual list has at least one attack; ids are unique."""
    assert {attack.vector for attack in ATTACKS} >= EIGHT
    assert len({attack.id for attack in ATTACKS}) == len(ATTACKS)
