"""`Desk`: what one person may do, each method with its action.

Pages, routes and jobs are given a desk and never the workbench. Each method names its action of
`access.rules`, and raises `SignInRequired` or `PermissionDenied` before anything is done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from plantid_core.access import rules
from plantid_core.desk.office import Office
from plantid_core.desk.own_collection import OwnCollection
from plantid_core.errors import SignInRequired

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from plantid_core.access.principal import Principal
    from plantid_core.access.rules import Action
    from plantid_core.at_hand import Answered
    from plantid_core.compare.calibration import Calibration
    from plantid_core.compare.names.values import Reconciler
    from plantid_core.disclosure import ProviderInfo
    from plantid_core.pipeline import Asking
    from plantid_core.plants import Answer, Consensus, Organ, Outcome, Place
    from plantid_core.providers.herbarium.herbarium import Herbarium
    from plantid_core.providers.plantnet import Project
    from plantid_core.resilience.breaker_settings import BreakerReport
    from plantid_core.settings import Settings
    from plantid_core.store.history.values import Circumstances, Observed
    from plantid_core.upload import Photo, Prefill, Upload
    from plantid_core.workbench import Readiness, Workbench


class Desk:
    """One principal before the workbench. ``address`` is where they ask from, for counting by it.

    A page may stay open for long: ``asked`` tells who looks at it at each moment, so that whoever has
    lost a right since has lost it here as well.
    """

    def __init__(
        self,
        workbench: Workbench,
        principal: Principal,
        address: str = "local",
        *,
        asked: Callable[[], Principal] | None = None,
    ) -> None:
        self._workbench = workbench
        self._principal, self._asked = principal, asked
        self._address = address

    @property
    def principal(self) -> Principal:
        """Return who asks, as they are now."""
        return self._principal if self._asked is None else self._asked()

    @property
    def owner(self) -> str | None:
        """Return whose things are made here; None where nobody's are kept."""
        return self.principal.owner

    @property
    def user(self) -> str:
        """Return whose calls of a minute are counted: the person's, else the address's."""
        return self.principal.owner or self._address

    @property
    def settings(self) -> Settings:
        """Return the settings in force."""
        return self._workbench.settings

    def still_in(self) -> bool:
        """Tell whether they are still let in, for work that goes on beside them; from any thread."""
        owner = self._principal.owner
        return owner is None or self._workbench.access.known.is_in(owner)

    def may(self, action: Action, owner: str | None = None) -> bool:
        """Tell whether they may, with a thing of this owner (None: their own)."""
        environment = self._workbench.settings.environment
        return rules.allowed(self.principal, action, environment, owner or self.principal.owner)

    def require(self, action: Action, owner: str | None = None) -> None:
        """Raise `SignInRequired` or `PermissionDenied` unless they `may`."""
        environment = self._workbench.settings.environment
        rules.require(self.principal, action, environment, owner or self.principal.owner)

    def owner_for(self, action: Action) -> str:
        """Return whose things this action is about: theirs, who must be somebody."""
        self.require(action)
        if self.owner is None:
            raise SignInRequired(action)
        return self.owner

    def workbench_for(self, action: Action) -> Workbench:
        """Return the whole workbench, for the work that this action names and nothing else."""
        self.require(action)
        return self._workbench

    def identify(  # noqa: PLR0913 - the same as `Workbench.identify`
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
    ) -> Outcome:
        """Ask as `Workbench.identify` does, counted as theirs."""
        return self.begin(
            photos,
            organs=organs,
            place=place,
            date=date,
            providers=providers,
            language=language,
            fresh=fresh,
            deadline_s=deadline_s,
        ).outcome()

    def begin(  # noqa: PLR0913 - the same as `Workbench.begin`
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
    ) -> Asking:
        """Ask as `Workbench.begin` does, counted as theirs."""
        return self.workbench_for("identify.ask").begin(
            photos,
            organs=organs,
            place=place,
            date=date,
            providers=providers,
            language=language,
            fresh=fresh,
            deadline_s=deadline_s,
            user=self.user,
        )

    def keep(
        self,
        outcome: Outcome,
        photos: Sequence[Upload | Photo],
        *,
        organs: Sequence[Organ] | None = None,
        place: Place | None = None,
        date: dt.date | None = None,
        language: str = "en",
        circumstances: Circumstances | None = None,
    ) -> Observed:
        """Keep an outcome in their history, as `Workbench.keep` does."""
        return self.workbench_for("identify.keep").keep(
            outcome,
            photos,
            organs=organs,
            place=place,
            date=date,
            language=language,
            circumstances=circumstances,
            owner=self.owner,
        )

    def answer(
        self,
        photos: Sequence[Upload],
        *,
        organs: Sequence[Organ] | None = None,
        place: Place | None = None,
        date: dt.date | None = None,
        language: str = "en",
    ) -> Answered:
        """Ask as `Workbench.answer` does, counted as theirs."""
        return self.workbench_for("identify.ask").answer(
            photos, organs=organs, place=place, date=date, language=language, user=self.user
        )

    def at_hand(
        self,
        photos: Sequence[Upload],
        *,
        organs: Sequence[Organ] | None = None,
        place: Place | None = None,
        date: dt.date | None = None,
        language: str = "en",
    ) -> Answered | None:
        """Return what this process alone can answer at once, as `Workbench.at_hand` does."""
        return self.workbench_for("identify.ask").at_hand(
            photos, organs=organs, place=place, date=date, language=language
        )

    def keep_soon(self, answered: Answered) -> Future[None] | None:
        """Keep an answer in their history, as `Workbench.keep_soon` does.

        Returns what to wait for before the answer is told, None where there is nothing to wait for:
        one that cost nothing will be durable in a moment.
        """
        owner = self.owner_for("identify.keep")
        return self._workbench.keep_soon(answered, owner)

    @property
    def keeps_at_once(self) -> bool:
        """Tell whether `keep_soon` has nothing to load or to open."""
        return self._workbench.archive.keeps_at_once

    @property
    def collection(self) -> OwnCollection:
        """Return what they keep."""
        return OwnCollection(self)

    @property
    def office(self) -> Office:
        """Return tokens and people, as far as they may handle them."""
        return Office(self)

    def admit(self, upload: Upload) -> Photo:
        """Return the sanitised photo; raises `UploadRejected`."""
        return self.workbench_for("identify.ask").admit(upload)

    def read_prefill(self, upload: Upload) -> Prefill:
        """Return the place and date the photo's own EXIF tells; raises `UploadRejected`."""
        return self.workbench_for("identify.ask").read_prefill(upload)

    def providers(self) -> tuple[ProviderInfo, ...]:
        """Return every provider that can be asked, in the order of the columns."""
        return self.workbench_for("status.see").providers()

    @property
    def names(self) -> Reconciler:
        """Return what tells which names mean the same plant."""
        return self.workbench_for("status.see").names

    @property
    def calibration(self) -> Calibration:
        """Return what joint rankings are made with."""
        return self.workbench_for("status.see").calibration

    def joint(self, answers: Sequence[Answer]) -> Consensus:
        """Return the joint verdict of answers that were given of one plant."""
        return self.workbench_for("identify.ask").joint(answers)

    def project_for(self, place: Place) -> Project | None:
        """Return the flora that Pl@ntNet would be asked for at a place; None if it cannot tell."""
        return self.workbench_for("identify.ask").project_for(place)

    def herbarium(self) -> Herbarium | None:
        """Return the local herbarium, None where there is none; raises `HerbariumUnusable`."""
        return self.workbench_for("herbarium.see").herbarium()

    def forget_herbarium(self) -> bool:
        """Remove the herbarium; tell whether there was any. Raises `HerbariumUnusable`."""
        from plantid_core.providers.herbarium import file as herbarium_file

        data_dir = self.workbench_for("herbarium.change").settings.data_dir
        return herbarium_file.forget(data_dir)

    def readiness(self) -> Readiness:
        """Return the state of what is depended on."""
        return self.workbench_for("status.see").readiness()

    def breaker_reports(self) -> list[BreakerReport]:
        """Return how every breaker stands."""
        return self.workbench_for("breakers.see").breaker_reports()
