"""The usual validator in its box."""

from __future__ import annotations

import pytest

from plantid_core.lab.attacks import ATTACKS, MARK, Attack
from plantid_core.lab.boxed import run_seed


def attack(name: str) -> Attack:
    return next(attack for attack in ATTACKS if attack.id == name)


@pytest.mark.parametrize(
    "name", ["php-inside", "null-byte", "png-as-jpg", "long-name", "png-99-mpx", "gif-30000"]
)
def test_usual_validator_lets_in_what_ours_refuses(name: str) -> None:
    """These pass the usual checks."""
    assert run_seed(attack(name).upload()).verdict == "accept"


def test_usual_re_encode_keeps_the_comment() -> None:
    """A payload in a comment survives the usual cleaning."""
    verdict = run_seed(attack("comment").upload())

    assert verdict.output is not None
    assert MARK in verdict.output


def test_bomb_is_decoded_before_it_is_refused() -> None:
    """The usual order of checks costs the memory that the limit should have saved."""
    verdict = run_seed(attack("jpeg-132-mpx").upload())

    assert (verdict.verdict, verdict.layer) == ("reject", "header")
    assert verdict.peak_bytes > 100_000_000


def test_box_holds_what_takes_too_long() -> None:
    """A scan bomb is given up when its time is over."""
    assert run_seed(attack("scans-89-mpx").upload(), wall_s=2.0).verdict in {"timeout", "crash"}


def test_box_holds_what_takes_too_much_memory() -> None:
    """Within little memory, the bomb is the validator's own failure."""
    verdict = run_seed(attack("jpeg-132-mpx").upload(), memory_bytes=150_000_000)

    assert verdict.verdict in {"reject", "crash"}
    assert verdict.output is None
