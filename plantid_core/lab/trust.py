"""Which of two services is right more often, how surely that is known, and what it takes to know it.

The answers are the sandbox's: general image models behind the services' names, and no botany. Sources:
E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22, 1927 (the
interval); Q. McNemar, "Note on the sampling error of the difference between correlated proportions or
percentages", Psychometrika 12, 1947 (the test, here exact).
"""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
from PIL import Image, ImageEnhance, ImageFilter

from plantid_core.compare.consensus import consensus
from plantid_core.compare.evaluate.measure import mcnemar as split_test
from plantid_core.palette import COLOURS, TITLES
from plantid_core.plants import Answer, Suggestion
from plantid_core.providers.recognition import load_head

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import plotly.graph_objects as go

    from plantid_core.providers.recognition import Head, HeadName

# As in the sandbox's server.
_EYES: Final[dict[str, HeadName]] = {"plant_id": "lite1", "plantnet": "lite0"}
_KEY: Final = "plantnet"
_NAMED = 5
_TOPS: Final = {"top-1": "first", "top-3": "among_3"}
_LEVEL = 0.05
_ENOUGH = 0.8


def ask_sandbox(photo: bytes, count: int, seed: int) -> pd.DataFrame:
    """Return both services' answers to ``count`` pictures drawn from one, a row a photo and service.

    Columns: ``photo``, ``service``, ``names`` (the first five), ``first`` and ``among_3`` (is the expected
    name there), ``joint`` (the joint ranking's first name, empty where it abstains) and ``expected``, the
    name that one of the two gives the untouched photo.
    """
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "models").mkdir()
        heads = {name: load_head(head, Path(folder)) for name, head in _EYES.items()}
        expected = _answer(_KEY, heads[_KEY], photo).suggestions[0].taxon.scientific_name
        rows = [
            row
            for number, jpeg in enumerate(_pictures(photo, count, seed))
            for row in _rows(number, jpeg, heads, expected)
        ]
    return pd.DataFrame(rows)


def _pictures(original: bytes, count: int, seed: int) -> Iterator[bytes]:
    """Yield cuts of the photo, darker and less sharp, from easy to hopeless."""
    rng = np.random.default_rng(seed)
    with Image.open(io.BytesIO(original)) as opened:
        whole = opened.convert("RGB")
    for _ in range(count):
        width, height = (int(side * rng.uniform(0.3, 1.0)) for side in whole.size)
        left, top = rng.integers(whole.width - width + 1), rng.integers(whole.height - height + 1)
        cut = whole.crop((int(left), int(top), int(left) + width, int(top) + height))
        dim = ImageEnhance.Brightness(cut).enhance(rng.uniform(0.3, 1.2))
        buffer = io.BytesIO()
        dim.filter(ImageFilter.GaussianBlur(rng.uniform(0.0, 5.0))).save(buffer, "JPEG", quality=90)
        yield buffer.getvalue()


def _answer(service: str, head: Head, jpeg: bytes) -> Answer:
    seen = head.recognise(jpeg)
    named = tuple(Suggestion(taxon, mass) for taxon, mass in seen.taxa[:_NAMED])
    return Answer(service, "ok", "upstream", sandbox=True, elapsed_ms=0.0, suggestions=named)


def _rows(
    number: int, jpeg: bytes, heads: dict[str, Head], expected: str
) -> Iterator[dict[str, object]]:
    answers = [_answer(service, head, jpeg) for service, head in heads.items()]
    agreed = consensus(answers)
    joint = "" if agreed.abstained else agreed.suggestions[0].scientific_name
    for answer in answers:
        names = [suggestion.taxon.scientific_name for suggestion in answer.suggestions]
        yield {
            "photo": number,
            "service": answer.provider,
            "names": names,
            "first": names[0] == expected,
            "among_3": expected in names[:3],
            "joint": joint,
            "expected": expected,
        }


def accuracy(answers: pd.DataFrame) -> pd.DataFrame:
    """Return ``share`` with Wilson's 95 % interval ``low``–``high``, a row a service and measure."""
    from scipy.stats import binomtest

    rows = []
    for service, own in answers.groupby("service"):
        for measure, column in _TOPS.items():
            right, of = int(own[column].sum()), len(own)
            interval = binomtest(right, of).proportion_ci(method="wilson")
            rows.append(
                {"service": service, "measure": measure, "photos": of, "share": right / of,
                 "low": interval.low, "high": interval.high}
            )  # fmt: skip
    return pd.DataFrame(rows)


