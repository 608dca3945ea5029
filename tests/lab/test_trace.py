"""Traces of one's own: read, described, replayed."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from plantid_core.lab import trace, trace_lines
from plantid_core.lab.workload import Workload, arrivals

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = b"time,key\n10.5,oak\n10,rose\n12,oak\n"
ISO = b"time,key\n2026-05-01T00:00:10.500Z,oak\n2026-05-01T02:00:10+02:00,rose\n2026-05-01T00:00:12Z,oak\n"
EPOCH = b"key,agent,time\noak,x,1777593610.5\nrose,y,1777593610\noak,z,1777593612\n"
BARE = b"10.5,oak\n\n10,rose\n12,oak\n"
QUOTED = b'"Time","Key"\r\n10.5,"oak, old"\r\n10,"a ""rose"""\r\n12,"oak, old"\r\n'


@pytest.mark.parametrize(
    "data",
    [SECONDS, ISO, EPOCH, BARE, QUOTED, gzip.compress(SECONDS), b"\xef\xbb\xbf" + SECONDS],
    ids=["seconds", "iso", "epoch", "bare", "quoted", "gzip", "bom"],
)
def test_every_form_gives_the_same_requests(data: bytes) -> None:
    """Sorted by time from 0 on; the most popular key is 0."""
    requests = trace.read(data)

    assert requests.times_s.tolist() == pytest.approx([0.0, 0.5, 2.0])
    assert requests.keys.tolist() == [1, 0, 0]


def test_a_log_of_the_app_is_read_past_its_other_lines(tmp_path: Path) -> None:
    """Only the lines of the event count; what is no JSON is passed over."""
    asked = [
        {"event": trace.EVENT, "key": key, "timestamp": f"2026-05-01T00:00:{second:02}Z"}
        for key, second in (("b", 10), ("a", 10), ("a", 15))
    ]
    other = [{"event": "upload.verdict", "timestamp": "2026-05-01T00:00:01Z"}]
    path = tmp_path / "app.log"
    path.write_text("\n".join([*map(json.dumps, [*other, *asked]), "Started."]))

    requests = trace.read(path)

    assert requests.times_s.tolist() == [0.0, 0.0, 5.0]
    assert requests.keys.tolist() == [1, 0, 0]


def test_a_log_is_known_past_what_a_server_says_first() -> None:
    """Lines before the first entry, and a name before each, are passed over."""
    entry = json.dumps({"event": trace.EVENT, "key": "a", "timestamp": "2026-05-01T00:00:00Z"})

    alone = trace.read(f"PlantID: http://localhost:8501, by yours\n\n{entry}\n".encode())
    named = trace.read(f"web-1  | Started.\nweb-1  | {entry}\n".encode())

    assert (alone.keys.tolist(), named.keys.tolist()) == ([0], [0])


def test_what_this_machine_answers_by_itself_is_no_request_upstream() -> None:
    """Of a question to two services and the offline model, two requests are replayed."""
    lines = [
        json.dumps({"event": trace.EVENT, "provider": name, "key": name,
                    "timestamp": "2026-05-01T00:00:00Z"})
        for name in ("plant_id", "offline", "plantnet")
    ]  # fmt: skip

    requests = trace.read("\n".join(lines).encode())

    assert requests.keys.tolist() == [0, 1]


def test_an_entry_that_names_every_provider_is_a_request_to_each_service() -> None:
    """As the app logs it: one entry a request."""
    keys = {"plant_id": "a", "offline": "b", "plantnet": "c"}
    entry = {"event": trace.EVENT, "keys": keys, "timestamp": "2026-05-01T00:00:00Z"}

    requests = trace.read(f"{json.dumps(entry)}\n{json.dumps(entry)}\n".encode())

    assert requests.keys.tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize("which", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "-1", "nan"])
@pytest.mark.parametrize("other", ["2026-05-01T00:00:00Z", "9999-12-31T23:59:59Z", "nan"])
def test_a_date_beyond_what_can_be_counted_is_no_time(which: str, other: str) -> None:
    """Among its like, or among others."""
    with pytest.raises(trace.TraceRefused, match="is no time") as refused:
        trace.read(f"time,key\n{other},a\n{which},b\n".encode())

    assert refused.value.line in {2, 3}
    assert refused.value.value in {which, other}


@pytest.mark.parametrize("before", [b"", b"time,key\n1,a\n"], ids=["first", "later"])
def test_a_line_without_end_is_refused_unread(before: bytes) -> None:
    """A small upload may unpack to very many fields."""
    with pytest.raises(trace.TraceRefused, match="longer than") as refused:
        trace.read(gzip.compress(before + b"ab," * 100_000))

    assert refused.value.line == 1 + before.count(b"\n")
    assert refused.value.limit == 65_536


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"a,b\n1,2\n", "columns time and key are missing"),
        (b"time,photo\n1,2\n", "column key is missing"),
        (b"1,a\n2,b,c\n", "Line 2 of the trace: it has 3 fields"),
        (b'1,a\n2,"b\n3,c\n', "Line 2 of the trace: its quotes do not match"),
        (b"time,x,key\n1,x,a\n2\n", "Line 3 of the trace: it has no key"),
    ],
    ids=["foreign", "one-foreign", "too-many", "quotes", "too-few"],
)
def test_what_is_wrong_is_said_in_plain_words(data: bytes, said: str) -> None:
    """With the line where it stands."""
    with pytest.raises(trace.TraceRefused, match=said):
        trace.read(data)


