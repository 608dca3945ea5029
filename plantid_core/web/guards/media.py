"""Pictures and files of a page go to the browser it was made for, and uploads come from it alone.

Streamlit gives both to whoever has the address. Here it takes the mark of that browser as well
(`guards.visitor`); to anybody else a file is one that does not exist.
"""

from __future__ import annotations

import os.path
from collections import OrderedDict
from typing import TYPE_CHECKING

from streamlit.runtime import Runtime

from plantid_core.access.signing import key_ring
from plantid_core.web.guards import jar
from plantid_core.web.guards.asgi import refuse
from plantid_core.web.guards.visitor import marking, visitor_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send
    from streamlit.runtime.session_manager import SessionClient

    from plantid_core.settings import Settings

_MEDIA = "/media/"
_UPLOADS = "/_stcore/upload_file/"
_NO_FILE = "There is no such file, or it was made for another browser. Reload the page."
_MOST = 4096


class Media:
    """Refuses (404) what was made for, or is sent to, the page of another browser.

    A page that is drawn anew forgets its files for a moment, while the browser may still fetch one. So
    it is noted whose a file is whenever its address goes out to them.
    """

    def __init__(self, app: ASGIApp, *, settings: Settings) -> None:
        self._app = app
        self._ring = key_ring(settings)
        self._told: OrderedDict[tuple[str, str], None] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 404."""
        if scope["type"] == "websocket":
            visitor = visitor_in(self._ring, jar.cookies_of(scope))
            await self._app(
                scope, receive, send if visitor is None else self._noting(visitor, send)
            )
            return
        if scope["type"] == "http":
            if scope["method"] != "OPTIONS" and not self._may(scope):
                await refuse(scope, receive, send, 404, _NO_FILE)
                return
            send = marking(scope, send, self._ring)
        await self._app(scope, receive, send)

    def _may(self, scope: Scope) -> bool:
        path: str = scope["path"]
        if path.startswith(_MEDIA):
            visitor = visitor_in(self._ring, jar.cookies_of(scope))
            file_id = os.path.splitext(path.removeprefix(_MEDIA))[0]  # noqa: PTH122 - as Streamlit
            return visitor is not None and self._is_theirs(file_id, visitor)
        if path.startswith(_UPLOADS):
            visitor = visitor_in(self._ring, jar.cookies_of(scope))
            session_id = path.removeprefix(_UPLOADS).partition("/")[0]
            return visitor is not None and visitor == self._visitor_of(session_id)
        return True

    def _is_theirs(self, file_id: str, visitor: str) -> bool:
        if (file_id, visitor) in self._told:
            return True
        return any(
            file_id in files.values() and self._visitor_of(session_id) == visitor
            for session_id, files in _files()
        )

    def _noting(self, visitor: str, send: Send) -> Send:
        async def sending(message: Message) -> None:
            if b"/media/" in (message.get("bytes") or b""):
                self._note(visitor)
            await send(message)

        return sending

    def _note(self, visitor: str) -> None:
        """Note every file that pages of this browser show now, by what Streamlit itself knows."""
        for session_id, files in _files():
            if self._visitor_of(session_id) == visitor:
                for file_id in tuple(files.values()):
                    self._told[file_id, visitor] = None
                    self._told.move_to_end((file_id, visitor))
        while len(self._told) > _MOST:
            self._told.popitem(last=False)

    def _visitor_of(self, session_id: str) -> str | None:
        client = Runtime.instance().get_client(session_id) if Runtime.exists() else None
        return None if client is None else visitor_in(self._ring, _cookies(client))


def _cookies(client: SessionClient) -> Mapping[str, str]:
    """Return the cookies a page's connection began with."""
    context = client.client_context
    return {} if context is None else context.cookies


def _files() -> Iterator[tuple[str, dict[str, str]]]:
    """Give the files of every page's session: their ids by where on the page they are shown."""
    if Runtime.exists():
        kept = Runtime.instance().media_file_mgr._files_by_session_and_coord  # noqa: SLF001 - no face
        # A copy at once: the pages' threads go on writing.
        yield from tuple(kept.items())
