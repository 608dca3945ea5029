"""From labelled photos to a herbarium: each file through the upload chain, then features, then the fit.

Several threads, since the decode is in other processes and the image model lets go of the interpreter.
What has been looked at once is kept by the digest of its file: a build that was ended goes on where it
was, and a second one looks only at what is new.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
import os
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from plantid_core.errors import HerbariumUnusable, UploadRejected
from plantid_core.providers.herbarium import file
from plantid_core.providers.herbarium.kept import Features, KeptFeatures
from plantid_core.providers.herbarium.learn import learn, prepare
from plantid_core.providers.herbarium.place import folder
from plantid_core.providers.herbarium.specimen import Built, Progress, Refused
from plantid_core.providers.recognition import digest, load_head
from plantid_core.upload import Policy, admit
from plantid_core.upload.chain import require_size
from plantid_core.upload.rejection import reject

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from plantid_core.providers.herbarium.specimen import Specimen
    from plantid_core.providers.recognition import Head

_WAITING = 4
"""So many files a thread are read ahead: what they take in memory is bounded by it."""


@dataclass(frozen=True, slots=True, eq=False)
class _Looked:
    specimen: Specimen
    raw: bytes = b""
    found: Features | None = None
    fresh: bool = False
    refused: Refused | None = None


def build(
    specimens: Sequence[Specimen],
    data_dir: Path,
    *,
    tell: Callable[[Progress], None] | None = None,
    stop: threading.Event | None = None,
) -> Built | None:
    """Build the herbarium of these photos and put it in the place of the former one.

    A photo that the upload chain refuses, and one that is there twice, is listed, and the rest goes on.
    Returns None where ``stop`` was set: what has been looked at is kept for the next build. Raises
    `HerbariumUnusable`, and `ModelUnavailable`; the former herbarium stays then.
    """
    begin = time.perf_counter()
    taken: dict[bytes, _Looked] = {}
    refused: list[Refused] = []
    embedded = 0
    with KeptFeatures(folder(data_dir), scope()) as kept, ThreadPoolExecutor(1) as aside:
        expected = aside.submit(prepare)
        eye = _Eye(_head(data_dir), kept)
        raws: set[bytes] = set()
        for done, looked in enumerate(_in_turn(specimens, eye.look), start=1):
            if looked.found is not None:
                raws.add(looked.raw)
                # Two like files may have been looked at side by side.
                if kept.get(looked.raw) is None:
                    kept.add(looked.raw, looked.found)
                    embedded += 1
            if fault := _fault(looked, taken):
                refused.append(fault)
            if tell is not None:
                elapsed_s = time.perf_counter() - begin
                tell(Progress(done, len(specimens), embedded, elapsed_s))
            if stop is not None and stop.is_set():
                return None
        if not taken:
            reason = "No photo is left to learn from."
            if refused:
                reason += f" The first was refused: {refused[0].file}: {refused[0].message}"
            raise HerbariumUnusable("empty", reason)
        rows = list(taken.values())
        herbarium = learn(
            np.stack([row.found.features for row in rows if row.found]),
            [row.specimen.taxon for row in rows],
            [row.specimen.source for row in rows],
            frozenset(taken),
            dt.datetime.now(dt.UTC),
            expected.result(),
        )
        file.save(herbarium, data_dir)
        # With those that are there twice, which would be looked at anew each time.
        kept.keep_only(raws)
    reused = sum(not row.fresh for row in rows)
    elapsed_s = time.perf_counter() - begin
    return Built(herbarium, embedded, reused, tuple(refused), elapsed_s)


def scope() -> str:
    """Return all that shapes the features of a file: the image model and the upload chain's policy."""
    return f"{digest('lite0')}:{Policy().version}"


def _head(data_dir: Path) -> Head:
    try:
        return load_head("lite0", data_dir)
    except OSError as error:
        reason = f"The image model could not be kept on disk: {error.strerror}."
        raise HerbariumUnusable("disk", reason) from error


@dataclass(frozen=True, slots=True, eq=False)
class _Eye:
    head: Head
    kept: KeptFeatures

    def look(self, specimen: Specimen) -> _Looked:
        """Return the photo's features, kept or new, or why it is refused; raises nothing else."""
        policy = Policy()
        try:
            data = _bytes(specimen.path, policy)
            raw = hashlib.sha256(data).digest()
            if (found := self.kept.get(raw)) is not None:
                return _Looked(specimen, raw, found)
            photo = admit(data, specimen.path.name, policy=policy)
        except UploadRejected as rejected:
            return _Looked(specimen, refused=Refused(specimen.file, rejected.code, str(rejected)))
        except OSError as error:
            message = f"It cannot be read: {error.strerror}."
            return _Looked(specimen, refused=Refused(specimen.file, "unreadable", message))
        sight = self.head.see(photo.jpeg)
        found = Features(bytes.fromhex(photo.sha256), sight.plant_mass, sight.features)
        return _Looked(specimen, raw, found, fresh=True)


def _bytes(path: Path, policy: Policy) -> bytes:
    if not path.is_file():
        raise reject("not_a_file", detected="a directory" if path.is_dir() else "a special file")
    require_size(path.stat().st_size, policy)
    with path.open("rb") as opened:
        return opened.read(policy.max_bytes + 1)


def _in_turn(
    specimens: Sequence[Specimen], look: Callable[[Specimen], _Looked]
) -> Iterator[_Looked]:
    """Yield what each looks like, in order; no more are begun once nobody asks for the next."""
    width = (os.cpu_count() or 1) + 1
    left = iter(specimens)
    with ThreadPoolExecutor(width, "herbarium") as executor:
        waiting: deque[Future[_Looked]] = deque(
            executor.submit(look, one) for one in itertools.islice(left, _WAITING * width)
        )
        try:
            while waiting:
                yield waiting.popleft().result()
                waiting.extend(executor.submit(look, one) for one in itertools.islice(left, 1))
        finally:
            for future in waiting:
                future.cancel()


def _fault(looked: _Looked, taken: dict[bytes, _Looked]) -> Refused | None:
    """Take the photo where it is new; return why not else."""
    if looked.found is None:
        return looked.refused
    first = taken.setdefault(looked.found.sha256, looked)
    if first is looked:
        return None
    message = f"The same photo as {first.specimen.file}."
    if first.specimen.taxon.scientific_name != looked.specimen.taxon.scientific_name:
        message = (
            f"The same photo as {first.specimen.file}, under another name: only that one counts."
        )
    return Refused(looked.specimen.file, "duplicate", message)
