"""`Known`: who asks, decided for the hot path: mostly a look into memory and one digest.

A decision stands for two seconds, so that somebody deactivated, or a token revoked, in another process is
out by then; in this one it is at once. Where the database cannot be asked, a decision made before is
believed for a minute; whoever is new then has to wait (`HistoryUnavailable`).
"""

from __future__ import annotations

import datetime as dt
import threading
import time
from typing import TYPE_CHECKING

from plantid_core.access.decisions import KEPT_S, Decisions
from plantid_core.access.principal import ANONYMOUS, Principal, owner_of
from plantid_core.access.tokens import digest_of, id_in
from plantid_core.errors import AccessUnfit, HistoryUnavailable, PersonUnknown, TokenRefused
from plantid_core.store.history.values import LOCAL_OWNER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from plantid_core.access.people import People
    from plantid_core.access.principal import Role
    from plantid_core.access.roles import Roles
    from plantid_core.access.sign_ins import SignIns
    from plantid_core.access.tokens import Tokens

    # Issuer, subject, claimed role, and when the sign-in began (Unix, seconds).
    _Sighted = tuple[str, str, Role, int | None]

__all__ = ["KEPT_S", "Known"]

_MOST = 4096
# A database that is away is not asked by every newcomer: each might wait for long.
_AWAY_S = 1.0
_YEAR_9999_S = 253_370_764_800


