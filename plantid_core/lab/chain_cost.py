"""What each gate of the upload chain costs, for good photos and for hostile files; live timings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pandas as pd

from plantid_core.errors import UploadRejected
from plantid_core.lab import trial
from plantid_core.lab.attacks import ATTACKS
from plantid_core.lab.pictures import encode, photo_like
from plantid_core.upload import Policy, Upload
from plantid_core.upload.isolation.pool import shared_pool
from plantid_core.upload.rejection import LAYERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import plotly.graph_objects as go

    from plantid_core.lab.attacks import Attack

_MB: Final = 1e6
_COLOURS: Final = {"good": "#009E73", "hostile": "#D55E00"}


def measure(
    sizes: Sequence[tuple[int, int]], attacks: Sequence[str] | None, runs: int
) -> pd.DataFrame:
    """Return a row a file, run and gate reached: file, kind, gate, ``ms``, ``peak_mb``, passed.

    Good photos are of these sizes in pixels; ``attacks`` names those of the shelf that are to be refused
    (None: all). A run before the first is not counted. A file that a worker failed over has no gates, and
    is left out.
    """
    files = [("good", f"{width} × {height}", _photo(width, height)) for width, height in sizes]
    files += [("hostile", attack.id, attack.upload()) for attack in _hostile(attacks)]
    rows: list[dict[str, object]] = []
    for kind, name, upload in files:
        _gates(kind, name, upload)
        for _ in range(runs):
            rows += _gates(kind, name, upload)
    return pd.DataFrame(rows)


def _photo(width: int, height: int) -> Upload:
    return Upload(encode(photo_like(width, height), "JPEG", quality=92), "photo.jpg", "image/jpeg")


def _hostile(names: Sequence[str] | None) -> list[Attack]:
    hostile = [attack for attack in ATTACKS if attack.expect == "reject"]
    return hostile if names is None else [one for one in hostile if one.id in names]


def _gates(kind: str, name: str, upload: Upload) -> list[dict[str, object]]:
    try:
        examination = shared_pool().examine(upload.data, upload.filename, Policy())
    except UploadRejected:
        return []
    return [
        {"file": name, "kind": kind, "gate": gate.layer, "ms": gate.ms,
         "peak_mb": gate.peak_bytes / _MB, "passed": gate.passed}
        for gate in examination.gates
    ]  # fmt: skip


def refusals(costs: pd.DataFrame) -> pd.DataFrame:
    """Return for each hostile file the gate that refused it, and the median of all its gates' time."""
    hostile = costs[costs["kind"] == "hostile"]
    ended = hostile[~hostile["passed"]].groupby("file", sort=False)["gate"].first()
    # Each run of a file begins with the first gate.
    run = (hostile["gate"] == LAYERS[0]).cumsum()
    each = hostile.groupby(["file", run], sort=False)["ms"].sum()
    whole = each.groupby("file", sort=False).median()
    return pd.DataFrame({"gate": ended, "ms": whole}).reset_index()


def beside(attacks: Sequence[str] | None) -> pd.DataFrame:
    """Return what our chain and the usual validator made of each hostile file, with time and memory."""
    return pd.DataFrame([_beside(attack) for attack in _hostile(attacks)])


def _beside(attack: Attack) -> dict[str, object]:
    found = trial.run(attack.upload(), hostile=True)
    gates = found.ours.gates if found.ours else ()
    return {
        "file": attack.id,
        "ours": "accepted" if found.rejected is None else "refused",
        "ours_ms": sum(gate.ms for gate in gates),
        "ours_peak_mb": max((gate.peak_bytes for gate in gates), default=0) / _MB,
        "usual": found.usual.verdict,
        "usual_ms": found.usual.ms,
        "usual_peak_mb": found.usual.peak_bytes / _MB,
    }


def gates_figure(costs: pd.DataFrame) -> go.Figure:
    """Return each gate's median time, good photos beside hostile files; logarithmic."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for kind, own in costs.groupby("kind"):
        median = own.groupby("gate")["ms"].median().reindex(list(LAYERS)).dropna()
        figure.add_bar(x=median.index, y=median, name=str(kind), marker_color=_COLOURS[str(kind)])
    figure.update_layout(template="plotly_white", barmode="group")
    figure.update_xaxes(categoryorder="array", categoryarray=list(LAYERS), title="gate")
    figure.update_yaxes(type="log", title="median time, ms")
    return figure


def gates_finding(costs: pd.DataFrame) -> str:
    """Return in a sentence what share of a good photo's time is spent before its decode."""
    good = costs[costs["kind"] == "good"].groupby("gate")["ms"].median()
    whole = float(good.sum())
    late = float(good.reindex(["decode", "re-encode"]).sum())
    return (
        f"A good photo takes {whole:.0f} ms in all; {late / whole:.2%} of that are its decode and"
        f" re-encode, {1 - late / whole:.2%} the four gates before."
    )


def beside_figure(found: pd.DataFrame) -> go.Figure:
    """Return both contestants' time over each hostile file; the verdict stands on the bar."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for who, title, colour in (
        ("ours", "our chain", "#0072B2"),
        ("usual", "usual validator", "#8a938d"),
    ):
        figure.add_bar(
            x=found["file"],
            y=found[f"{who}_ms"].clip(lower=0.01),
            text=found[who],
            name=title,
            marker_color=colour,
        )
    figure.update_layout(template="plotly_white", barmode="group")
    figure.update_yaxes(type="log", title="time, ms")
    return figure


def beside_finding(found: pd.DataFrame) -> str:
    """Return in a sentence how many hostile files each of the two stopped."""
    ours, usual = int((found["ours"] == "refused").sum()), int((found["usual"] == "reject").sum())
    return (
        f"Of {len(found)} hostile files our chain refused {ours}, the usual validator {usual};"
        f" the costliest took {found['ours_ms'].max():,.0f} ms and {found['usual_ms'].max():,.0f} ms."
    )
