"""The notebooks: seeded ones repeat, none tells of the machine it ran on."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest

from plantid_core.errors import PlantIDError
from plantid_core.lab import notebook

FOLDER = Path(__file__).parents[2] / "notebooks"
ALL = sorted(FOLDER.glob("*.ipynb"))
SEEDED = [path for path in ALL if path.stem not in notebook.LIVE]
QUICK = "02_what_the_seed_formula_does"
_MACHINE = re.compile(r"/(?:home|root|Users|work|tmp|usr)/|[A-Z]:\\\\|\.venv|site-packages")


def named(path: Path) -> str:
    return path.stem


@pytest.mark.parametrize("path", ALL, ids=named)
def test_a_notebook_is_kept_whole_and_clean(path: Path) -> None:
    """It is valid, holds no machine's paths and no error, and says what it is at its top."""
    book = nbformat.read(path, as_version=4)
    outputs = [output for cell in book.cells for output in cell.get("outputs", [])]

    nbformat.validate(book)
    assert book.cells[0].source.startswith("# ")
    assert _MACHINE.search(path.read_text(encoding="utf-8")) is None
    assert [output for output in outputs if output.output_type == "error"] == []


@pytest.mark.parametrize("path", ALL, ids=named)
def test_a_notebook_holds_nothing_that_varies(path: Path) -> None:
    """To strip it again changes nothing."""
    text = path.read_text(encoding="utf-8")

    assert notebook.stripped(nbformat.reads(text, as_version=4)) == text


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, marks=() if path.stem == QUICK else pytest.mark.slow, id=path.stem)
        for path in SEEDED
    ],
)
def test_a_seeded_notebook_is_the_same_file_twice(path: Path) -> None:
    """Byte for byte, once what varies and says nothing is taken away."""
    once, again = (notebook.stripped(notebook.execute(path, "small")) for _ in range(2))

    assert once == again
    assert '"output_type": "display_data"' in once


def test_every_notebook_is_in_the_list_of_them() -> None:
    """The README names each, and no other."""
    listed = re.findall(r"\]\((\w+)\.ipynb\)", (FOLDER / "README.md").read_text(encoding="utf-8"))

    assert sorted(listed) == [path.stem for path in ALL]


def test_a_failing_notebook_is_named(tmp_path: Path) -> None:
    """The error tells which and why, and nothing is written."""
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 / 0")])
    path = tmp_path / "bad.ipynb"
    nbformat.write(book, path)
    before = path.read_bytes()

    with pytest.raises(notebook.NotebookFailed, match=r"bad\.ipynb failed: ZeroDivisionError"):
        notebook.refresh(tmp_path, word="small")

    assert path.read_bytes() == before


def test_a_size_is_small_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """An unknown word is an error, not a silent small run."""
    assert notebook.size(1, 2) == 1
    monkeypatch.setenv(notebook.SIZE, "full")
    assert notebook.size(1, 2) == 2
    monkeypatch.setenv(notebook.SIZE, "huge")
    with pytest.raises(PlantIDError, match="huge"):
        notebook.size(1, 2)


def test_a_figure_is_shown_with_its_sentence(tmp_path: Path) -> None:
    """Small: no picture is drawn, for that takes seconds; the sentence stands under the figure."""
    cell = (
        "import plotly.graph_objects as go; from plantid_core.lab.notebook import show\n"
        "show(go.Figure(go.Scatter(y=[1, 2])), 'It rises.')"
    )
    path = tmp_path / "figure.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)]), path)

    figure, sentence = (one.data for one in notebook.execute(path, "small").cells[0].outputs)

    assert figure["application/vnd.plotly.v1+json"]["data"][0]["type"] == "scatter"
    assert figure["text/plain"] == "It rises."
    assert "image/png" not in figure
    assert sentence["text/markdown"] == "*It rises.*"
