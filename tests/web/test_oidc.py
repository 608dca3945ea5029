"""Sign-in is set up from our settings, and what Streamlit makes of them is what we count on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import signing_in

from plantid_core.settings import load_settings
from plantid_core.web import oidc
from plantid_core.web.claims import Claimed

if TYPE_CHECKING:
    from pathlib import Path


def test_an_app_where_nobody_signs_in_tells_streamlit_nothing(tmp_path: Path) -> None:
    """No issuer, no secrets."""
    assert oidc.secrets(load_settings(data_dir=tmp_path)) is None


def test_the_issuer_is_named_by_our_settings(tmp_path: Path) -> None:
    """With our own address to come back to, and our key."""
    settings = signing_in.signing_in(tmp_path, public_url="https://plants.example.org/")

    made = oidc.secrets(settings)

    assert made == {
        "auth": {
            "redirect_uri": "https://plants.example.org/oauth2callback",
            "cookie_secret": signing_in.key_of(settings),
            "client_id": "plants",
            "client_secret": "hush-hush",
            "server_metadata_url": f"{signing_in.ISSUER}/.well-known/openid-configuration",
            "client_kwargs": {"scope": "openid profile"},
        }
    }


def test_no_secret_is_written_to_disk(tmp_path: Path) -> None:
    """The data directory holds the key that signs, if none was given, and nothing of the issuer's."""
    oidc.secrets(signing_in.signing_in(tmp_path))

    assert [path.name for path in tmp_path.iterdir()] == ["secret-key"]
    assert b"hush" not in (tmp_path / "secret-key").read_bytes()


def test_a_change_of_issuer_signs_everybody_out(tmp_path: Path) -> None:
    """A subject of the former issuer may be somebody else at the new one."""
    before = signing_in.signing_in(tmp_path)
    after = signing_in.signing_in(tmp_path, oidc_issuer="http://other.example")
    jar = signing_in.cookies(before, sub="ada")

    assert Claimed(before).of(jar) is not None
    assert Claimed(after).of(jar) is None
