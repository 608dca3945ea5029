"""What is shown to strangers: errors, logs, figures, Streamlit's own switches, routes without a rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from plantid_core.deploy.finding import Checklist
from plantid_core.deploy.hosts import is_plain_abroad

if TYPE_CHECKING:
    from plantid_core.deploy.facts import Facts

CHECKS = Checklist()

# As the upload's own rule has it (`upload.policy`): a larger file is refused after it was taken in.
_MOST_UPLOAD_MB = 10
_MOST_BODY: Final = 64 * 1024 * 1024
_QUIET = frozenset({"type", "none", "False", "false"})
_LONGEST_S = 60.0


@CHECKS.error("debug.errors", 'Set client.showErrorDetails = "type" or "none".')
def _errors_shown(facts: Facts) -> str | None:
    shown = str(facts.options.get("client.showErrorDetails", "full"))
    return (
        None if shown in _QUIET else f"Pages show errors in full (client.showErrorDetails={shown})."
    )


@CHECKS.error("debug.development_mode", "Remove global.developmentMode.")
def _development_mode(facts: Facts) -> str | None:
    return _is_on(facts, "global.developmentMode", "Streamlit serves for its own developers")


@CHECKS.warning("debug.toolbar", 'Set client.toolbarMode = "viewer" or "minimal".')
def _toolbar(facts: Facts) -> str | None:
    mode = str(facts.options.get("client.toolbarMode", "auto"))
    if mode in {"viewer", "minimal"}:
        return None
    return f"Pages offer a developer's menu (client.toolbarMode={mode})."


@CHECKS.warning("debug.watcher", 'Set server.fileWatcherType = "none".')
def _watcher(facts: Facts) -> str | None:
    kind = str(facts.options.get("server.fileWatcherType", "auto"))
    if kind == "none":
        return None
    return f"Changed files are run at once (server.fileWatcherType={kind})."


@CHECKS.warning("log.debug", "Set PLANTID_LOG_LEVEL=info.")
def _log_debug(facts: Facts) -> str | None:
    debug = facts.settings.log_level == "debug" or facts.options.get("logger.level") == "debug"
    return "Logs hold what only a developer needs (debug)." if debug else None


@CHECKS.warning("log.console", "Set PLANTID_LOG_FORMAT=json, which programs can search.")
def _log_console(facts: Facts) -> str | None:
    console = facts.settings.log_format == "console"
    return "Logs are written for eyes (PLANTID_LOG_FORMAT=console)." if console else None


@CHECKS.error("xsrf.off", "Set server.enableXsrfProtection = true.")
def _xsrf(facts: Facts) -> str | None:
    return _is_off(facts, "server.enableXsrfProtection", "Another site may upload for a visitor")


@CHECKS.error("cors.off", "Set server.enableCORS = true.")
def _cors(facts: Facts) -> str | None:
    return _is_off(facts, "server.enableCORS", "Another site may open a visitor's page")


@CHECKS.error("agent.on", "Set server.enableAgentApi = false; programs ask by /api, with a token.")
def _agent(facts: Facts) -> str | None:
    return _is_on(facts, "server.enableAgentApi", "Streamlit's interface for programs is open")


@CHECKS.error("health.script", "Remove server.scriptHealthCheckEnabled; ask GET /healthz.")
def _script_health(facts: Facts) -> str | None:
    what = "Whoever asks for it has the app run"
    return _is_on(facts, "server.scriptHealthCheckEnabled", what)


@CHECKS.warning("static.on", "Set server.enableStaticServing = false.")
def _static(facts: Facts) -> str | None:
    return _is_on(facts, "server.enableStaticServing", "A folder beside the app is served to all")


@CHECKS.error("telemetry.usage", "Set browser.gatherUsageStats = false.")
def _usage(facts: Facts) -> str | None:
    return _is_on(facts, "browser.gatherUsageStats", "Visitors' browsers report to Streamlit")


@CHECKS.error("telemetry.plain", "Use https:// for PLANTID_OTEL_ENDPOINT.")
def _plain_spans(facts: Facts) -> str | None:
    endpoint = facts.settings.otel_endpoint
    if endpoint is None or not is_plain_abroad(endpoint):
        return None
    return "PLANTID_OTEL_ENDPOINT is another machine's, and is not encrypted."


@CHECKS.error("webhook.plain", "Use https:// for PLANTID_ALERT_WEBHOOK: its address is its key.")
def _plain_webhook(facts: Facts) -> str | None:
    webhook = facts.settings.alert_webhook
    if webhook is None or not is_plain_abroad(webhook.get_secret_value()):
        return None
    return "PLANTID_ALERT_WEBHOOK is another machine's, and is not encrypted."


@CHECKS.warning("upload.large", f"Set server.maxUploadSize = {_MOST_UPLOAD_MB}.")
def _upload(facts: Facts) -> str | None:
    size = int(str(facts.options.get("server.maxUploadSize", 200)))
    if size <= _MOST_UPLOAD_MB:
        return None
    return (
        f"Pages take files of {size} MB, of which all above {_MOST_UPLOAD_MB} MB is refused later."
    )


@CHECKS.warning("body.large", "Leave PLANTID_BODY_LIMIT_BYTES as it is: five photos and a form.")
def _body(facts: Facts) -> str | None:
    size = facts.settings.body_limit_bytes
    return f"Requests of {size:,} bytes are taken in." if size > _MOST_BODY else None


@CHECKS.warning("deadline.long", "Set PLANTID_REQUEST_DEADLINE_S below the proxy's own patience.")
def _deadline(facts: Facts) -> str | None:
    deadline = facts.settings.request_deadline_s
    if deadline <= _LONGEST_S:
        return None
    return f"A request may take {deadline:g} s; a proxy gives up before that."


@CHECKS.error(
    "routes.uncovered", "Make it `Guarded`, or list it in plantid_core/web/guards/coverage.py."
)
def _uncovered(facts: Facts) -> str | None:
    return " ".join(facts.uncovered) or None


def _is_on(facts: Facts, option: str, what: str) -> str | None:
    return f"{what} ({option}=true)." if facts.options.get(option, False) else None


def _is_off(facts: Facts, option: str, what: str) -> str | None:
    return None if facts.options.get(option, True) else f"{what} ({option}=false)."
