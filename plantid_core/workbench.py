"""The composition root: from settings to parts. All that pages, routes and commands ever ask."""

from __future__ import annotations

import importlib.util
import math
import threading
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, cast

from plantid_core import credits as spending
from plantid_core import parts
from plantid_core.admission import Admission
from plantid_core.archive import Archive
from plantid_core.at_hand import Answered, Nearby, keys_of
from plantid_core.compare import calibration
from plantid_core.compare.consensus import consensus
from plantid_core.compare.names.reconcile import open_names
from plantid_core.deadline import Deadline
from plantid_core.disclosure import ProviderInfo, describe
from plantid_core.errors import (
    ConfigurationError,
    DeadlineExceeded,
    PlantIDError,
    ProviderError,
)
from plantid_core.pipeline import Pipeline, reply_kind
from plantid_core.question import question
from plantid_core.resilience.cache import Cache
from plantid_core.resilience.counters import expose
from plantid_core.resilience.link import Address, Timeouts
from plantid_core.settings import Settings, load_settings
from plantid_core.store.history.values import LOCAL_OWNER, Circumstances
from plantid_core.store.hold import Hold
from plantid_core.telemetry import Trace
from plantid_core.upload import Upload
from plantid_core.upload.isolation.pool import shared_pool
from plantid_core.upload.rejection import reject
from plantid_core.upload.verdict import count_again

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence
    from concurrent.futures import Future
    from typing import Self

    import redis

    from plantid_core.access.registry import Registry
    from plantid_core.archive import HistoryState
    from plantid_core.collection import Collection
    from plantid_core.credits import Spending
    from plantid_core.parts import Closable
    from plantid_core.pipeline import Asking
    from plantid_core.plants import Answer, Consensus, Organ, Outcome, Place, Provider
    from plantid_core.providers.herbarium.herbarium import Herbarium
    from plantid_core.providers.herbarium.provider import HerbariumProvider
    from plantid_core.providers.plantnet import PlantNet, Project
    from plantid_core.resilience.breaker_settings import BreakerReport, State
    from plantid_core.resilience.quota import QuotaState
    from plantid_core.store.history.values import Observed
    from plantid_core.upload import Photo, Prefill

MOST_PHOTOS = 5

_PROJECT_DEADLINE_S = 3.0


class Readiness(TypedDict):
    """What ``/readyz`` answers."""

    ready: bool
    redis: str
    degraded: list[str]
    breakers: dict[str, State]
    providers: dict[str, str]
    counters: dict[str, int]
    credits: dict[str, Spending]
    quotas: dict[str, QuotaState]
    bulkheads: dict[str, dict[str, int]]
    history: HistoryState


