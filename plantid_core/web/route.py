"""Routes that name what they need: nothing of a request is read before it has been asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.routing import Route

from plantid_core.access import rules
from plantid_core.access.permissions import Access, Permission
from plantid_core.errors import PermissionDenied, SignInRequired
from plantid_core.web import caller
from plantid_core.web.problems import answer_to
from plantid_core.web.unread import ending

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import Receive, Scope, Send

    from plantid_core.access.permissions import Environment
    from plantid_core.access.principal import Principal
    from plantid_core.access.rules import Action

_READING = frozenset({"GET", "HEAD", "OPTIONS"})


class Guarded(Route):
    """A route with what it ``needs``: an action of `access.rules`, or a bare permission.

    Whoever may not do it is answered 401 or 403 here. Things are taken as the caller's own; whose a
    certain thing really is, the desk checks again.
    """

    def __init__(
        self,
        path: str,
        endpoint: Callable[[Request], Awaitable[Response]],
        needs: Action | Permission,
        *,
        environment: Callable[[], Environment],
        methods: Sequence[str] = ("GET",),
        about: str = "",
    ) -> None:
        super().__init__(path, endpoint, methods=list(methods))
        self.needs, self.about = needs, about
        self._environment = environment

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request that fits the path, if its sender may."""
        receive, send = ending(scope, receive, send)
        if scope["method"] in (self.methods or ()):
            try:
                check(self.needs, caller.principal_of(scope), self._environment(), scope["method"])
            except (SignInRequired, PermissionDenied) as error:
                await answer_to(error)(scope, receive, send)
                return
        await super().handle(scope, receive, send)


def check(
    needs: Action | Permission, principal: Principal, environment: Environment, method: str
) -> None:
    """Raise `SignInRequired` or `PermissionDenied` unless they may, with a thing of their own."""
    if not isinstance(needs, Permission):
        rules.require(principal, needs, environment, principal.owner)
        return
    access = Access(principal, environment, method in _READING, principal.owner)
    if needs.allows(access):
        return
    if principal.kind == "anonymous":
        raise SignInRequired(needs.name)
    raise PermissionDenied(needs.name)
