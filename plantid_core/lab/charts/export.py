"""A chart as a picture, drawn by the Chromium or Chrome of this machine (through kaleido)."""

from __future__ import annotations

import os
import shutil
import threading
from typing import TYPE_CHECKING

from plantid_core.errors import PlantIDError

if TYPE_CHECKING:
    import plotly.graph_objects as go

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_SCALE = 2
# A browser takes some 200 MB: one draws at a time, and a few pictures may wait for it.
_DRAWING = threading.Semaphore(1)
_PATIENCE_S = 60.0


class ChartNotExported(PlantIDError):
    """No picture could be made of a chart; ``reason`` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason} The data can still be downloaded as CSV.")
        self.reason = reason


def browser() -> str | None:
    """Return the path of the browser that would draw, or None where there is none."""
    named = os.environ.get("BROWSER_PATH")
    return next(filter(None, map(shutil.which, filter(None, (named, *_BROWSERS)))), None)


def png(figure: go.Figure, width: int = 1000, height: int | None = None) -> bytes:
    """Return the figure as PNG on white, at twice so many pixels; takes seconds.

    One picture is drawn at a time in this process.

    Raises `ChartNotExported` where no browser is installed, or where it cannot draw,
    or where others have kept it busy for a minute.
    """
    path = browser()
    if path is None:
        raise ChartNotExported(
            "A picture needs a browser to draw it: install Debian's package chromium, or Google Chrome."
        )
    import kaleido  # type: ignore[import-untyped]
    import plotly.graph_objects as go

    shown = go.Figure(figure)
    shown.update_layout(paper_bgcolor="white", plot_bgcolor="white", font_color="#1d2b22")
    size = {"width": width, "height": height or shown.layout.height or width * 5 // 8}
    options = {"format": "png", "scale": _SCALE, **size}
    if not _DRAWING.acquire(timeout=_PATIENCE_S):
        raise ChartNotExported("Other pictures are being drawn. Try again in a minute.")
    try:
        made: bytes = kaleido.calc_fig_sync(
            shown.to_dict(), opts=options, kopts={"path": path, "timeout": 60}
        )
    except Exception as error:  # its browser's troubles have no common base
        raise ChartNotExported(f"The browser at {path} could not draw the chart.") from error
    finally:
        _DRAWING.release()
    return made
