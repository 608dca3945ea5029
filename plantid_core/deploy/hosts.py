"""What an address tells: whether its host is this machine, and what it is called."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit


def host_of(url: str) -> str:
    """Return the host's name, empty where the address has none (a socket, a file)."""
    return urlsplit(url).hostname or ""


def is_local(host: str) -> bool:
    """Tell whether this machine alone is meant: by a loopback name or address, or by no host."""
    if host in {"", "localhost"} or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_everywhere(host: str) -> bool:
    """Tell whether to listen at this host is to listen on every network."""
    try:
        return ip_address(host.strip("[]")).is_unspecified
    except ValueError:
        return host == ""


def is_plain_abroad(url: str) -> bool:
    """Tell whether this address is asked in plain HTTP over a network."""
    return urlsplit(url).scheme == "http" and not is_local(host_of(url))
