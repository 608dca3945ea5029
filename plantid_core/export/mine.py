"""All that is an owner's, in one ZIP: what is kept, as it is kept, for nobody but the owner."""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from plantid_core.errors import PhotoDamaged, PhotoNotFound
from plantid_core.export.as_json import as_json
from plantid_core.export.observations import write_csv

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import IO

    from plantid_core.export.release import Exported, Terms
    from plantid_core.store.history.values import Observed

_README = """All that plantid keeps of you, as it was when this file was made.

observations.jsonl   every observation with its answers and determinations, one JSON object a line
observations.csv     the same as a table, a row a suggestion
photos/              every photo that is kept, under the name that the observations give it

Places are exact, and answers of the sandbox (practice, no botany) are in it: think twice before you
hand this on. plantid history export makes files for others.
"""


def write_mine(
    file: IO[bytes],
    observations: Iterable[Observed],
    terms: Terms,
    photo_ids: Iterable[str],
    load_photo: Callable[[str], bytes],
) -> Exported:
    """Write the ZIP into ``file``, and return what is in it; a damaged photo is counted as missing."""
    with (
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
        tempfile.TemporaryDirectory(prefix="plantid-") as folder,
    ):
        archive.writestr("README.txt", _README)
        # One pass over the database, so that both tell of the same state.
        lines, table = Path(folder) / "observations.jsonl", Path(folder) / "observations.csv"
        with lines.open("wb") as objects, table.open("w", encoding="utf-8", newline="") as rows:
            done = write_csv(rows, _noted(observations, objects), terms)
        for path in (lines, table):
            archive.write(path, path.name)
        for photo_id in photo_ids:
            try:
                jpeg = load_photo(photo_id)
            except (PhotoNotFound, PhotoDamaged):
                done.photos_missing += 1
            else:
                archive.writestr(f"photos/{photo_id}.jpg", jpeg, zipfile.ZIP_STORED)
    return done


def _noted(observations: Iterable[Observed], lines: IO[bytes]) -> Iterator[Observed]:
    for observed in observations:
        lines.write(orjson.dumps(as_json(observed), option=orjson.OPT_APPEND_NEWLINE))
        yield observed
