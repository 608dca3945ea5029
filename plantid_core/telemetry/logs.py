"""This process's log: structured, on stderr, with the request's id, without secrets."""

from __future__ import annotations

import json
import logging
import sys
from typing import TYPE_CHECKING, TextIO

from plantid_core.telemetry import request
from plantid_core.telemetry.redaction import Redaction

if TYPE_CHECKING:
    from collections.abc import Iterable, MutableMapping

    from structlog.typing import EventDict, Processor, WrappedLogger

# These bring handlers of their own.
_ROUTED = ("uvicorn", "websockets", "streamlit", "sqlalchemy", "alembic", "authlib", "httpx")


def configure_logging(
    log_format: str = "console", level: str = "info", secrets: Iterable[str] = ()
) -> None:
    """Send structured logs to stderr, so that stdout stays free for a command's own output.

    What libraries log through the standard library's ``logging`` is written in the same form, from a
    warning up: below it stand people's data (SQLAlchemy's parameters, say). ``secrets`` never leave,
    whoever logs them.
    """
    import structlog

    least = logging.getLevelNamesMapping()[level.upper()]
    redaction = Redaction(secrets)
    render = _render(log_format)
    shared: list[Processor] = [
        _add_request_id,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        # A traceback as plain text: a pretty one shows the local variables.
        structlog.processors.format_exc_info,
        _Hiding(redaction),
    ]
    structlog.configure(
        processors=[*shared, *render, _Last(redaction)],
        wrapper_class=structlog.make_filtering_bound_logger(least),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            *render,
            _Last(redaction),
        ],
        foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
    )
    _route(formatter, max(least, logging.WARNING))


class _Stderr(logging.StreamHandler[TextIO]):
    """Writes to what stderr is at that moment."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:
        return sys.stderr

    @stream.setter
    def stream(self, stream: TextIO) -> None:
        del stream


class _Hiding:
    """Hides the fields that are named like a secret."""

    def __init__(self, redaction: Redaction) -> None:
        self._redaction = redaction

    def __call__(
        self, logger: WrappedLogger, method: str, event: MutableMapping[str, object]
    ) -> EventDict:
        del logger, method
        return self._redaction.event(dict(event))


class _Last:
    """Takes what looks like a secret out of the line that is about to be written."""

    def __init__(self, redaction: Redaction) -> None:
        self._redaction = redaction

    def __call__(self, logger: WrappedLogger, method: str, line: object) -> str:
        del logger, method
        return self._redaction.text(str(line))


def _add_request_id(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    del logger, method
    if known_as := request.current():
        event.setdefault("request_id", known_as)
    return event


def _render(log_format: str) -> list[Processor]:
    import structlog

    if log_format == "json":
        return [structlog.processors.JSONRenderer(_written)]
    colours = sys.stderr.isatty()
    return [structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=_plainly)]


def _written(event: object, **_: object) -> str:
    import orjson

    try:
        return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except (TypeError, ValueError):  # half a character, or a number of more than 64 bits
        return json.dumps(event, default=str)


def _plainly(out: TextIO, error: object) -> None:
    out.write(str(error))


def _route(formatter: logging.Formatter, least: int) -> None:
    root = logging.getLogger()
    for handler in [one for one in root.handlers if isinstance(one, _Stderr)]:
        root.removeHandler(handler)
    ours = _Stderr()
    ours.setFormatter(formatter)
    ours.setLevel(least)
    root.addHandler(ours)
    for name in _ROUTED:
        route_logger(logging.getLogger(name))
    for name, known in logging.Logger.manager.loggerDict.items():
        if isinstance(known, logging.Logger) and name.startswith(_ROUTED):
            route_logger(known)


def route_logger(logger: logging.Logger) -> None:
    """Have a library's logger write where all others do, and nowhere else."""
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
    logger.propagate = True
