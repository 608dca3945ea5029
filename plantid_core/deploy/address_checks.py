"""Names, HTTPS and proxies: whether the app answers to its own name only, and by HTTPS."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from plantid_core.deploy.finding import Checklist
from plantid_core.deploy.hosts import host_of, is_everywhere, is_local
from plantid_core.settings import words

if TYPE_CHECKING:
    from plantid_core.deploy.facts import Facts

CHECKS = Checklist()

_HOUR_S, _YEAR_S = 3600, 31_536_000


@CHECKS.error("environment.development", "Set PLANTID_ENVIRONMENT=production.")
def _development(facts: Facts) -> str | None:
    if facts.settings.production:
        return None
    return (
        "PLANTID_ENVIRONMENT is development: strangers may ask, and HTTP is not sent on to HTTPS."
    )


@CHECKS.error("hosts.missing", "Set PLANTID_ALLOWED_HOSTS to the app's names.")
def _no_hosts(facts: Facts) -> str | None:
    return None if words(facts.settings.allowed_hosts) else "PLANTID_ALLOWED_HOSTS is not set."


@CHECKS.error("hosts.any", "Name the hosts; .example.org stands for all beneath it.")
def _any_host(facts: Facts) -> str | None:
    wide = [one for one in words(facts.settings.allowed_hosts) if one in {"*", ".", "*."}]
    return f"PLANTID_ALLOWED_HOSTS holds {wide[0]!r}." if wide else None


@CHECKS.warning("hosts.suffix", "Name a domain of your own, like .plants.example.org.")
def _suffix(facts: Facts) -> str | None:
    wide = [one for one in words(facts.settings.allowed_hosts) if one[:1] == "." and one[1:]]
    wide = [one for one in wide if "." not in one[1:] and one != ".localhost"]
    return f"PLANTID_ALLOWED_HOSTS holds a whole top-level domain: {wide[0]}." if wide else None


@CHECKS.warning("hosts.local", "Add the name that people type.")
def _only_local(facts: Facts) -> str | None:
    named, url = words(facts.settings.allowed_hosts), facts.settings.public_url
    # Where the app's own address is this machine's, that is how it is meant.
    meant = url is not None and is_local(host_of(url))
    if named and not meant and all(is_local(one.lstrip(".")) for one in named):
        return "PLANTID_ALLOWED_HOSTS names nothing but this machine."
    return None


@CHECKS.warning("url.missing", "Set PLANTID_PUBLIC_URL to the address in the browser.")
def _no_url(facts: Facts) -> str | None:
    if facts.settings.public_url is not None:
        return None
    return "PLANTID_PUBLIC_URL is not set, and is guessed for sign-ins and links."


@CHECKS.error("url.plain", "Give PLANTID_PUBLIC_URL an https:// address.")
def _plain_url(facts: Facts) -> str | None:
    url = facts.settings.public_url
    plain = url is not None and urlsplit(url).scheme == "http"
    return "PLANTID_PUBLIC_URL is an http:// address." if plain else None


@CHECKS.error("url.foreign", "Add its host to PLANTID_ALLOWED_HOSTS, or put the address right.")
def _foreign_url(facts: Facts) -> str | None:
    url, named = facts.settings.public_url, words(facts.settings.allowed_hosts.lower())
    if url is None or not named or "*" in named or _is_named(host_of(url), named):
        return None
    return (
        "The host of PLANTID_PUBLIC_URL is not in PLANTID_ALLOWED_HOSTS: it would be answered 400."
    )


@CHECKS.error("https.redirect", "Leave PLANTID_HTTPS_REDIRECT unset in production, or set it to 1.")
def _no_redirect(facts: Facts) -> str | None:
    return None if facts.settings.redirects_to_https else "Plain HTTP is not sent on to HTTPS."


@CHECKS.error("https.proxies", "Name the proxy's address in PLANTID_TRUSTED_PROXIES.")
def _no_proxies(facts: Facts) -> str | None:
    if words(facts.settings.trusted_proxies) or not facts.settings.redirects_to_https:
        return None
    return (
        "PLANTID_TRUSTED_PROXIES is not set. The app speaks plain HTTP itself, so that everybody would"
        " be sent on for ever, and all would be counted as one address."
    )


@CHECKS.error("proxies.any", "Name the proxy's own address or its network.")
def _any_proxy(facts: Facts) -> str | None:
    wide = _wide(facts.settings.trusted_proxies)
    if not wide:
        return None
    return f"PLANTID_TRUSTED_PROXIES holds {wide[0]}: anybody may then claim any address."


@CHECKS.warning("listen.everywhere", "Listen on 127.0.0.1 or a private address, behind a proxy.")
def _listens_everywhere(facts: Facts) -> str | None:
    if not is_everywhere(facts.settings.host) or words(facts.settings.trusted_proxies):
        return None
    return f"PLANTID_HOST={facts.settings.host} listens on every network, with no proxy before it."


@CHECKS.warning("hsts.off", "Begin with PLANTID_HSTS_SECONDS=3600.")
def _no_hsts(facts: Facts) -> str | None:
    return "HSTS is off (PLANTID_HSTS_SECONDS=0)." if facts.settings.hsts_seconds == 0 else None


@CHECKS.warning("hsts.short", "Go on in stages: 3600, 86400, 2592000, 63072000.")
def _short_hsts(facts: Facts) -> str | None:
    seconds = facts.settings.hsts_seconds
    return f"HSTS is remembered for {seconds} s only." if 0 < seconds < _HOUR_S else None


@CHECKS.warning(
    "hsts.subdomains", "Set PLANTID_HSTS_SUBDOMAINS=1 where every name beneath has HTTPS."
)
def _no_subdomains(facts: Facts) -> str | None:
    settings = facts.settings
    # In the stages before, they are left out on purpose.
    if settings.hsts_seconds < _YEAR_S or settings.hsts_subdomains:
        return None
    return "HSTS has reached its last stage, and still leaves out the names beneath."


@CHECKS.error(
    "hsts.preload",
    "The browsers' lists ask for PLANTID_HSTS_SUBDOMAINS=1 and at least 31536000 seconds"
    " (hstspreload.org).",
)
def _preload(facts: Facts) -> str | None:
    settings = facts.settings
    if not settings.hsts_preload:
        return None
    if settings.hsts_subdomains and settings.hsts_seconds >= _YEAR_S:
        return None
    return "HSTS asks for the browsers' lists, and would not be taken into them."


@CHECKS.error("cookies.insecure", "Set PLANTID_ENVIRONMENT=production: cookies are Secure there.")
def _insecure_cookies(facts: Facts) -> str | None:
    settings = facts.settings
    if settings.production or urlsplit(settings.address).scheme == "https":
        return None
    return "Cookies are sent by plain HTTP too."


def _wide(networks: str) -> list[str]:
    return [one for one in words(networks) if ip_network(one, strict=False).prefixlen == 0]


def _is_named(host: str, named: tuple[str, ...]) -> bool:
    return any(host == one or (one.startswith(".") and f".{host}".endswith(one)) for one in named)
