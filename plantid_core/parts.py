"""What settings turn into: the client of the store, the providers, their guards, the cache's policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from plantid_core.errors import PlantIDError, StoreUnavailable
from plantid_core.plants import LOCAL
from plantid_core.resilience.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import redis

    from plantid_core.access.registry import Registry
    from plantid_core.collection import Collection
    from plantid_core.compare.calibration import Calibration
    from plantid_core.compare.names.values import Reconciler
    from plantid_core.credits import Credits
    from plantid_core.crew import Crew
    from plantid_core.guards import Guards
    from plantid_core.plants import Provider
    from plantid_core.resilience.breaker import Breaker
    from plantid_core.resilience.breaker_settings import BreakerSettings
    from plantid_core.resilience.cache import Cache
    from plantid_core.resilience.link import Address
    from plantid_core.resilience.quota import Quota
    from plantid_core.sandbox.embedded import EmbeddedSandbox
    from plantid_core.settings import Settings
    from plantid_core.store.embedded import EmbeddedStore
    from plantid_core.store.history.engine import Database

_SANDBOX_KEY = "sandbox"
_USER_PER_MINUTE = 60
_FAIR_SHARE = 0.9
_LOCAL_THREADS, _SPARE_THREADS = 24, 104


class Closable(Protocol):
    """Anything that is to be let go of in the end."""

    def close(self) -> None:
        """Let go."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """The servers that the data directory holds itself; None in the place of a foreign one."""

    store: EmbeddedStore | None = None
    sandbox: EmbeddedSandbox | None = None


def embedded(owned: Sequence[Closable]) -> Embedded:
    """Return the embedded servers among these parts."""
    from plantid_core.sandbox.embedded import EmbeddedSandbox
    from plantid_core.store.embedded import EmbeddedStore

    stores = (part for part in owned if isinstance(part, EmbeddedStore))
    sandboxes = (part for part in owned if isinstance(part, EmbeddedSandbox))
    return Embedded(next(stores, None), next(sandboxes, None))


def policy(settings: Settings) -> Policy:
    """Return how long identifications are kept."""
    return Policy(
        soft_ttl_s=settings.soft_ttl_s,
        hard_ttl_s=settings.hard_ttl_s,
        negative_ttl_s=settings.negative_ttl_s,
        error_ttl_s=settings.error_ttl_s,
        jitter=settings.ttl_jitter,
        beta=settings.early_beta,
        lease_s=settings.lease_s,
        near_size=settings.near_size,
        # A person who waits for a name gets a fresh one, or a stale one that says so.
        stale_while_refreshing=False,
    )


def store(settings: Settings, owned: list[Closable]) -> redis.Redis | None:
    """Return a client of the store, found or started; None where there is none to be had."""
    from plantid_core.store.connection import connect
    from plantid_core.store.embedded import open_embedded

    if settings.redis_url is not None:
        url = settings.redis_url.get_secret_value()
    else:
        try:
            store = open_embedded(settings.data_dir)
        except StoreUnavailable:
            return None
        owned.append(store)
        url = store.url
    client = connect(
        url,
        connect_timeout_s=settings.redis_connect_timeout_s,
        socket_timeout_s=settings.redis_socket_timeout_s,
        max_connections=settings.redis_max_connections,
        health_check_interval_s=settings.redis_health_check_interval_s,
    )
    owned.append(client)
    return client


def make_providers(settings: Settings, owned: list[Closable]) -> list[Provider]:
    """Return every provider; one without a key is answered by the sandbox."""
    from plantid_core.providers.herbarium.provider import HerbariumProvider
    from plantid_core.providers.http import Timeouts
    from plantid_core.providers.offline import OfflineProvider
    from plantid_core.providers.plant_id import PlantId
    from plantid_core.providers.plantnet import PlantNet

    timeouts = Timeouts(settings.connect_timeout_s, settings.read_timeout_s)
    plant_id_key, plantnet_key = settings.plant_id_api_key, settings.plantnet_api_key
    sandbox = ""
    if plant_id_key is None or plantnet_key is None:
        sandbox = _sandbox_url(settings, owned)
    plant_id = (
        PlantId(sandbox, _SANDBOX_KEY, sandbox=True, timeouts=timeouts)
        if plant_id_key is None
        else PlantId(settings.plant_id_url, plant_id_key.get_secret_value(), timeouts=timeouts)
    )
    plantnet = (
        PlantNet(sandbox, _SANDBOX_KEY, sandbox=True, timeouts=timeouts)
        if plantnet_key is None
        else PlantNet(settings.plantnet_url, plantnet_key.get_secret_value(), timeouts=timeouts)
    )
    owned += [plant_id, plantnet]
    here = (OfflineProvider(settings.data_dir), HerbariumProvider(settings.data_dir))
    return [plant_id, plantnet, *here]


def offered(providers: Mapping[str, Provider]) -> dict[str, Provider]:
    """Return those that can be asked now: the local herbarium comes and goes with its file."""
    return {
        name: provider
        for name, provider in providers.items()
        # Not `isinstance(provider, Occasional)`: that would ask twice, and cost more than the answer.
        if getattr(provider, "offered", True)
    }


def require_known(names: Iterable[str], known: Sequence[str]) -> None:
    """Raise `PlantIDError` for the first name that is none of the known providers'."""
    for name in names:
        if name not in known:
            told = f"There is no provider called {name!r}. Known: {', '.join(known)}."
            if name == "herbarium":
                told += " It is there once it is built: plantid herbarium build DIR."
            raise PlantIDError(told)


