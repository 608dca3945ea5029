"""Permissions compose as predicates do, and a combination's name says exactly what it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from plantid_core.access import permissions
from plantid_core.access.permissions import Access, Permission
from plantid_core.access.principal import ANONYMOUS, LOCAL, Principal

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

NAMED = {one.name: one for one in vars(permissions).values() if isinstance(one, Permission)}
ANN = Principal("person", "user", "ann")
ROOT = Principal("person", "admin", "root")
TOKEN = Principal("token", "user", "ann", frozenset({"identify"}))

accesses: SearchStrategy[Access] = st.builds(
    Access,
    st.sampled_from([ANONYMOUS, LOCAL, ANN, ROOT, TOKEN]),
    st.sampled_from(["development", "production"]),
    st.booleans(),
    st.sampled_from([None, "ann", "ben", "local"]),
)
composed: SearchStrategy[Permission] = st.recursive(
    st.sampled_from(sorted(NAMED.values(), key=lambda one: one.name)),
    lambda inner: st.one_of(
        st.builds(Permission.__and__, inner, inner),
        st.builds(Permission.__or__, inner, inner),
        st.builds(Permission.__invert__, inner),
    ),
    max_leaves=6,
)


@given(composed, composed, accesses)
def test_they_obey_de_morgan(one: Permission, other: Permission, access: Access) -> None:
    """``~(a & b)`` is ``~a | ~b``, and the other way round; twice refused is allowed."""
    assert (~(one & other)).allows(access) == (~one | ~other).allows(access)
    assert (~(one | other)).allows(access) == (~one & ~other).allows(access)
    assert (~~one).allows(access) == one.allows(access)


@given(composed, accesses)
def test_a_name_read_back_is_the_same_permission(one: Permission, access: Access) -> None:
    """As Python reads it, so that no bracket is missing."""
    read: Permission = eval(one.name, dict(NAMED))  # noqa: S307 - made of our own names

    assert read.allows(access) == one.allows(access)


@given(accesses)
def test_only_an_owner_owns(access: Access) -> None:
    """Nobody's thing is owned by nobody, also not by one who owns nothing."""
    owns = permissions.IsOwner.allows(access)

    assert owns == (access.owner is not None and access.owner == access.principal.owner)
    assert not (owns and access.principal == ANONYMOUS)
    assert permissions.IsOwnerOrReadOnly.allows(access) == (owns or access.reads)


@given(accesses)
def test_who_is_an_admin_is_known(access: Access) -> None:
    """No admin is anonymous, and everybody may do what anybody may."""
    if permissions.IsAdmin.allows(access):
        assert permissions.IsAuthenticated.allows(access)
    assert permissions.AllowAny.allows(access)
    assert not permissions.DenyAll.allows(access)