class Workbench:
    """The open parts. Made by `open_workbench`; safe to use from any number of threads."""

    def __init__(
        self, settings: Settings, providers: Sequence[Provider], redis_client: redis.Redis | None
    ) -> None:
        self.settings = settings
        self.embedded = parts.Embedded()
        self._providers = {provider.name: provider for provider in providers}
        self._stack = ExitStack()
        policy = parts.policy(settings)
        address = None if redis_client is None else Address.of(redis_client)
        self.redis_address = address
        self.cache = Cache(
            address,
            policy,
            timeouts=Timeouts(settings.redis_connect_timeout_s, settings.redis_socket_timeout_s),
            max_connections=settings.redis_max_connections,
            kind_of=reply_kind,
        )
        expose(self.cache.counters)
        owned: list[Closable] = []
        self.breakers = parts.make_breakers(settings, providers, redis_client, owned)
        self.own(*owned)
        for breaker in self.breakers.values():
            self._stack.callback(breaker.leave)
        self._stack.callback(self.cache.close)
        local = Cache(None, policy, kind_of=reply_kind)
        self._stack.callback(local.close)
        self.cache.beside.append(local)
        self.admission = Admission()
        crews = parts.make_crews(settings, providers)
        self.own(*crews.values())
        self.quota = parts.make_quota(settings, providers, address)
        self._stack.callback(self.quota.close)
        self.credits = spending.Credits()
        spending.expose(self.credits)
        self._guards = parts.make_guards(
            settings, providers, self.breakers, self.quota, self.credits
        )
        self.names = open_names(settings.data_dir)
        self.own(self.names)
        self.calibration = calibration.load(settings.data_dir)
        join = partial(consensus, names=self.names, calibration=self.calibration)
        self._pipeline = Pipeline(self.cache, local, crews, self._guards, self.credits, join)
        self._nearby = Nearby(self._pipeline)
        self.archive = Archive(settings, self.cache, self.names, self.calibration)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of every part; the servers started for this workbench end with their last user."""
        for guards in self._guards.values():
            guards.allowance.close()
        # What waits is written while all else is still there.
        self.archive.close()
        self._stack.close()

    def own(self, *owned: Closable) -> None:
        """Close these parts when the workbench closes, the last one first."""
        for part in owned:
            self._stack.callback(part.close)

    def identify(  # noqa: PLR0913 - the stable face, all by keyword
        self,
        photos: Sequence[Upload],
        *,
        organs: Sequence[Organ] | None = None,
        place: Place | None = None,
        date: dt.date | None = None,
        providers: Sequence[str] | None = None,
        language: str = "en",
        fresh: bool = False,
        deadline_s: float | None = None,
        user: str = "local",
    ) -> Outcome:
        """Return what every provider says of one plant.

        ``organs`` has one entry a photo (None: auto), ``providers`` names from `providers()` (None:
        all), ``fresh`` asks the services anew, ``user`` is whose calls are counted. Raises
        `UploadRejected` for the first file that is refused, `PlantIDError` for a choice that cannot be;
        a service that fails is an entry of the answers.
        """
        return self.begin(
            photos,
            organs=organs,
            place=place,
            date=date,
            providers=providers,
            language=language,
            fresh=fresh,
            deadline_s=deadline_s,
            user=user,
        ).outcome()

    def begin(  # noqa: PLR0913 - the same as `identify`
        self,
        photos: Sequence[Upload],
        *,
        organs: Sequence[Organ] | None = None,
        place: Place | None = None,
        date: dt.date | None = None,
        providers: Sequence[str] | None = None,
        language: str = "en",
        fresh: bool = False,
        deadline_s: float | None = None,
        user: str = "local",
    ) -> Asking:
        """Ask as `identify` does, and return at once: each answer can be taken as it comes.

        Raises what `identify` raises, before anybody is asked.
        """
        deadline, trace = self._deadline(deadline_s), Trace()
        admitted = self._admitted(photos, deadline, trace)
        asked = question(admitted, organs, place, date, language)
        chosen = self._chosen(providers)
        return self._pipeline.begin(
            admitted, asked, chosen, deadline, trace, fresh=fresh, user=user
        )

    def _admitted(
        self, photos: Sequence[Upload], deadline: Deadline, trace: Trace
    ) -> tuple[Photo, ...]:
        if not 1 <= len(photos) <= MOST_PHOTOS:
            raise reject("photo_count", limit=MOST_PHOTOS, value=len(photos))
        return tuple(self.admission.photo(photo, deadline, trace) for photo in photos)

    def answer(
        self,
        photos: Sequence[Upload],
        *,
        organs: Sequence[Organ] | None = None,
        place: Place | None = None,
        date: dt.date | None = None,
        language: str = "en",
        user: str = "local",
    ) -> Answered:
        """Return what `identify` does, with what `keep_soon` needs."""
        deadline, trace = self._deadline(None), Trace()
        admitted = self._admitted(photos, deadline, trace)
        asked = question(admitted, organs, place, date, language)
        outcome = self._pipeline.begin(
            admitted, asked, self._chosen(None), deadline, trace, user=user
        ).outcome()
        return Answered(outcome, admitted, asked, keys_of(self._providers, outcome, asked))

    def at_hand(
        self,
        photos: Sequence[Upload],
        *,
        organs: Sequence[Organ] | None = None,
        place: Place | None = None,
        date: dt.date | None = None,
        language: str = "en",
    ) -> Answered | None:
        """Return what `answer` would, where this process alone can tell it; None where it cannot.

        It waits for nothing, so that an event loop may call it; for one thread at a time. A request
        that is to be refused is not refused here: ask as if nothing were at hand, and it will be.
        """
        trace = Trace()
        admitted = [photo for one in photos if (photo := self.admission.at_hand(one))]
        if not 1 <= len(photos) <= MOST_PHOTOS or len(admitted) < len(photos):
            return None
        try:
            asked = question(admitted, organs, place, date, language)
        except PlantIDError:
            return None
        trace.passed("validate", trace.started, "verdict kept")
        found = self._nearby.answer(admitted, asked, list(self._offered().values()), trace)
        if found is not None:
            for _ in photos:
                count_again()
        return found

    @property
    def collection(self) -> Collection:
        """Return what people keep; its database is opened on first use."""
        return self.archive.collection

    @property
    def access(self) -> Registry:
        """Return who people are, their tokens and the keys; opened on first use."""
        return self.archive.access

    def keep_soon(self, answered: Answered, owner: str) -> Future[None] | None:
        """Keep an answer as `keep` does, without waiting for it; see `Archive.keep_soon`."""
        return self.archive.keep_soon(answered, owner)

    def owner(self) -> str | None:
        """Return who owns what is made here: one local person; None where that takes a sign-in."""
        return None if self.settings.environment == "production" else LOCAL_OWNER

    def keep(  # noqa: PLR0913 - all by keyword
        self,
        outcome: Outcome,
        photos: Sequence[Upload | Photo],
        *,
        organs: Sequence[Organ] | None = None,
        place: Place | None = None,
        date: dt.date | None = None,
        language: str = "en",
        circumstances: Circumstances | None = None,
        owner: str | None = None,
    ) -> Observed:
        """Keep an outcome of `identify` in a history; its id is the outcome's.

        Give what `identify` was given, or the clean photos. ``circumstances`` (None: the place and date
        asked about, with the settings' name and licence) is what is kept of where, when and by whom it
        was seen; ``owner`` None is the local person. To keep the same outcome again changes nothing.
        Raises what `Collection.keep` raises, and `PlantIDError` where there is no owner, or the photos
        are not the outcome's.
        """
        owner = owner or self.owner()
        if owner is None:
            raise PlantIDError("A history needs an owner: sign in, or name one.")
        admitted = [self.admit(one) if isinstance(one, Upload) else one for one in photos]
        if [photo.sha256 for photo in admitted] != [photo.sha256 for photo in outcome.photos]:
            raise PlantIDError(
                "These are not the photos that were identified: identify them first."
            )
        asked = question(admitted, organs, place, date, language)
        keys = keys_of(self._providers, outcome, asked)
        seen = circumstances or Circumstances(
            date, place, None, self.settings.recorded_by, self.settings.licence
        )
        return self.collection.keep(
            owner,
            outcome,
            admitted,
            [picture.organ for picture in asked.pictures],
            circumstances=seen,
            language=language,
            cache_keys=keys,
        )

    def admit(self, upload: Upload) -> Photo:
        """Return the sanitised photo; raises `UploadRejected`."""
        return self.admission.photo(
            upload, Deadline.after(self.settings.request_deadline_s), Trace()
        )

    def read_prefill(self, upload: Upload) -> Prefill:
        """Return the place and date the photo's own EXIF tells; raises `UploadRejected`."""
        self.admit(upload)
        return shared_pool().prefill(upload.data)

    def providers(self) -> tuple[ProviderInfo, ...]:
        """Return every provider that can be asked, in the order of the columns."""
        return tuple(describe(provider, self.settings) for provider in self._offered().values())

    def joint(self, answers: Sequence[Answer]) -> Consensus:
        """Return the joint verdict of answers that were given to several requests of one plant."""
        return self._pipeline.join(answers)

    def project_for(self, place: Place) -> Project | None:
        """Return the flora that Pl@ntNet would be asked for at a place; None if it cannot tell."""
        provider = self._providers.get("plantnet")
        if provider is None:
            return None
        try:
            deadline = Deadline.after(_PROJECT_DEADLINE_S)
            return cast("PlantNet", provider).project_for(place, deadline)
        except (ProviderError, DeadlineExceeded):
            return None

    def herbarium(self) -> Herbarium | None:
        """Return the local herbarium as it is now, None where there is none.

        Raises `HerbariumUnusable` for one that is damaged.
        """
        provider = self._offered().get("herbarium")
        return None if provider is None else cast("HerbariumProvider", provider).herbarium()

    def seen_by_herbarium(self, sha256: str) -> bool:
        """Tell whether the local herbarium was made from the cleaned photo of this digest."""
        provider = self._offered().get("herbarium")
        return provider is not None and cast("HerbariumProvider", provider).seen(sha256)

    def readiness(self) -> Readiness:
        """Return the state of what is depended on; ready as long as any provider can be asked."""
        answers = self.cache.probe()
        states = {name: breaker.state for name, breaker in self.breakers.items()}
        left_alone = [name for name, state in states.items() if state != "closed"]
        return {
            "ready": bool(self._offered()),
            "redis": "ok" if answers else "down",
            "degraded": [
                *([] if answers else ["redis"]),
                *(["history"] if self.archive.troubled else []),
                *left_alone,
            ],
            "breakers": states,
            "providers": {
                name: "sandbox" if provider.sandbox else "configured"
                for name, provider in self._offered().items()
            },
            "counters": {"decoded": self.admission.decoded, **self._cache_counts()},
            "credits": {name: self.credits.of(name) for name in self._guards},
            "quotas": {name: self.quota.state(name) for name in self._guards},
            "bulkheads": {
                name: asdict(guards.bulkhead.use()) for name, guards in self._guards.items()
            },
            "history": self.archive.state(),
        }

    def breaker_reports(self) -> list[BreakerReport]:
        """Return how every breaker stands: one a service, and the one around Redis."""
        around_redis = self.cache.breaker_report()
        services = [breaker.report() for breaker in self.breakers.values()]
        return services if around_redis is None else [*services, around_redis]

    def _deadline(self, seconds: float | None) -> Deadline:
        if seconds is None:
            return Deadline.after(self.settings.request_deadline_s)
        if not 0 < seconds < math.inf:
            raise PlantIDError(f"deadline_s must be above 0 seconds; it is {seconds:g}.")
        return Deadline.after(seconds)

    def _cache_counts(self) -> dict[str, int]:
        use = self.cache.pool_use()
        return {
            **{f"cache_{event}": count for event, count in self.cache.events().items()},
            "redis_connections_in_use": use.in_use,
            "redis_connections_max": use.most,
            "redis_connections_waiting": use.waiting,
        }

    def _chosen(self, names: Sequence[str] | None) -> list[Provider]:
        offered = self._offered()
        if names is None:
            return list(offered.values())
        parts.require_known(names, tuple(offered))
        return [offered[name] for name in dict.fromkeys(names)]

    def _offered(self) -> dict[str, Provider]:
        return parts.offered(self._providers)


def open_workbench(settings: Settings | None = None) -> Workbench:
    """Return an open workbench: finds or starts the store, and the sandbox where a key is missing.

    Raises `ConfigurationError`. A missing Redis is no error: the workbench answers without it.
    """
    settings = settings or load_settings()
    # The first photo should not have to wait for a worker to start.
    threading.Thread(target=shared_pool().warm_up, name="upload-warm-up", daemon=True).start()
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        fault = f"PLANTID_DATA_DIR ({settings.data_dir}) cannot be used: {error.strerror}."
        raise ConfigurationError([fault]) from error
    with ExitStack() as undo:
        owned: list[Closable] = [Hold(settings.data_dir)]
        client = parts.store(settings, owned)
        undo.callback(_close_all, owned)
        providers = parts.make_providers(settings, owned)
        workbench = Workbench(settings, providers, client)
        workbench.embedded = parts.embedded(owned)
        workbench.own(*owned)
        undo.pop_all()
    return workbench


def _close_all(owned: list[Closable]) -> None:
    for part in reversed(owned):
        part.close()


def sample_photo(name: str = "flower.jpg") -> Upload:
    """Return a real photo, shipped by an installed package (scikit-learn, BSD).

    ``flower.jpg`` shows a dahlia, ``china.jpg`` a palace.
    """
    spec = importlib.util.find_spec("sklearn")
    if spec is None or not spec.submodule_search_locations:
        raise PlantIDError("The sample photo is missing: scikit-learn is not installed.")
    path = Path(spec.submodule_search_locations[0]) / "datasets" / "images" / name
    return Upload(path.read_bytes(), name, "image/jpeg")