def make_quota(settings: Settings, providers: Sequence[Provider], address: Address | None) -> Quota:
    """Return the bounds of every service; the sandbox costs nothing, so it has none by itself."""
    from plantid_core.resilience.quota import Limits, Quota

    per_day = {
        "plant_id": settings.quota_plant_id_per_day,
        "plantnet": settings.quota_plantnet_per_day,
    }

    def per_minute(provider: Provider) -> int | None:
        return settings.quota_user_per_minute or (None if provider.sandbox else _USER_PER_MINUTE)

    limits = {
        provider.name: Limits(
            per_day.get(provider.name), per_minute(provider), provider.cache_scope
        )
        for provider in providers
    }
    return Quota(address, limits)


def make_breakers(
    settings: Settings,
    providers: Sequence[Provider],
    client: redis.Redis | None,
    owned: list[Closable],
) -> dict[str, Breaker]:
    """Return the breaker of every service, shared by all processes on one Redis."""
    from plantid_core.guards import in_fair_time
    from plantid_core.resilience.breaker import Breaker
    from plantid_core.webhook import Webhook

    more: BreakerSettings = {
        "failure_rate": settings.breaker_failure_rate,
        "slow_rate": settings.breaker_slow_rate,
        "slow_call_s": settings.breaker_slow_call_s,
        "window_s": settings.breaker_window_s,
        "minimum_calls": settings.breaker_minimum_calls,
        "longest_open_s": settings.breaker_open_max_s,
        "classify": in_fair_time(min(settings.breaker_slow_call_s, _fair_s(settings))),
    }
    if settings.alert_webhook is not None:
        webhook = Webhook(settings.alert_webhook.get_secret_value())
        owned.append(webhook)
        more["alert"] = webhook

    def breaker(provider: Provider) -> Breaker:
        # The sandbox's trouble is not the service's, nor one endpoint's another's.
        more["scope"] = provider.cache_scope
        return Breaker(
            provider.name,
            client=client,
            fail_max=settings.breaker_fail_max,
            reset_timeout=settings.breaker_reset_s,
            **more,
        )

    services = (provider for provider in providers if provider.name not in LOCAL)
    return {provider.name: breaker(provider) for provider in services}


def _fair_s(settings: Settings) -> float:
    # Before the call come the photo's decode and the cache; else no hang would ever be the service's.
    return _FAIR_SHARE * settings.request_deadline_s


def make_crews(settings: Settings, providers: Sequence[Provider]) -> dict[str, Crew]:
    """Return every provider's threads; they start when they are needed.

    A service has many more than its bulkhead lets in, so that those whom it turns away, or whom Redis
    answers, find one. This machine's own work waits: there is no lower rung to send it to.
    """
    from plantid_core.crew import Crew

    bounded = settings.bulkhead_size + settings.bulkhead_queue
    return {
        provider.name: Crew(provider.name, _LOCAL_THREADS, queued=True)
        if provider.name in LOCAL
        else Crew(provider.name, bounded + _SPARE_THREADS)
        for provider in providers
    }


def make_guards(
    settings: Settings,
    providers: Sequence[Provider],
    breakers: Mapping[str, Breaker],
    quota: Quota,
    spending: Credits,
) -> dict[str, Guards]:
    """Return what the calls of each service that has a breaker pass."""
    import numpy as np

    from plantid_core.allowance import Allowance
    from plantid_core.guards import Guards
    from plantid_core.resilience.bulkhead import Bulkhead
    from plantid_core.resilience.retry import Retrier, RetryBudget

    return {
        provider.name: Guards(
            provider.name,
            breakers[provider.name],
            quota,
            Bulkhead(provider.name, settings.bulkhead_size, settings.bulkhead_queue),
            Retrier(
                RetryBudget(settings.retry_budget),
                attempts=settings.retry_attempts,
                rng=np.random.default_rng(),
            ),
            spending,
            Allowance(provider, quota),
        )
        for provider in providers
        if provider.name in breakers
    }


def make_database(settings: Settings) -> Database:
    """Return the database of observations, people and tokens; it is opened on first use."""
    from plantid_core.store.history.history import open_database

    return open_database(settings)


def make_registry(settings: Settings, database: Database) -> Registry:
    """Return who people are, with their tokens, and the keys that sign."""
    from plantid_core.access.registry import Registry

    return Registry(settings, database)


def make_collection(
    settings: Settings,
    cache: Cache,
    names: Reconciler,
    calibration: Calibration,
    database: Database | None = None,
) -> Collection:
    """Return what people keep, in the data directory and the database, or the one the settings name.

    A user's own ``sensitive.csv`` in the data directory adds to the plants whose place is not told.
    """
    from plantid_core.collection import Collection, Stores
    from plantid_core.export import sensitive
    from plantid_core.store.history.history import History
    from plantid_core.store.photos import PhotoStore

    own = settings.data_dir / "sensitive.csv"

    def rules() -> tuple[sensitive.Rule, ...]:
        return (*sensitive.shipped(), *(sensitive.read(own) if own.exists() else ()))

    stores = Stores(
        History(database or make_database(settings)),
        PhotoStore(settings.data_dir / "photos"),
        cache,
        settings.data_dir / "collection",
    )
    return Collection(
        stores, names, rules, keep_days=settings.history_keep_days, calibration=calibration
    )


def _sandbox_url(settings: Settings, owned: list[Closable]) -> str:
    if settings.sandbox_url is not None:
        return settings.sandbox_url
    from plantid_core.sandbox.embedded import open_sandbox

    sandbox = open_sandbox(settings.data_dir)
    owned.append(sandbox)
    return sandbox.url
