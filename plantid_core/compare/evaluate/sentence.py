"""The finding in words: who was right first time, how surely, and whether one is better."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plantid_core.compare.evaluate.judgement import CONSENSUS
from plantid_core.palette import TITLES

if TYPE_CHECKING:
    from collections.abc import Collection

    from plantid_core.compare.evaluate.measure import Figure, Measured, Pair

LEVEL = 0.05

_THOUSANDTH = 0.001


def finding(measured: Measured, sandbox: Collection[str] = ()) -> str:
    """Return the first sentence of an evaluation, and one of the joint ranking.

    ``sandbox`` names the providers that an emulator answered for; they are marked wherever named.
    """
    found = {
        name: figures["top1"]
        for name, figures in measured.providers.items()
        if figures["top1"].value is not None
    }
    own = {name: figure for name, figure in found.items() if name != CONSENSUS}
    if not own:
        return "No photo labelled with a species was answered, so nobody can be right first time."
    ranked = sorted(own, key=lambda name: own[name].value or 0.0, reverse=True)
    told = [f"{titled(name, sandbox)} on {_share(own[name])}" for name in ranked]
    told[0] = told[0].replace(" on ", " was right first time on ", 1)
    sentences = [f"{', '.join(told)}{_verdict(measured, ranked, sandbox)}."]
    if CONSENSUS in found and len(own) > 1:
        sentences.append(f"Their joint ranking was right on {_share(found[CONSENSUS])}.")
    if sandbox:
        sentences.append("Sandbox answers are no botany: they say nothing about the real services.")
    return " ".join(sentences)


def titled(name: str, sandbox: Collection[str] = ()) -> str:
    """Return a provider's title, marked where the sandbox answered."""
    title = TITLES.get(name, name)
    return f"{title} (sandbox)" if name in sandbox else title


def p_value(p: float) -> str:
    """Return p as papers write it: no zero before the point."""
    return "p < .001" if p < _THOUSANDTH else f"p = {_digits(p)}"


def _digits(p: float) -> str:
    rounded = f"{p:.2f}" if p >= LEVEL else f"{p:.3f}"
    return rounded.removeprefix("0")


def _share(figure: Figure) -> str:
    value = f"{figure.value or 0.0:.0%}".replace("%", " %")
    if figure.low is None or figure.high is None:
        return f"{value} (of {figure.n})"
    return f"{value} [{figure.low * 100:.0f}–{figure.high * 100:.0f}]"


def _verdict(measured: Measured, ranked: list[str], sandbox: Collection[str]) -> str:
    """Say whether the best is better than the second, by McNemar's test on what both answered."""
    if len(ranked) == 1:
        return ""
    pair = next(one for one in measured.pairs if {one.a, one.b} == set(ranked[:2]))
    p = p_value(pair.mcnemar.p)
    if pair.mcnemar.p >= LEVEL:
        between = " between the first two" if ranked[2:] else ""
        return f": no clear winner{between}, {p}"
    return f": {titled(_winner(pair), sandbox)} is better, {p}"


def _winner(pair: Pair) -> str:
    return pair.a if pair.mcnemar.only_a > pair.mcnemar.only_b else pair.b
