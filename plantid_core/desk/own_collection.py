"""`OwnCollection`: what one person keeps, each method with its action."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plantid_core.errors import SignInRequired
from plantid_core.store.history.values import Filter

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from plantid_core.access.rules import Action
    from plantid_core.collection import Collection, Deleted, Format
    from plantid_core.compare.determination import Decision
    from plantid_core.desk.desk import Desk
    from plantid_core.export.release import Exported
    from plantid_core.store.history.values import Circumstances, Determination, Observed, Page

EVERYTHING = Filter()


class OwnCollection:
    """What one person keeps, and nobody else's; see `Collection` for what each method raises.

    ``owner`` names another person's where the rules let somebody see it (an admin).
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def find(
        self, wanted: Filter = EVERYTHING, *, limit: int = 50, after: str | None = None
    ) -> Page:
        """Return those wanted, newest first."""
        collection, owner = self._mine("history.list")
        return collection.find(owner, wanted, limit=limit, after=after)

    def get(self, observation_id: str, *, owner: str | None = None) -> Observed:
        """Return an observation."""
        collection, whose = self._mine("history.read", owner)
        return collection.get(whose, observation_id)

    def photo(self, photo_id: str, *, owner: str | None = None) -> bytes:
        """Return a kept photo's JPEG."""
        collection, whose = self._mine("photo.read", owner)
        return collection.photo(whose, photo_id)

    def describe(self, observation_id: str, circumstances: Circumstances) -> None:
        """Replace where, when and by whom it was seen."""
        collection, owner = self._mine("history.describe")
        collection.describe(owner, observation_id, circumstances)

    def determine(
        self, observation_id: str, decision: Decision, *, include_sandbox: bool = False
    ) -> Determination:
        """Add what the person decided."""
        collection, owner = self._mine("history.decide")
        return collection.determine(
            owner, observation_id, decision, include_sandbox=include_sandbox
        )

    def forget(self, ids: Iterable[str]) -> Deleted:
        """Delete these observations."""
        collection, owner = self._mine("history.forget")
        return collection.forget(owner, ids)

    def forget_all(self) -> Deleted:
        """Delete all that is theirs."""
        collection, owner = self._mine("history.forget")
        return collection.forget_all(owner)

    def export(
        self,
        path: Path,
        file_format: Format,
        *,
        wanted: Filter = EVERYTHING,
        include_sandbox: bool = False,
        with_photos: bool = False,
    ) -> tuple[Path, Exported]:
        """Write the observations for others to read."""
        collection, owner = self._mine("history.export")
        return collection.export(
            owner,
            path,
            file_format,
            wanted=wanted,
            include_sandbox=include_sandbox,
            with_photos=with_photos,
        )

    def export_mine(self, path: Path) -> Exported:
        """Write all that is theirs, exactly as it is kept."""
        collection, owner = self._mine("history.export")
        return collection.export_mine(owner, path)

    def _mine(self, action: Action, owner: str | None = None) -> tuple[Collection, str]:
        whose = owner or self._desk.owner
        self._desk.require(action, whose)
        if whose is None:
            raise SignInRequired(action)
        return self._desk.workbench_for(action).collection, whose