@pytest.mark.parametrize(
    ("data", "line", "value"),
    [
        (b"time,key\n1,a\nsoon,b\n", 3, "soon"),
        (b"1,a\n\n2,b\n2026-05-01T00:00:00Z,c\n", 4, "2026-05-01T00:00:00Z"),
        (b"time,key\n1,a\n2,\n", 3, ""),
        (b"time,key\n1,a\ninf,b\n", 3, "inf"),
        (b"time,key\n1777593610500,a\n", 2, 1777593610500.0),
        (b"only\n1\n", 1, "only"),
        (b'{"event": "identify.asked"}\n', 1, '{"event": "identify.asked"}'),
    ],
    ids=["no-time", "mixed", "no-key", "infinite", "milliseconds", "one-column", "log-without-key"],
)
def test_a_bad_line_is_named(data: bytes, line: int, value: object) -> None:
    """The error tells the line and what stands there."""
    with pytest.raises(trace.TraceRefused, match=f"Line {line} ") as refused:
        trace.read(data)

    assert (refused.value.line, refused.value.value) == (line, value)


@pytest.mark.parametrize(
    "data",
    [b"", b"\n\n", b"time,key\n", b"{}\n", b"\x1f\x8bnonsense", b"1,\xff\xfe\n", b'1,"a\n2,b\n\0'],
    ids=["nothing", "blank", "header", "log", "gzip", "latin", "quote"],
)
def test_what_is_no_trace_is_refused(data: bytes) -> None:
    """Whatever the bytes are, the error is ours."""
    with pytest.raises(trace.TraceRefused):
        trace.read(data)


def test_a_missing_file_is_refused_without_its_folder(tmp_path: Path) -> None:
    """The name is told, the machine's folders are not."""
    with pytest.raises(trace.TraceRefused, match=r"nope\.csv") as refused:
        trace.read(tmp_path / "nope.csv")

    assert str(tmp_path) not in str(refused.value)


def test_a_trace_has_a_bound_on_rows_and_on_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where gzip hides the size, and where the lines are blank."""
    monkeypatch.setattr(trace, "MOST_ROWS", 3)
    with pytest.raises(trace.TraceRefused) as rows:
        trace.read(b"time,key\n" + b"1,a\n" * 4)
    monkeypatch.setattr(trace_lines, "MOST_LINES", 5)
    with pytest.raises(trace.TraceRefused) as lines:
        trace.read(b"\n" * 6)
    monkeypatch.setattr(trace, "MOST_BYTES", 1000)
    with pytest.raises(trace.TraceRefused) as size:
        trace.read(gzip.compress(b"time,key\n" + b"1,a\n" * 500))

    assert rows.value.limit == 3
    assert lines.value.limit == 5
    assert size.value.limit == 1000


def test_a_description_finds_the_workload_it_was_drawn_from() -> None:
    """Rate and Zipf exponent come back within what 60,000 draws allow."""
    drawn = arrivals(
        Workload(rate=1000, duration_s=60, keys=50, zipf_s=1.0), np.random.default_rng(7)
    )

    found = trace.describe(drawn).iloc[0]

    assert found["requests"] == len(drawn.times_s)
    assert found["keys"] == 50
    assert found["zipf_s"] == pytest.approx(1.0, abs=0.02)
    assert found["rate_mean_per_s"] == pytest.approx(1000, rel=0.02)
    assert found["rate_peak_per_s"] > found["rate_mean_per_s"]


def test_a_replay_sees_the_trace_s_requests_and_no_others() -> None:
    """Two requests within the TTL are one call; the third, past it, is another."""
    requests = trace.read(b"time,key\n0,a\n5,a\n20,a\n")
    cache = Workload(rate=999, ttl_s=10, beta=0)

    record = trace.replay(requests, "lease", cache)

    assert record.offered == 3
    assert record.summary()["calls"].tolist() == [2]
    assert record.workload.rate == pytest.approx(3 / 20)


def test_a_trace_of_one_moment_cannot_be_replayed() -> None:
    """A rate needs time."""
    with pytest.raises(trace.TraceRefused, match="one moment"):
        trace.replay(trace.read(b"1,a\n1,b\n"), "lease", Workload())


def test_a_replay_has_a_longest_duration() -> None:
    """A replay counts every second: a stray time, years off, must not fill the memory."""
    requests = trace.read(b"time,key\n0,a\n100000000,b\n")

    with pytest.raises(trace.TraceRefused, match="Give a part of it") as refused:
        trace.replay(requests, "lease", Workload())

    assert (refused.value.value, refused.value.limit) == (1e8, 1e7)
