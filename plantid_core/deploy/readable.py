"""Settings, as far as they can be read: what the app would refuse to start with is a finding here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from pydantic import ValidationError, model_validator
from pydantic_settings import PydanticBaseSettingsSource

from plantid_core.deploy.finding import Finding
from plantid_core.errors import ConfigurationError
from plantid_core.settings import Settings

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo
    from pydantic_settings import BaseSettings

_HINT = "docs/operate.md and `plantid serve` tell what each setting may be."
_FILE_HINT = "Name a file that this user can read, or remove the setting."


def readable_settings() -> tuple[Settings, list[Finding]]:
    """Return the settings in force, each that cannot be used as if it were not set, and a finding for it.

    What cannot be together is not looked at: see `contradictions`.
    """
    unreadable: dict[str, str] = {}
    unfit: dict[str, str] = {}
    reading = _reading(unreadable)
    instead: dict[str, object] = {}
    while True:
        try:
            settings = reading(**instead)  # type: ignore[arg-type]  # the fields' own defaults
        except ValidationError as error:
            faults = error.errors(include_input=False, include_url=False, include_context=False)
            for fault in faults:
                name = str(fault["loc"][0])
                unfit[name] = str(fault["msg"]).removeprefix("Value error, ")
                default = Settings.model_fields[name].get_default(call_default_factory=True)
                instead[name] = default
        else:
            break
    return settings, [
        *(
            Finding(f"file.{name}", "error", f"PLANTID_{name.upper()}_FILE: {reason}.", _FILE_HINT)
            for name, reason in unreadable.items()
        ),
        *(
            Finding(f"setting.{name}", "error", f"PLANTID_{name.upper()}: {reason}.", _HINT)
            for name, reason in unfit.items()
        ),
    ]


def contradictions(settings: Settings) -> list[Finding]:
    """Return what cannot be together, or is missing in production: the app would not start."""
    return [
        Finding(name, "error", f"{sentence[:1].upper()}{sentence[1:]}.", _HINT)
        for name, sentence in settings.contradictions().items()
    ]


class _Forgiving(PydanticBaseSettingsSource):
    """A source of which single settings may be unreadable; ``faults`` gets a reason for each."""

    def __init__(self, inner: PydanticBaseSettingsSource, faults: dict[str, str]) -> None:
        super().__init__(inner.settings_cls)
        self._inner, self._faults = inner, faults

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[object, str, bool]:
        try:
            return self._inner.get_field_value(field, field_name)
        except ConfigurationError as error:
            self._faults[field_name] = error.faults[0].partition(": ")[2] or error.faults[0]
            return None, field_name, False

    def __call__(self) -> dict[str, object]:
        named = (
            self.get_field_value(field, name)
            for name, field in self.settings_cls.model_fields.items()
        )
        return {name: value for value, name, _ in named if value is not None}


def _reading(faults: dict[str, str]) -> type[Settings]:
    class Readable(Settings):
        """Settings whose parts are looked at one by one."""

        @model_validator(mode="after")
        def _consistent(self) -> Self:
            return self

        @classmethod
        def _file_sources(
            cls, settings_cls: type[BaseSettings]
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return tuple(_Forgiving(one, faults) for one in super()._file_sources(settings_cls))

    return Readable
