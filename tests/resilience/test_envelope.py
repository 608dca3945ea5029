"""The bytes of one cached value."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plantid_core.errors import ProviderUnavailable, ValueNotCacheable
from plantid_core.resilience.envelope import (
    FENCE_AT,
    Envelope,
    encode,
    encode_error,
    error_fields,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@st.composite
def envelopes(draw: st.DrawFn) -> Envelope:
    stored, soft, hard = sorted(draw(st.floats(0, 4e9, allow_nan=False)) for _ in range(3))
    kind = draw(st.sampled_from(["value", "negative", "error", "bytes"]))
    payload = draw(st.binary()) if kind == "bytes" else orjson.dumps(draw(JSON))
    fence, delta = draw(st.integers(0, 2**53)), draw(st.floats(0, 1e4))
    return Envelope(kind, fence, stored, soft, hard, delta, payload)


@given(envelopes())
def test_what_is_packed_can_be_unpacked(envelope: Envelope) -> None:
    """Packing and unpacking returns the same envelope, its fence where the scripts look for it."""
    blob = envelope.pack()

    assert Envelope.unpack(blob) == envelope
    assert int.from_bytes(blob[FENCE_AT], "little") == envelope.fence


@given(st.binary(max_size=80))
def test_foreign_bytes_are_no_envelope(blob: bytes) -> None:
    """Bytes without our header are a miss, whatever they are."""
    assert blob.startswith(b"PI\x02") or Envelope.unpack(blob) is None


@given(envelopes(), st.integers(0, 200), st.integers(1, 255))
def test_damage_never_raises(envelope: Envelope, at: int, bits: int) -> None:
    """A blob with one changed byte, or cut short, is an envelope or a miss, and nothing else."""
    blob = bytearray(envelope.pack())
    blob[at % len(blob)] ^= bits

    for damaged in (bytes(blob), bytes(blob[: at % len(blob)])):
        found = Envelope.unpack(damaged)
        assert found is None or found.soft_expiry <= found.hard_expiry


@pytest.mark.parametrize(
    ("value", "kind"),
    [({"a": [1, None]}, "value"), (None, "negative"), (b"\xff\x00", "bytes"), (False, "value")],
)
def test_values_keep_their_meaning(value: object, kind: str) -> None:
    """None is a value of its own kind, and bytes are kept as they are."""
    found, payload = encode(value)

    assert found == kind
    assert Envelope(found, 1, 0, 1, 2, 0, payload).value == value


def test_what_json_cannot_hold_is_named() -> None:
    """The error tells the type, and what to return instead."""
    with pytest.raises(ValueNotCacheable, match="of type object cannot be cached"):
        encode(object())


def test_an_error_is_told_with_its_fields() -> None:
    """Type, message and what programs ask for cross to other processes."""
    error = ProviderUnavailable("plantnet", "http_500", "Pl@ntNet failed.", retry_after_s=3.0)

    told = Envelope("error", 1, 0, 1, 2, 0, encode_error(error))

    assert error_fields(told) == (
        "ProviderUnavailable",
        "Pl@ntNet failed.",
        {"provider": "plantnet", "code": "http_500", "retry_after_s": 3.0},
    )
