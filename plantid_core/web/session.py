"""Who looks at this page, and the desk that is theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from plantid_core.desk import Desk
from plantid_core.web import caller
from plantid_core.web.application import workbench
from plantid_core.web.claims import identity_in

if TYPE_CHECKING:
    from plantid_core.access.principal import Principal

_WHOSE = "whose"


def principal() -> Principal:
    """Return who looks at this page, as it is now: who was deactivated since is nobody.

    Raises `HistoryUnavailable` where it cannot be told who somebody is.
    """
    bench = workbench()
    claims: dict[str, object] = dict(st.user.to_dict())
    identity = identity_in(claims, bench.settings)
    if identity is None:
        return caller.unknown(bench.settings)
    return bench.access.known.person(*identity, claims)


def desk() -> Desk:
    """Return the workbench as far as they may use it, asked anew whenever something is done with it."""
    found = principal()

    def asked() -> Principal:
        # A thread beside the page cannot tell, and acts for whoever began it.
        return found if get_script_run_ctx(suppress_warning=True) is None else principal()

    return Desk(workbench(), found, st.context.ip_address or "local", asked=asked)


def forget_others(now: Principal) -> None:
    """Forget all that this session holds, if it was somebody else's, or they might do more then."""
    before = st.session_state.get(_WHOSE)
    if before is not None and before != now:
        for key in list(st.session_state):
            del st.session_state[key]
    st.session_state[_WHOSE] = now
