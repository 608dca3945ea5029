"""The bytes of one cached value."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from plantid_core.resilience.envelope import Envelope

TIMES = st.floats(0, 4e9, allow_nan=False)
ENVELOPES = st.builds(
    Envelope,
    st.sampled_from(["value", "negative", "error"]),
    TIMES,
    TIMES,
    TIMES,
    TIMES,
    st.binary(),
)


@given(ENVELOPES)
def test_what_is_packed_can_be_unpacked(envelope: Envelope) -> None:
    """Packing and unpacking returns the same envelope."""
    assert Envelope.unpack(envelope.pack()) == envelope


@given(st.binary(max_size=80))
def test_foreign_bytes_are_no_envelope(blob: bytes) -> None:
    """Bytes without our header are a miss, whatever they are."""
    assert blob.startswith(b"PI\x01") or Envelope.unpack(blob) is None
