"""pybreaker's listeners on our breaker."""

from __future__ import annotations

import threading

import pytest
from breaker_callers import Down, fail, through
from pybreaker import CircuitBreakerListener

from plantid_core.resilience.breaker import Breaker


class Diary(CircuitBreakerListener):
    """Notes all that it is told."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def before_call(self, cb: object, func: object, *args: object, **kwargs: object) -> None:
        del cb, func
        self.told.append(("before", *args, *kwargs.items()))

    def success(self, cb: object) -> None:
        del cb
        self.told.append("success")

    def failure(self, cb: object, exc: BaseException) -> None:
        del cb
        self.told.append(type(exc).__name__)

    def state_change(self, cb: object, old_state: object, new_state: object) -> None:
        del cb
        self.told.append(f"{old_state.name} → {new_state.name}")  # type: ignore[attr-defined]


class Broken(CircuitBreakerListener):
    """Raises at every event."""

    def before_call(self, *told: object, **more: object) -> None:
        raise RuntimeError(told, more)

    success = failure = state_change = before_call


class OnlyChanges(CircuitBreakerListener):
    """Has one of the four methods."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def state_change(self, cb: object, old_state: object, new_state: object) -> None:
        self.told.append((cb, str(old_state), str(new_state)))


def test_events_come_in_their_order() -> None:
    """Before, then how it ended, then what became of the breaker; a refused call is no event."""
    now, diary = [0.0], Diary()
    breaker = Breaker("svc", fail_max=2, reset_timeout=10, listeners=(diary,), clock=lambda: now[0])

    breaker.call(lambda a, b: (a, b), 1, b=2)
    fail(breaker, 2)
    through(breaker)
    now[0] = 11.0
    through(breaker)

    assert diary.told == [
        ("before", 1, ("b", 2)),
        "success",
        ("before",),
        "Down",
        ("before",),
        "Down",
        "closed → open",
        "open → half-open",
        ("before",),
        "half-open → closed",
        "success",
    ]


def test_a_listener_that_raises_harms_nobody() -> None:
    """Calls, the breaker and the listeners after it go on."""
    diary = Diary()
    breaker = Breaker("svc", fail_max=2, listeners=(Broken(), diary))

    assert breaker.call(lambda: "value") == "value"
    for _ in range(2):
        with pytest.raises(Down):
            breaker.call(_down)

    assert breaker.state == "open"
    assert diary.told[-1] == "closed → open"


@pytest.mark.parametrize("wrong", [print, lambda *_: None, "success", None, object()])
def test_what_is_no_listener_is_refused_at_once(wrong: object) -> None:
    """A function raises TypeError when it is added, not at the first call (seed: at every call)."""
    breaker = Breaker("svc")

    with pytest.raises(TypeError, match="state_change"):
        breaker.add_listener(wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        Breaker("svc", listeners=(wrong,))  # type: ignore[arg-type]

    assert breaker.listeners == ()
    assert through(breaker)


def test_a_class_is_no_listener() -> None:
    """The class instead of one made of it is refused, too."""
    with pytest.raises(TypeError):
        Breaker("svc").add_listener(Diary)  # type: ignore[arg-type]


def test_a_method_of_the_instance_is_heard() -> None:
    """A listener whose method was set on itself, as mocks have it, is told as by pybreaker."""
    listener, told = CircuitBreakerListener(), []
    listener.success = told.append  # type: ignore[method-assign]
    breaker = Breaker("svc", listeners=(listener,))

    through(breaker)

    assert told == [breaker]


def test_one_method_is_enough() -> None:
    """A listener to changes alone is told of them, with states that are strings with a name."""
    listener = OnlyChanges()
    breaker = Breaker("svc", fail_max=1, listeners=(listener,))

    fail(breaker, 1)

    assert listener.told == [(breaker, "closed", "open")]


def test_a_removed_listener_hears_no_more() -> None:
    """Others stay, in the order they came."""
    first, second, third = Diary(), Diary(), Diary()
    breaker = Breaker("svc", listeners=(first, second))
    breaker.add_listener(third)

    breaker.remove_listener(second)
    breaker.remove_listener(second)
    through(breaker)

    assert breaker.listeners == (first, third)
    assert (len(first.told), second.told, len(third.told)) == (2, [], 2)


def test_listeners_of_one_breaker_may_come_and_go_during_calls() -> None:
    """Adding and removing while others call harms no call."""
    breaker, done = Breaker("svc"), threading.Event()
    wrong: list[BaseException] = []

    def calls() -> None:
        while not done.is_set():
            try:
                breaker.call(lambda: 1)
            except BaseException as error:  # noqa: BLE001 - this is what there must be none of
                wrong.append(error)

    thread = threading.Thread(target=calls)
    thread.start()
    for _ in range(2000):
        diary = Diary()
        breaker.add_listener(diary)
        breaker.remove_listener(diary)
    done.set()
    thread.join()

    assert wrong == []
    assert breaker.listeners == ()


def test_a_change_is_told_once_to_each_process() -> None:
    """Many threads that see it closed again tell of it once."""
    now, diary = [0.0], OnlyChanges()
    breaker = Breaker("svc", fail_max=1, listeners=(diary,), clock=lambda: now[0])
    fail(breaker, 1)
    now[0] = 61.0
    threads = [threading.Thread(target=lambda: breaker.state) for _ in range(20)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [(old, new) for _, old, new in diary.told] == [  # type: ignore[misc]
        ("closed", "open"),
        ("open", "half-open"),
    ]


def _down() -> None:
    raise Down
