"""Coverage-guided fuzzing of the header walks; by hand, not part of the test run.

``pip install atheris`` beside the project, then ``python tests/upload/fuzz_container.py CORPUS
-max_total_time=600``, with CORPUS a folder that is filled with honest files at the first run.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["plantid_core.upload"]):
    from plantid_core.errors import UploadRejected
    from plantid_core.upload import Policy
    from plantid_core.upload.container import walk

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]

FORMATS = ("JPEG", "PNG", "GIF", "WEBP")
POLICY = Policy()


def one(data: bytes) -> None:
    """Walk one file; the first byte chooses the format. Anything but a refusal is a finding."""
    if not data:
        return
    format_name = FORMATS[data[0] % len(FORMATS)]
    picture = data[1:]
    try:
        header = walk(picture, format_name, POLICY)
    except UploadRejected:
        return
    bare = header.stripped(picture)
    again = walk(bare, format_name, POLICY)
    if again.embedded or (again.width, again.height) > (header.width, header.height):
        raise AssertionError("a bare picture is not bare")


def seed(folder: Path) -> None:
    """Fill the corpus with honest files."""
    from test_mutants import EXTENSIONS, originals

    folder.mkdir(parents=True, exist_ok=True)
    formats = {f"leaf.{extension}": name for name, extension in EXTENSIONS.items()}
    for number, (name, data) in enumerate(originals()):
        first = bytes([FORMATS.index(formats[name])])
        (folder / f"honest-{number}").write_bytes(first + data)


if __name__ == "__main__":
    seed(Path(sys.argv[1]))
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()
