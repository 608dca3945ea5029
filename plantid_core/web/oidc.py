"""Sign-in by OpenID Connect, as Streamlit does it, set up from our settings and nowhere on a disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamlit import config

from plantid_core.access.signing import key_ring
from plantid_core.web.claims import PURPOSE

if TYPE_CHECKING:
    from streamlit.runtime.secrets import SecretsValue

    from plantid_core.settings import Settings

# Where the issuer sends people back to; it must be registered there.
RETURN_PATH = "/oauth2callback"
# OpenID Connect Discovery 1.0, section 4.
_METADATA = "/.well-known/openid-configuration"


def secrets(settings: Settings) -> dict[str, SecretsValue] | None:
    """Return what ``st.login`` needs, for `streamlit.starlette.App`; None where nobody can sign in."""
    if settings.oidc_issuer is None or settings.oidc_client_secret is None:
        return None
    return {
        "auth": {
            "redirect_uri": settings.address + RETURN_PATH,
            "cookie_secret": _key(settings),
            "client_id": settings.oidc_client_id,
            "client_secret": settings.oidc_client_secret.get_secret_value(),
            "server_metadata_url": settings.oidc_issuer + _METADATA,
            "client_kwargs": {"scope": settings.oidc_scope},
        }
    }


def sign_with_our_key(settings: Settings) -> None:
    """Have Streamlit sign with a key of ours; it would make one up at each start.

    To be called when the app is made, before it is served: what carries a sign-in to the issuer and
    back is signed with this key, and not with the one that ``secrets`` names.
    """
    config.set_option("server.cookieSecret", _key(settings), "PLANTID_SECRET_KEY")


def _key(settings: Settings) -> str:
    return key_ring(settings).derived(PURPOSE)[0]
