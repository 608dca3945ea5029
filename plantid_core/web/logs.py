"""Sets up what the app's process tells: its log, and its spans where they are wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import streamlit.logger
from pydantic import SecretStr

import plantid_core
from plantid_core.telemetry import configure_logging, metrics, spans
from plantid_core.telemetry.logs import route_logger

if TYPE_CHECKING:
    from plantid_core.settings import Settings


def configure(settings: Settings) -> None:
    """Set up the log, the metrics and the spans of this process, which serves the app.

    Raises `ConfigurationError` where spans are wanted and cannot be made.
    """
    # Streamlit gives each of its loggers, also one made later, a handler and a format of its own.
    streamlit.logger.setup_formatter = route_logger
    configure_logging(settings.log_format, settings.log_level, secrets_of(settings))
    metrics.ready()
    if settings.otel_endpoint is not None:
        spans.start(settings.otel_endpoint, plantid_core.__version__)


def secrets_of(settings: Settings) -> tuple[str, ...]:
    """Return every secret of the settings, and the passwords inside those that are addresses."""
    found = list(settings.former_keys())
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if not isinstance(value, SecretStr):
            continue
        text = value.get_secret_value()
        found.append(text)
        if "://" in text:
            password = urlsplit(text).password or ""
            found += [password, unquote(password)]
    return tuple(dict.fromkeys(filter(None, found)))
