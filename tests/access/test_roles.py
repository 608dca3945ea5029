"""Roles: by a claim, as several sign-in services make it, or by the list of admins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from plantid_core.access.principal import owner_of
from plantid_core.access.roles import role_of, roles_of
from plantid_core.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plantid_core.settings import Settings


@pytest.mark.parametrize(
    ("name", "claims", "role"),
    [
        ("roles", {"roles": ["staff", "admin"]}, "admin"),
        ("roles", {"roles": "admin"}, "admin"),
        ("roles", {"roles": ["staff"]}, "user"),
        ("roles", {"roles": "administrator"}, "user"),
        ("roles", {"roles": None, "email": "admin"}, "user"),
        ("roles", {"roles": {"admin": True}}, "user"),
        ("roles", {}, "user"),
        ("realm_access.roles", {"realm_access": {"roles": ["admin"]}}, "admin"),
        ("realm_access.roles", {"realm_access": "roles"}, "user"),
        ("https://a.example/roles", {"https://a.example/roles": ["admin"]}, "admin"),
        ("", {"": "admin", "roles": "admin"}, "admin"),
    ],
)
def test_the_claim_decides(name: str, claims: Mapping[str, object], role: str) -> None:
    """A text or a list, at its name or at a path."""
    assert role_of(load_settings(oidc_role_claim=name), "ann", claims) == role


def test_without_a_name_for_admins_no_claim_makes_one() -> None:
    """Also not an empty one."""
    assert role_of(load_settings(oidc_admin_role=""), "ann", {"roles": ""}) == "user"


def test_the_list_of_admins_is_of_our_issuer(signing_in: Settings) -> None:
    """The same subject of another issuer is another person."""
    roles = roles_of(signing_in)

    assert role_of(signing_in, "root", {}) == "admin"
    assert roles.granted("https://issuer.example/", "root", "user") == "admin"
    assert roles.granted("https://other.example", "root", "user") == "user"
    assert roles.granted("", "root", "user") == "user"


def test_a_person_is_an_issuer_and_a_subject() -> None:
    """A slash at the end of the issuer's address makes no other person, all else does."""
    ann = owner_of("https://issuer.example", "ann")

    assert ann == owner_of("https://issuer.example/", "ann")
    assert len({ann, owner_of("https://issuer.example/a", "nn"), owner_of("", "ann")}) == 3
