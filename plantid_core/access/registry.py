"""`Registry`: the people, the tokens, what is decided on them, and the keys, of one app."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from plantid_core.access.known import Known
from plantid_core.access.people import People
from plantid_core.access.roles import roles_of
from plantid_core.access.sign_ins import SignIns
from plantid_core.access.signing import KeyRing, key_ring
from plantid_core.access.tokens import Tokens

if TYPE_CHECKING:
    from typing import Self

    from plantid_core.settings import Settings
    from plantid_core.store.history.engine import Database


class Registry:
    """All that tells who somebody is; the database is opened on first use, and closed by its owner."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self.database = database
        roles = roles_of(settings)
        self.people = People(database, roles)
        self.tokens = Tokens(database, roles)
        self.sign_ins = SignIns(database)
        self.known = Known(self.people, self.tokens, self.sign_ins, roles)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Write what is not written yet."""
        self.tokens.close()

    @cached_property
    def keys(self) -> KeyRing:
        """Return the keys that sign; in development the first use may make one."""
        return key_ring(self._settings)
