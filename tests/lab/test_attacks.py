"""The shelf of attacks, each through the real chain."""

from __future__ import annotations

import io
import zipfile
import zlib

import pytest
from PIL import Image

from plantid_core.errors import UploadRejected
from plantid_core.lab.attacks import ATTACKS, MARK, Attack
from plantid_core.lab.attacks.black import deflated_zeros
from plantid_core.upload import Policy, admit
from plantid_core.upload.rejection import LAYERS

EIGHT = {
    "Extension spoofing", "Null byte injection", "Double extension", "Content-type manipulation",
    "Magic byte spoofing", "Path traversal", "Decompression bomb", "Embedded scripts",
}  # fmt: skip
RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def attack(name: str) -> Attack:
    return next(attack for attack in ATTACKS if attack.id == name)


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


def test_only_the_oversized_one_is_over_the_size() -> None:
    """What an attack costs is not in its bytes."""
    sizes = {attack.id: len(attack.make()) for attack in ATTACKS}

    assert [name for name, size in sizes.items() if size > Policy().max_bytes] == ["too-large"]


@pytest.mark.parametrize(
    ("name", "colours"),
    [
        ("turned", {(80, 60): RED, (240, 60): GREEN, (80, 180): BLUE, (240, 180): WHITE}),
        ("hidden-red", {(20, 20): RED, (160, 120): WHITE}),
        ("grey-16", {(0, 120): (78, 78, 78), (319, 120): (125, 125, 125)}),
    ],
)
def test_picture_is_not_spoilt_by_cleaning(
    name: str, colours: dict[tuple[int, int], tuple[int, int, int]]
) -> None:
    """A photo comes out upright, what is transparent white, 16 bits scaled to 8."""
    upload = attack(name).upload()

    picture = Image.open(io.BytesIO(admit(upload.data, upload.filename).jpeg)).convert("RGB")

    assert picture.size == (320, 240)
    for place, colour in colours.items():
        found = picture.getpixel(place)
        assert isinstance(found, tuple)
        assert all(abs(a - b) < 8 for a, b in zip(found, colour, strict=True))


def test_the_archive_behind_a_photo_is_one() -> None:
    """The polyglot is both: it opens as a photo and as an archive."""
    data = attack("tail-zip").make()

    assert zipfile.ZipFile(io.BytesIO(data)).namelist() == ["index.php"]
    assert Image.open(io.BytesIO(data)).size == (320, 240)


@pytest.mark.parametrize("size", [0, 1, 3_999_999, 4_000_000, 12_345_678])
def test_put_together_stream_is_a_whole_one(size: int) -> None:
    """A bomb's deflate stream unfolds to its zeros, and its checksum is right."""
    assert zlib.decompress(deflated_zeros(size)) == bytes(size)
