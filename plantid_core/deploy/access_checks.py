"""People, tokens and services: who gets in, how often, and whose the answers are."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

from plantid_core.deploy.finding import Checklist
from plantid_core.deploy.hosts import is_plain_abroad
from plantid_core.settings import words

if TYPE_CHECKING:
    from plantid_core.deploy.facts import Facts

CHECKS = Checklist()

_MOST_EXEMPT = 65_536
_MOST_A_MINUTE = 600
_ABOVE = "Set it to a rate like {rate}."


@CHECKS.error("people.local", "Set PLANTID_OIDC_ISSUER and PLANTID_ENVIRONMENT=production.")
def _all_admins(facts: Facts) -> str | None:
    if facts.settings.production or facts.settings.signs_in:
        return None
    return "Nobody signs in: whoever reaches the app is its one person, and its admin."


@CHECKS.error("demo.open", "Set PLANTID_ENVIRONMENT=production: it locks them.")
def _demo(facts: Facts) -> str | None:
    if facts.settings.production:
        return None
    return "The failure demo's switches are live: whoever has signed in can stop the running app's parts."


@CHECKS.warning("oidc.missing", "Set PLANTID_OIDC_ISSUER, or live with tokens alone.")
def _no_sign_in(facts: Facts) -> str | None:
    return (
        None if facts.settings.signs_in else "PLANTID_OIDC_ISSUER is not set: nobody can sign in."
    )


@CHECKS.error("oidc.plain", "Use the sign-in service's https:// address.")
def _plain_issuer(facts: Facts) -> str | None:
    issuer = facts.settings.oidc_issuer
    if issuer is None or not is_plain_abroad(issuer):
        return None
    return "PLANTID_OIDC_ISSUER is asked by plain HTTP: who somebody is could be forged on the way."


@CHECKS.warning(
    "admins.missing", "List subjects in PLANTID_ADMINS, or set PLANTID_OIDC_ROLE_CLAIM."
)
def _no_admins(facts: Facts) -> str | None:
    settings = facts.settings
    if words(settings.admins) or (settings.oidc_role_claim and settings.oidc_admin_role):
        return None
    return "Nobody can be an admin: no subject is listed, and no claim is looked at."


@CHECKS.warning("throttle.anonymous", _ABOVE.format(rate="60/minute"))
def _anonymous(facts: Facts) -> str | None:
    return None if facts.settings.throttle_anonymous else "PLANTID_THROTTLE_ANONYMOUS is off."


@CHECKS.warning("throttle.user", _ABOVE.format(rate="240/minute"))
def _user(facts: Facts) -> str | None:
    return None if facts.settings.throttle_user else "PLANTID_THROTTLE_USER is off."


@CHECKS.warning("throttle.token", _ABOVE.format(rate="600/minute"))
def _token(facts: Facts) -> str | None:
    return None if facts.settings.throttle_token else "PLANTID_THROTTLE_TOKEN is off."


@CHECKS.error("throttle.exempt", "Name single addresses, or leave PLANTID_THROTTLE_EXEMPT empty.")
def _exempt(facts: Facts) -> str | None:
    networks = (ip_network(one, strict=False) for one in words(facts.settings.throttle_exempt))
    wide = [
        str(one) for one in networks if one.num_addresses > _MOST_EXEMPT and not one.is_loopback
    ]
    return f"PLANTID_THROTTLE_EXEMPT frees {wide[0]} of any limit." if wide else None


@CHECKS.error("sandbox.allowed", "Set both services' keys, and remove PLANTID_ALLOW_SANDBOX.")
def _sandbox_allowed(facts: Facts) -> str | None:
    return "PLANTID_ALLOW_SANDBOX is set." if facts.settings.allow_sandbox else None


@CHECKS.error("sandbox.answers", "Name the files with the keys in PLANTID_…_API_KEY_FILE.")
def _sandbox_answers(facts: Facts) -> str | None:
    keys = {
        "Plant.id": facts.settings.plant_id_api_key,
        "Pl@ntNet": facts.settings.plantnet_api_key,
    }
    without = [name for name, key in keys.items() if key is None]
    if not without:
        return None
    return f"No key is set for {' and '.join(without)}: the sandbox answers, and knows no botany."


@CHECKS.error("service.plain", "Leave PLANTID_PLANT_ID_URL and PLANTID_PLANTNET_URL as they are.")
def _plain_service(facts: Facts) -> str | None:
    urls = (facts.settings.plant_id_url, facts.settings.plantnet_url)
    if not any(is_plain_abroad(url) for url in urls):
        return None
    return "A service is asked by plain HTTP: its key goes over the network for all to read."


@CHECKS.warning("quota.user", "Set PLANTID_QUOTA_USER_PER_MINUTE to what one person can look at.")
def _spendthrift(facts: Facts) -> str | None:
    calls = facts.settings.quota_user_per_minute
    if calls is None or calls <= _MOST_A_MINUTE:
        return None
    return f"One person may spend {calls:,} credits a minute."