class Known:
    """Decisions on tokens and people, kept in this process; threads may share them.

    No token's word is held, only its digest. ``clock`` gives seconds that never go back.
    """

    def __init__(
        self,
        people: People,
        tokens: Tokens,
        sign_ins: SignIns,
        roles: Roles,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._people, self._tokens, self._sign_ins = people, tokens, sign_ins
        self._roles, self._clock = roles, clock
        self._good: Decisions[str, Principal] = Decisions(_MOST, clock)
        # Apart, so that guessing does not push out whoever has a good one.
        self._refused: Decisions[str, str] = Decisions(_MOST, clock)
        self._persons: Decisions[_Sighted, Principal] = Decisions(_MOST, clock)
        self._owners: Decisions[str, bool] = Decisions(_MOST, clock)
        self._lock = threading.Lock()
        self._away: tuple[float, HistoryUnavailable] | None = None
        people.on_change.append(self.forget)
        tokens.on_change.append(self.forget)
        sign_ins.on_change.append(self.forget)

    def forget(self) -> None:
        """Decide everything anew from now on."""
        for kept in (self._good, self._refused, self._persons, self._owners):
            kept.forget()

    def token_at_hand(self, word: str) -> Principal | TokenRefused | None:
        """Return what is decided on a token's word, None where `token` must look; waits for nobody."""
        if id_in(word) is None:
            reason = "unknown"
            return TokenRefused(reason)
        return self._token_at_hand(digest_of(word))

    def token(self, word: str) -> Principal:
        """Return for whom a token's word acts; may wait for the database.

        Raises `TokenRefused`, and `HistoryUnavailable` where nothing is known of it.
        """
        found = self.token_at_hand(word) or self._look_at_token(word)
        if isinstance(found, TokenRefused):
            raise found
        return found

    def person_at_hand(
        self, issuer: str, subject: str, claims: Mapping[str, object]
    ) -> Principal | None:
        """Return what is decided on a person, None where `person` must look; waits for nobody."""
        return self._persons.at_hand(
            (issuer, subject, self._roles.claimed(claims), _iat_in(claims))
        )

    def person(self, issuer: str, subject: str, claims: Mapping[str, object]) -> Principal:
        """Return who somebody is whom the sign-in service vouches for; may wait for the database.

        `ANONYMOUS` tells that they are deactivated, that they ended this sign-in, or that there is no
        such identity. Raises `HistoryUnavailable` where nothing is known of them.
        """
        found = self.person_at_hand(issuer, subject, claims)
        return self._look_at_person(issuer, subject, claims) if found is None else found

    def sign_out(self, issuer: str, subject: str, claims: Mapping[str, object]) -> None:
        """End this sign-in, wherever a copy of its cookie may be; may raise `HistoryUnavailable`.

        One whose beginning the service does not tell cannot be told from others, and is not ended.
        """
        began = _began(_iat_in(claims))
        if began is not None:
            self._sign_ins.end(owner_of(issuer, subject), began)

    def is_in(self, owner: str) -> bool:
        """Tell whether an owner is still let in, for work that goes on for long; may wait for the database.

        Where nobody can tell, they are.
        """
        if owner == LOCAL_OWNER:
            return True
        if (decided := self._owners.at_hand(owner)) is not None:
            return decided
        begun = self._owners.begin()
        try:
            self._require_not_away()
            active = self._people.get(owner).active
        except PersonUnknown:
            active = False
        except HistoryUnavailable as error:
            self._note_away(error)
            return self._owners.believed(owner) is not False
        self._owners.keep(owner, active, begun)
        return active

    def _token_at_hand(self, digest: str) -> Principal | TokenRefused | None:
        if (good := self._good.at_hand(digest)) is not None:
            return good
        reason = self._refused.at_hand(digest)
        # A new one each time: an error that is raised again and again grows.
        return None if reason is None else TokenRefused(reason)

    def _look_at_token(self, word: str) -> Principal | TokenRefused:
        digest, begun, refusals = digest_of(word), self._good.begin(), self._refused.begin()
        try:
            self._require_not_away()
            token = self._tokens.verify(word)
        except TokenRefused as refused:
            self._refused.keep(digest, refused.reason, refusals)
            return TokenRefused(refused.reason)
        except HistoryUnavailable as error:
            self._note_away(error)
            if (good := self._good.believed(digest)) is not None:
                return good
            if (reason := self._refused.believed(digest)) is not None:
                return TokenRefused(reason)
            raise
        left = (token.expires_at - dt.datetime.now(dt.UTC)).total_seconds()
        self._good.keep(digest, token.principal, begun, left)
        return token.principal

    def _look_at_person(self, issuer: str, subject: str, claims: Mapping[str, object]) -> Principal:
        claimed = self._roles.claimed(claims)
        iat = _iat_in(claims)
        key, begun = (issuer, subject, claimed, iat), self._persons.begin()
        at = _began(iat)
        try:
            self._require_not_away()
            if at is not None and self._sign_ins.is_over(owner_of(issuer, subject), at):
                found = ANONYMOUS
            else:
                found = self._people.seen(
                    issuer, subject, name=_name_in(claims), role=claimed, claimed_at=at
                ).principal
        except AccessUnfit:
            return ANONYMOUS
        except HistoryUnavailable as error:
            self._note_away(error)
            if (believed := self._persons.believed(key)) is not None:
                return believed
            raise
        self._persons.keep(key, found, begun)
        return found

    def _require_not_away(self) -> None:
        with self._lock:
            away = self._away
        if away is not None and self._clock() < away[0]:
            raise HistoryUnavailable(away[1].reason, str(away[1]))

    def _note_away(self, error: HistoryUnavailable) -> None:
        with self._lock:
            if self._away is None or self._clock() >= self._away[0]:
                self._away = (self._clock() + _AWAY_S, error)


def _iat_in(claims: Mapping[str, object]) -> int | None:
    """Return when the sign-in began, in Unix seconds; None where the service does not tell.

    OpenID Connect Core 1.0, section 2: ``iat`` is required of every ID token.
    """
    found = claims.get("iat")
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    return int(found) if 0 <= found < _YEAR_9999_S else None


def _began(iat: int | None) -> dt.datetime | None:
    return None if iat is None else dt.datetime.fromtimestamp(iat, dt.UTC)


def _name_in(claims: Mapping[str, object]) -> str:
    """Return what somebody is called; never their e-mail address, which is not asked for."""
    for claim in ("name", "preferred_username"):
        if isinstance(found := claims.get(claim), str) and found:
            return found
    return ""