def mcnemar(answers: pd.DataFrame) -> pd.DataFrame:
    """Return one row: photos that only the one service got right first, only the other, and exact p.

    With no photo on which they differ, p is 1.
    """
    right = answers.pivot_table(index="photo", columns="service", values="first", aggfunc="first")
    one, other = sorted(right.columns)
    first, second = right[one].astype(bool), right[other].astype(bool)
    test = split_test(int((first & ~second).sum()), int((second & ~first).sum()))
    split = {f"only_{one}": test.only_a, f"only_{other}": test.only_b}
    return pd.DataFrame([{**split, "photos": len(right), "p": test.p}])


def power(
    counts: Sequence[int],
    *,
    better: float,
    worse: float,
    differ: float,
    trials: int,
    seed: int,
) -> pd.DataFrame:
    """Return how often the exact McNemar test at 5 % finds a true difference, for each number of photos.

    ``better`` and ``worse`` are the services' true shares of right names, ``differ`` the share of photos
    on which only one is right. Columns ``photos``, ``detected`` (share of the trials). Raises ValueError
    where such shares cannot be.
    """
    from scipy.stats import binom

    gain = better - worse
    if not 0 <= gain <= differ <= min(1.0, better + worse, 2.0 - better - worse):
        raise ValueError(
            f"shares {better:g} and {worse:g} cannot differ on {differ:g} of the photos"
        )
    rng = np.random.default_rng(seed)
    chances = [(differ + gain) / 2, (differ - gain) / 2, 1 - differ]
    rows = []
    for photos in counts:
        drawn = rng.multinomial(photos, chances, trials)
        fewer, both = drawn[:, :2].min(axis=1), drawn[:, :2].sum(axis=1)
        p = np.minimum(1.0, 2 * binom.cdf(fewer, both, 0.5))
        rows.append({"photos": photos, "detected": float((p < _LEVEL).mean())})
    return pd.DataFrame(rows)


def joint(answers: pd.DataFrame) -> pd.DataFrame:
    """Return one row: on how many photos the joint ranking speaks, and how often it is right then."""
    photos = answers.drop_duplicates("photo")
    speaks = photos["joint"] != ""
    right = photos["joint"] == photos["expected"]
    return pd.DataFrame(
        [
            {
                "photos": len(photos),
                "speaks": float(speaks.mean()),
                "right_when_speaking": float(right[speaks].mean()),
                "right_of_all": float(right.mean()),
            }
        ]
    )


def accuracy_figure(found: pd.DataFrame) -> go.Figure:
    """Return each share as a point on its interval."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for service, own in found.groupby("service"):
        figure.add_scatter(
            x=own["share"],
            y=own["measure"],
            error_x={
                "array": (own["high"] - own["share"]).tolist(),
                "arrayminus": (own["share"] - own["low"]).tolist(),
            },
            mode="markers",
            marker={"size": 12, "color": COLOURS[str(service)]},
            name=f"{TITLES[str(service)]} (sandbox)",
        )
    figure.update_layout(template="plotly_white", scattermode="group")
    figure.update_xaxes(
        title="right names, with Wilson's 95 % interval", range=[0, 1], tickformat=".0%"
    )
    return figure


def accuracy_finding(found: pd.DataFrame) -> str:
    """Return in a sentence how sure the first names' accuracies are."""
    told = [
        f"{TITLES[str(service)]} (sandbox) was right first time on {share:.0%} [{low:.0%}–{high:.0%}]"
        for service, share, low, high in found.loc[
            found["measure"] == "top-1", ["service", "share", "low", "high"]
        ].itertuples(index=False)
    ]
    return f"Of {int(found['photos'].iloc[0]):,} photos, {' and '.join(told)}."


def power_figure(found: pd.DataFrame) -> go.Figure:
    """Return the share of trials that see the difference, against the number of photos."""
    import plotly.graph_objects as go

    figure = go.Figure()
    figure.add_scatter(x=found["photos"], y=found["detected"], mode="lines+markers", name="seen")
    figure.add_hline(y=_ENOUGH, line_dash="dash", annotation_text="four times in five")
    figure.update_layout(template="plotly_white")
    figure.update_xaxes(title="labelled photos", type="log")
    figure.update_yaxes(title="how often the difference is seen", range=[0, 1], tickformat=".0%")
    return figure


def power_finding(found: pd.DataFrame) -> str:
    """Return in a sentence from which number of photos on the difference is seen mostly."""
    few = found.iloc[0]
    begun = f"With {int(few['photos']):,} photos the difference is seen {few['detected']:.0%} of the time"
    enough = found.loc[found["detected"] >= _ENOUGH, "photos"]
    if enough.empty:
        return f"{begun}, and none of the numbers tried is enough for four times in five."
    return f"{begun}; of the numbers tried, {int(enough.min()):,} is the first to see it four times in five."
