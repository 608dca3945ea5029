"""What leaves this machine, and to whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

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
