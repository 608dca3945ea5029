"""One server a directory, shared by every process that uses it, gone with its last user.

Each user holds one connection to a small watchdog process, which starts the server, restarts it
when it dies, and ends it when the last connection closes. The kernel closes a connection however
its process dies, so no user can leave a server behind. The server dies with its watchdog
(PR_SET_PDEATHSIG, Linux), and a user whose watchdog died starts the next one.
"""

from __future__ import annotations

from plantid_core.supervise.attachment import Attachment, ServerSpec, attach

__all__ = ["Attachment", "ServerSpec", "attach"]
