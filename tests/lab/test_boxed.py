"""The usual validator in its box."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
from processes import until

from plantid_core.lab.attacks import ATTACKS, MARK, Attack
from plantid_core.lab.boxed import run_seed
from plantid_core.lab.pictures import quadrants
from plantid_core.upload import Upload


def attack(name: str) -> Attack:
    return next(attack for attack in ATTACKS if attack.id == name)


def boxes() -> list[psutil.Process]:
    return [
        child
        for child in psutil.Process().children()
        if child.status() != psutil.STATUS_ZOMBIE
        and "plantid_core.lab.seed_upload" in child.cmdline()
    ]


@pytest.mark.parametrize(
    "name", ["php-inside", "null-byte", "png-as-jpg", "long-name", "png-99-mpx", "gif-30000"]
)
def test_usual_validator_lets_in_what_ours_refuses(name: str) -> None:
    """These pass the usual checks."""
    assert run_seed(attack(name).upload()).verdict == "accept"


@pytest.mark.parametrize("name", ["comment", "gif-script-comment"])
def test_usual_re_encode_keeps_the_comment(name: str) -> None:
    """A payload in a comment survives the usual cleaning."""
    verdict = run_seed(attack(name).upload())

    assert verdict.output is not None
    assert MARK in verdict.output


def test_usual_re_encode_breaks_over_a_long_comment() -> None:
    """An error that the validator does not catch is a crash, and says at which step."""
    verdict = run_seed(attack("gif-comment").upload())

    assert (verdict.verdict, verdict.layer, verdict.reason) == ("crash", "re-encode", "ValueError")


@pytest.mark.parametrize("name", ["jpg", ".jpg", "leaf.", "leaf"])
def test_name_without_an_extension_is_refused(name: str) -> None:
    """The usual check wants a suffix, as pathlib understands one."""
    verdict = run_seed(Upload(quadrants(), name))

    assert (verdict.verdict, verdict.layer) == ("reject", "name")


@pytest.mark.parametrize("name", ["\x00\n.jpg", "\ud800.jpg", "x" * 200_000 + ".jpg"])
def test_any_name_reaches_the_box(name: str) -> None:
    """No name is too odd or too long to be judged."""
    assert run_seed(Upload(quadrants(), name)).verdict == "accept"


def test_bomb_is_decoded_before_it_is_refused() -> None:
    """The usual order of checks costs the memory that the limit should have saved."""
    verdict = run_seed(attack("jpeg-132-mpx").upload())

    assert (verdict.verdict, verdict.layer) == ("reject", "header")
    assert verdict.peak_bytes > 100_000_000


def test_box_holds_what_takes_too_long() -> None:
    """A scan bomb is given up when its time is over."""
    verdict = run_seed(attack("scans-2000").upload(), wall_s=1.0)

    assert (verdict.verdict, verdict.ms, verdict.output) == ("timeout", 1000.0, None)
    assert not boxes()


def test_killed_box_is_a_crash() -> None:
    """Whatever ends the process, its end is the verdict, and nothing is left running."""
    with ThreadPoolExecutor(1) as executor:
        verdict = executor.submit(run_seed, attack("scans-2000").upload())
        assert until(lambda: bool(boxes()))
        boxes()[0].kill()

    assert verdict.result().verdict == "crash"
    assert "SIGKILL" in verdict.result().reason
    assert not boxes()


def test_box_holds_what_takes_too_much_memory() -> None:
    """Within little memory, the bomb is the validator's own failure."""
    verdict = run_seed(attack("jpeg-132-mpx").upload(), memory_bytes=150_000_000)

    assert verdict.verdict in {"reject", "crash"}
    assert verdict.output is None
