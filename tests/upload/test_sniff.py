"""What a file is called, and what it really is."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plantid_core.errors import UploadRejected
from plantid_core.lab.attacks import ATTACKS
from plantid_core.upload import Policy, sniff

_VERDICTS = """
import sys
from plantid_core.errors import UploadRejected
from plantid_core.lab.attacks import ATTACKS
from plantid_core.upload import admit, sniff
wrong = []
for attack in ATTACKS:
    upload = attack.upload()
    try:
        admit(upload.data, upload.filename)
        verdict = "accept"
    except UploadRejected:
        verdict = "reject"
    if verdict != attack.expect:
        wrong.append(attack.id)
magic = sniff.libmagic()
print(magic.version() if magic else None, "pylibmagic" in open("/proc/self/maps").read(), wrong)
"""


@given(st.text(max_size=300) | st.sampled_from(["jpg", "PNG", ".gif", " .webp", "a.b.jpeg"]))
def test_any_name_promises_a_format_or_is_refused(name: str) -> None:
    """No name makes the rule stumble; a promised format has its extension last."""
    try:
        promised = sniff.format_of_name(name, Policy())
    except UploadRejected as refused:
        assert refused.layer == "name"
        assert name not in str(refused) or len(name) < 12
    else:
        assert name.lower().endswith((".jpg", ".jpeg", ".png", ".webp", ".gif"))
        assert name.rpartition(".")[0].strip(" .")
        assert promised in {"JPEG", "PNG", "WEBP", "GIF"}


@given(st.binary(max_size=64))
def test_any_bytes_are_described(data: bytes) -> None:
    """Whatever the bytes, there is a printable phrase for people."""
    phrase = sniff.describe(data)

    assert phrase.isprintable()
    assert len(phrase) < 70


def test_machine_without_libmagic_judges_alike() -> None:
    """With the system's libmagic hidden, the wheel's is used, and every attack gets its verdict."""
    hide = "for f in $(ldconfig -p | sed -n 's/.*libmagic.* => //p'); do mount --bind /dev/null $f; done"
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", f'{hide}; "$0" -c "$1"',
         sys.executable, _VERDICTS],
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    if "unshare" in done.stderr or "mount" in done.stderr:
        pytest.skip("needs the right to mount in a private namespace")

    version, from_wheel, wrong = done.stdout.split(maxsplit=2)

    assert (from_wheel, wrong.strip()) == ("True", "[]"), done.stderr
    assert int(version) > 500


def test_nothing_but_the_attacks_own_names_is_needed() -> None:
    """Every attack on the name is refused before the content is looked at."""
    for attack in ATTACKS:
        if attack.vector in {"Path traversal", "Null byte injection", "Double extension"}:
            with pytest.raises(UploadRejected):
                sniff.format_of_name(attack.filename, Policy())
