"""What is signed survives a change of the key, and nothing else is believed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from processes import in_child

from plantid_core.access.signing import KeyRing, key_ring, new_key
from plantid_core.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path

HOUR = 3600.0

keys = st.lists(st.text(st.characters(codec="ascii"), min_size=8), min_size=3, unique=True)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(keys, values)
def test_what_a_former_key_signed_is_read(names: list[str], value: object) -> None:
    """Until that key is struck from the list."""
    signed = KeyRing(names[-1]).sign("download", value)

    assert KeyRing(names[0], tuple(names[1:])).read("download", signed, HOUR) == value
    assert KeyRing(names[0], tuple(names[1:-1])).read("download", signed, HOUR) is None


@given(keys)
def test_the_current_key_signs(names: list[str]) -> None:
    """So that a former one can be struck, once all has been signed anew."""
    signed = KeyRing(names[0], tuple(names[1:])).sign("download", "it")

    assert KeyRing(names[0]).read("download", signed, HOUR) == "it"


@given(st.text(max_size=200))
def test_nothing_else_is_read(text: str) -> None:
    """Whatever somebody makes up."""
    assert KeyRing("a-key-of-ours").read("download", text, HOUR) is None


def test_it_is_read_for_its_purpose_and_for_a_while() -> None:
    """A link to download is no cookie."""
    ring = KeyRing("a-key-of-ours")
    signed = ring.sign("download", "it")

    assert ring.read("download", signed, HOUR) == "it"
    assert ring.read("cookie", signed, HOUR) is None
    assert ring.read("download", signed, -1) is None


def test_a_ring_does_not_show_its_keys() -> None:
    """Not in a log, nor derived."""
    ring = KeyRing("current-key", ("former-key",))

    assert "key" not in repr(ring).replace("KeyRing", "")
    assert len({*ring.derived("cookie"), *ring.derived("download"), "current-key"}) == 5


def test_without_a_setting_one_key_is_made_and_kept(tmp_path: Path) -> None:
    """The same for every process of the data directory, and readable by its owner alone."""
    settings = load_settings(data_dir=tmp_path / "data")

    made = in_child(lambda: key_ring(settings).current)

    assert made == repr(key_ring(settings).current)
    assert [path.stat().st_mode & 0o777 for path in settings.data_dir.iterdir()] == [0o600]


def test_the_settings_name_current_and_former_keys(tmp_path: Path) -> None:
    """And nothing is written then."""
    named = {"secret_key": "now", "secret_key_fallbacks": "before, long-ago"}
    settings = load_settings(data_dir=tmp_path / "data", **named)

    assert key_ring(settings) == KeyRing("now", ("before", "long-ago"))
    assert not settings.data_dir.exists()


def test_a_new_key_is_strong() -> None:
    """384 bits, each time others."""
    assert len(new_key()) == 64
    assert new_key() != new_key()
