"""Every verdict is counted, by its code alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from prometheus_client import REGISTRY

from plantid_core.admission import Admission
from plantid_core.deadline import Deadline
from plantid_core.errors import UploadRejected
from plantid_core.lab.pictures import quadrants
from plantid_core.telemetry import Trace
from plantid_core.upload import Upload, admit

if TYPE_CHECKING:
    from collections.abc import Callable


def counted(code: str, gate: str) -> float:
    value = REGISTRY.get_sample_value("plantid_upload_verdicts_total", {"code": code, "gate": gate})
    return value or 0.0


def through_admission(upload: Upload) -> None:
    Admission().photo(upload, Deadline.after(30), Trace())


def through_the_door(upload: Upload) -> None:
    admit(upload.data, upload.filename)


@pytest.mark.parametrize("way", [through_admission, through_the_door])
@pytest.mark.parametrize(
    ("upload", "code", "gate"),
    [
        (Upload(quadrants(), "leaf.jpg"), "accepted", ""),
        (Upload(quadrants(), "leaf.php.jpg"), "double_extension", "name"),
        (Upload(b"", "leaf.jpg"), "empty", "size"),
        (Upload(b"%PDF-1.4\n", "leaf.jpg"), "type", "type"),
        (Upload(quadrants()[:-2], "leaf.jpg"), "incomplete", "header"),
    ],
)
def test_every_verdict_is_counted_once(
    way: Callable[[Upload], None], upload: Upload, code: str, gate: str
) -> None:
    """Whichever gate a file ends at, and whichever way it came, its code counts up by one."""
    before = counted(code, gate)

    try:
        way(upload)
    except UploadRejected as rejected:
        assert rejected.code == code

    assert counted(code, gate) == before + 1
