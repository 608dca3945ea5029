"""What server and worker say to each other."""

from __future__ import annotations

import socket
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plantid_core.upload import Policy
from plantid_core.upload.isolation import report, wire

MOST = 10_000


def heard(sent: bytes) -> tuple[wire.Head, list[bytes]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        sender = threading.Thread(target=lambda: (theirs.sendall(sent), theirs.close()))
        sender.start()
        try:
            return wire.receive(ours, MOST, until=time.monotonic() + 5)
        finally:
            sender.join()


def spoken(head: wire.Head, *blobs: bytes) -> bytes:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        wire.send(ours, head, *blobs)
        ours.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: theirs.recv(65536), b""))


@given(
    st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=9), max_size=4),
    st.lists(st.binary(max_size=200), max_size=4),
)
def test_what_is_sent_is_received(head: wire.Head, blobs: list[bytes]) -> None:
    """A message comes back as it went."""
    assert heard(spoken(head, *blobs)) == (head, blobs)


@given(st.binary(max_size=300))
def test_nonsense_is_a_broken_link_and_nothing_else(sent: bytes) -> None:
    """Whatever a worker sends, the server hears a message or a broken link."""
    try:
        head, blobs = heard(sent)
    except wire.BrokenLink:
        return
    assert isinstance(head, dict)
    assert sum(map(len, blobs)) <= MOST


@given(st.integers(0, 60), st.integers(0, 255))
def test_damaged_messages_are_broken_links(at: int, value: int) -> None:
    """A flipped byte or a cut is no message, or a message of another content."""
    sent = bytearray(spoken({"work": "decode", "n": 1}, b"x" * 20))
    sent[at % len(sent)] = value

    try:
        head, _ = heard(bytes(sent[: len(sent) - value % 3]))
    except wire.BrokenLink:
        return
    assert isinstance(head, dict)


def test_more_than_was_asked_for_is_refused_before_it_is_read() -> None:
    """A worker cannot make the server hold what it did not ask for."""
    with pytest.raises(wire.BrokenLink, match="too long"):
        heard(spoken({}, bytes(MOST + 1)))


def test_silence_ends_at_the_deadline() -> None:
    """A side that says nothing is given up."""
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(TimeoutError):
        wire.receive(ours, MOST, until=time.monotonic() + 0.05)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=9,
)
MESSAGE = st.fixed_dictionaries(
    {}, optional={"gates": st.just([]) | JSON, "mime": JSON, "header": JSON, "rejected": JSON,
                  "place": JSON, "date": JSON, "code": JSON},
)  # fmt: skip


@given(MESSAGE, st.lists(st.binary(max_size=40), max_size=2))
def test_reports_of_a_hostile_worker_are_refused(head: wire.Head, blobs: list[bytes]) -> None:
    """Made-up examinations and prefills never get past as anything but broken links."""
    from plantid_core.errors import UploadRejected

    for read in (
        lambda: report.as_examination(head, blobs, Policy()),
        lambda: report.as_prefill(head),
        lambda: report.as_rejection(head),
    ):
        try:
            read()
        except (wire.BrokenLink, UploadRejected):
            continue
