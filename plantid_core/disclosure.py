"""What leaves this machine, and to whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from plantid_core.errors import HerbariumUnusable
from plantid_core.providers.herbarium.provider import HerbariumProvider

if TYPE_CHECKING:
    from plantid_core.plants import Provider
    from plantid_core.settings import Settings


@dataclass(frozen=True, slots=True)
class ProviderInfo:
    """What a person should know of a provider; ``sends`` says what leaves the machine, to whom."""

    name: str
    title: str
    sandbox: bool
    host: str
    sends: str


def describe(provider: Provider, settings: Settings) -> ProviderInfo:
    """Return what a person should know of a provider."""
    if provider.name == "offline":
        sends = "The offline model runs on this machine; nothing is sent."
        return ProviderInfo("offline", "Offline model", sandbox=False, host="", sends=sends)
    if isinstance(provider, HerbariumProvider):
        sends = _herbarium(provider)
        return ProviderInfo("herbarium", "Local herbarium", sandbox=False, host="", sends=sends)
    real = settings.plant_id_url if provider.name == "plant_id" else settings.plantnet_url
    title = "Plant.id" if provider.name == "plant_id" else "Pl@ntNet"
    if provider.sandbox:
        sends = f"{title} is answered by a sandbox on this machine; nothing is sent."
        return ProviderInfo(provider.name, title, sandbox=True, host="127.0.0.1", sends=sends)
    host = urlsplit(real).hostname or real
    more = (
        "place, date and language"
        if provider.name == "plant_id"
        else "organs, language and the place to about 1 km"
    )
    sends = f"{title} ({host}) receives the cleaned photos, {more}; never the file itself."
    return ProviderInfo(provider.name, title, sandbox=False, host=host, sends=sends)


def _herbarium(provider: HerbariumProvider) -> str:
    runs = "The local herbarium runs on this machine; nothing is sent."
    try:
        found = provider.herbarium()
    except HerbariumUnusable as error:
        return f"{runs} {error}"
    photos = "1 photo" if found.photos == 1 else f"{found.photos:,} photos"
    return f"{runs} Built from {photos} of {len(found.entries):,} species on {found.made:%Y-%m-%d}."
