"""pybreaker's listeners, each kept from harming the others or the call it listens to."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from pybreaker import CircuitBreakerListener

from plantid_core.telemetry import tell

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    Told: TypeAlias = Callable[..., object]

_EVENTS = ("before_call", "success", "failure", "state_change")


class StateName(str):
    """A state as listeners get it: a string that, like pybreaker's states, has its own ``name``."""

    __slots__ = ()

    @property
    def name(self) -> str:
        """Return the state's name."""
        return str(self)


class Listeners:
    """What is to be called at each event; methods that a listener has not overridden are left out."""

    __slots__ = ("_lock", "_members", "before", "changed", "failed", "succeeded")

    def __init__(self, members: tuple[CircuitBreakerListener, ...] = ()) -> None:
        self._lock = threading.Lock()
        self._members: tuple[CircuitBreakerListener, ...] = ()
        self._set(())
        for member in members:
            self.add(member)

    def members(self) -> tuple[CircuitBreakerListener, ...]:
        """Return the listeners, in the order they came."""
        return self._members

    def add(self, listener: CircuitBreakerListener) -> None:
        """Add a listener; raises TypeError for what has none of the four methods, as a function."""
        if isinstance(listener, type):
            raise TypeError(f"a listener is an object; {listener.__name__} is a class")
        if not any(callable(getattr(listener, event, None)) for event in _EVENTS):
            raise TypeError(
                f"a listener needs one of the methods {', '.join(_EVENTS)}, as"
                f" pybreaker.CircuitBreakerListener has them; {type(listener).__name__} has none"
            )
        with self._lock:
            self._set((*self._members, listener))

    def remove(self, listener: CircuitBreakerListener) -> None:
        """Remove a listener, if it is one."""
        with self._lock:
            self._set(tuple(member for member in self._members if member is not listener))

    @staticmethod
    def tell(heard: tuple[Told, ...], *args: object, **kwargs: object) -> None:
        """Call all of them; what one raises is logged, and stops neither the others nor the caller."""
        for told in heard:
            try:
                told(*args, **kwargs)
            except Exception as error:  # noqa: BLE001 - a listener's trouble is its own
                complain(error)

    def _set(self, members: tuple[CircuitBreakerListener, ...]) -> None:
        self._members = members
        self.before, self.succeeded, self.failed, self.changed = (
            tuple(_told(members, event)) for event in _EVENTS
        )


def _told(members: tuple[CircuitBreakerListener, ...], event: str) -> list[Told]:
    idle = getattr(CircuitBreakerListener, event)
    methods = (getattr(member, event, None) for member in members)
    return [
        method
        for method in methods
        if callable(method) and getattr(method, "__func__", None) is not idle
    ]


def complain(error: Exception) -> None:
    """Log what a listener raised; it is no concern of the caller's."""
    tell("breaker_listener_failed", error=type(error).__name__, reason=str(error)[:200])
