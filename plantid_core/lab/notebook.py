"""What the notebooks share: their size, how a figure is shown, how they are run anew.

``python -m plantid_core.lab.notebook refresh`` runs them at full size and writes their outputs, with
figures as pictures beside the interactive ones. What varies from run to run and says nothing (counts,
times, widgets' state) is not kept, so that a seeded notebook run twice is the same file.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from plantid_core.errors import PlantIDError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import plotly.graph_objects as go
    from nbformat import NotebookNode

T = TypeVar("T")

SIZE = "PLANTID_NOTEBOOK_SIZE"
# Their timings are this machine's, on this day.
LIVE = ("04_lease_broadcast_vs_lock", "06_upload_chain_cost")
_FULL = "full"
_SIZES = ("small", _FULL)
_WIDTH, _HEIGHT = 900, 450
_CELL_S = 900
_VARYING = ["metadata.language_info.version", "cell.metadata.execution"]


class NotebookFailed(PlantIDError):
    """A notebook ended with an error; ``name`` is the notebook's."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name} failed: {reason}")
        self.name, self.reason = name, reason


def size(small: T, full: T) -> T:
    """Return ``full`` where PLANTID_NOTEBOOK_SIZE is full, else ``small``, which takes seconds.

    Raises `PlantIDError` for any other word.
    """
    return full if _is_full() else small


def _is_full() -> bool:
    word = os.environ.get(SIZE, "small")
    if word not in _SIZES:
        raise PlantIDError(f"{SIZE} must be one of {', '.join(_SIZES)}; it is {word!r}.")
    return word == _FULL


def show(figure: go.Figure, alt: str) -> None:
    """Show a figure, and under it a sentence on what is to be seen in it.

    At full size with a picture (PNG) for readers without JavaScript, where a Chrome or Chromium is
    installed.
    """
    from IPython import display

    shown: dict[str, Any] = {
        "application/vnd.plotly.v1+json": json.loads(figure.to_json()),
        "text/plain": alt,
    }
    if _is_full() and (picture := _picture(figure)) is not None:
        shown["image/png"] = picture
    told = {"text/markdown": f"*{alt}*", "text/plain": alt}
    display.display(  # type: ignore[no-untyped-call]
        shown, metadata={"image/png": {"alt": alt}}, raw=True
    )
    display.display(told, raw=True)  # type: ignore[no-untyped-call]


def _picture(figure: go.Figure) -> str | None:
    from plantid_core.lab.charts.export import ChartNotExported, png

    try:
        height = int(figure.layout.height or _HEIGHT)
        return base64.b64encode(png(figure, _WIDTH, height)).decode()
    except ChartNotExported:
        return None


def execute(path: Path, word: str) -> NotebookNode:
    """Return the notebook as it comes out of a kernel of its own, at the size of that word.

    Raises `NotebookFailed`.
    """
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError as CellFailed
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    book: NotebookNode = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    client = NotebookClient(book, timeout=_CELL_S, kernel_name="python3", record_timing=False)
    environment = {**os.environ, SIZE: word}
    try:
        client.execute(cwd=str(path.parent), env=environment)
    except CellFailed as error:
        raise NotebookFailed(path.name, f"{error.ename}: {error.evalue}") from error
    except (CellTimeoutError, DeadKernelError) as error:
        raise NotebookFailed(path.name, type(error).__name__) from error
    return book


def stripped(book: NotebookNode) -> str:
    """Return the notebook's file with its outputs, without what varies from run to run."""
    import nbformat
    import nbstripout  # type: ignore[import-untyped]

    kept = nbstripout.strip_output(
        book,
        keep_output=True,
        keep_count=False,
        keep_id=True,
        extra_keys=_VARYING,
        # Logs with the machine's paths: a browser that draws has much to say.
        drop_output_types={"stream:stderr"},
    )
    text = str(nbformat.writes(kept))  # type: ignore[no-untyped-call]
    return text.removesuffix("\n") + "\n"


def refresh(folder: Path, names: Sequence[str] = (), word: str = _FULL) -> None:
    """Run the notebooks of a folder (those named, else all) and write them anew with their outputs."""
    for path in sorted(folder.glob("*.ipynb")):
        if not names or path.stem in names:
            sys.stderr.write(f"{path.name}\n")
            made = stripped(execute(path, word))
            path.write_text(made, encoding="utf-8")


def main() -> int:
    """Run the command line; an error of ours is one line and an exit code of 1."""
    parser = argparse.ArgumentParser(
        prog="python -m plantid_core.lab.notebook", description=__doc__
    )
    parser.add_argument("verb", choices=["refresh"])
    parser.add_argument(
        "names", nargs="*", help="of notebooks, without .ipynb; all, where none is given"
    )
    parser.add_argument("--folder", type=Path, default=Path("notebooks"))
    parser.add_argument("--size", choices=_SIZES, default=_FULL)
    asked = parser.parse_args()
    try:
        refresh(asked.folder, asked.names, asked.size)
    except PlantIDError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
