"""Redis, the database and the files: who else could read them on their way, or where they lie."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from plantid_core.deploy.finding import Checklist
from plantid_core.deploy.hosts import host_of, is_local

if TYPE_CHECKING:
    from pydantic import SecretStr

    from plantid_core.deploy.facts import Facts

CHECKS = Checklist()

_OTHERS, _OTHERS_WRITE = 0o077, 0o022
_OF_SERVERS = frozenset({"redis", "rediss", "redis+sentinel"})
_ENCRYPTED = frozenset({"require", "verify-ca", "verify-full"})
_VERIFIED = frozenset({"verify-ca", "verify-full"})


@CHECKS.warning(
    "redis.embedded", "Set PLANTID_REDIS_URL_FILE: several processes share what one has found."
)
def _embedded(facts: Facts) -> str | None:
    if facts.settings.redis_url is not None:
        return None
    return (
        "PLANTID_REDIS_URL is not set: the app starts a store of its own, for this machine alone."
    )


@CHECKS.error(
    "redis.password", "Give the server a password or an ACL user, and put it in the address."
)
def _redis_password(facts: Facts) -> str | None:
    parts = urlsplit(_text(facts.settings.redis_url))
    if parts.scheme not in _OF_SERVERS or parts.netloc.rpartition("@")[0].partition(":")[2]:
        return None
    if parse_qs(parts.query).get("password"):
        return None
    return "PLANTID_REDIS_URL has no password: whoever reaches the server changes answers."


@CHECKS.error("redis.tls", "Use rediss://, unless nobody else is on that network.")
def _redis_tls(facts: Facts) -> str | None:
    parts = urlsplit(_text(facts.settings.redis_url))
    if parts.scheme != "redis" or is_local(parts.hostname or ""):
        return None
    return "PLANTID_REDIS_URL names another machine, and is not encrypted."


@CHECKS.warning("redis.sentinels", "Keep their port on a network of yours, or in a tunnel.")
def _sentinels(facts: Facts) -> str | None:
    parts = urlsplit(_text(facts.settings.redis_url))
    hosts = parts.netloc.rpartition("@")[2].split(",")
    if parts.scheme != "redis+sentinel" or all(is_local(host_of(f"//{one}")) for one in hosts):
        return None
    return "Sentinels on other machines are asked by plain TCP."


@CHECKS.warning("database.sqlite", "Set PLANTID_DATABASE_URL_FILE to a Postgres.")
def _sqlite(facts: Facts) -> str | None:
    url = facts.settings.database_url
    if url is not None and not _text(url).startswith("sqlite"):
        return None
    return "The history is a file of SQLite: one machine writes to it, one process at a time."


@CHECKS.error("database.plain", "Add ?sslmode=verify-full to PLANTID_DATABASE_URL.")
def _plain_database(facts: Facts) -> str | None:
    mode = _sslmode(facts)
    return (
        None
        if mode is None or mode in _ENCRYPTED
        else ("PLANTID_DATABASE_URL names another machine, and need not be encrypted (sslmode).")
    )


@CHECKS.warning(
    "database.unverified", "Say sslmode=verify-full, with sslrootcert where it is needed."
)
def _unverified_database(facts: Facts) -> str | None:
    mode = _sslmode(facts)
    if mode is None or mode in _VERIFIED or mode not in _ENCRYPTED:
        return None
    return "The database's certificate is not looked at: another server could stand in its place."


@CHECKS.error("data.readable", "chmod 700 the folder that PLANTID_DATA_DIR names.")
def _readable_data(facts: Facts) -> str | None:
    if facts.data_mode is None or not facts.data_mode & _OTHERS:
        return None
    return f"The data directory is open to others of this machine (mode {facts.data_mode:04o})."


@CHECKS.error("secret.file_readable", "chmod 600 these files.")
def _readable_files(facts: Facts) -> str | None:
    found = [f"{path} ({mode:04o})" for path, mode in facts.secret_files.items() if mode & _OTHERS]
    if not found:
        return None
    return f"Files with secrets are open to others of this machine: {', '.join(found)}."


@CHECKS.warning("process.umask", "Set UMask=0077 (systemd), or umask 077 before the start.")
def _umask(facts: Facts) -> str | None:
    if facts.umask is None or facts.umask & _OTHERS_WRITE == _OTHERS_WRITE:
        return None
    return f"What the process makes, others could write to (umask {facts.umask:03o})."


@CHECKS.warning("process.root", "Run it as a user of its own that owns the data directory only.")
def _root(facts: Facts) -> str | None:
    return "This runs as root." if facts.root else None


def _sslmode(facts: Facts) -> str | None:
    """Return the sslmode towards a Postgres of another machine, empty for none; None without such a one."""
    parts = urlsplit(_text(facts.settings.database_url))
    options = parse_qs(parts.query)
    host = options.get("host", [parts.hostname or ""])[0]
    if not parts.scheme.startswith("postgresql") or host.startswith("/") or is_local(host):
        return None
    return options.get("sslmode", [""])[0]


def _text(secret: SecretStr | None) -> str:
    return "" if secret is None else secret.get_secret_value()
