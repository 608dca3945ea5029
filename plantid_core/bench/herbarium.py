"""The local herbarium: how fast it is built and answers, and how well it knows plants it was shown.

Pictures are copies, cut and turned, of labelled photos that lie beside the project, else of two sample
photos that an installed package ships; the case says which.

Each plant there has a photo or two, so how well it knows its plants is told twice. Where one *copy* is
left out, other copies of the same photo stay in: what is asked is whether it knows a picture again. Where
all copies of a *photo* are left out, it is asked for a plant on a photo that it has not seen; only
plants with several photos can be tried so, the others are there to be taken for.
"""

from __future__ import annotations

import csv
import io
import itertools
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from plantid_core.bench.report import Ratio, Report, Row
from plantid_core.bench.timing import interleaved
from plantid_core.deadline import Deadline
from plantid_core.lab.pictures import encode, photo_like
from plantid_core.plants import Observation, Picture, Taxon
from plantid_core.providers.herbarium.build import build
from plantid_core.providers.herbarium.place import folder
from plantid_core.providers.herbarium.provider import HerbariumProvider
from plantid_core.providers.herbarium.specimen import Specimen
from plantid_core.upload import admit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from plantid_core.providers.herbarium.specimen import Built

ROUNDS, ANSWERS = 5, 30
_SPECIES, _COPIES = 8, 5
_SMALL, _LARGE = 200, 40
_SMALL_SIDE, _LARGE_SIZE = 1000, (4000, 3000)
_LEAST_SIDE = 160
_SMALL_CASE, _LARGE_CASE = "build, photos up to 1000 px", "build, 12 Mpx photos"
_SHARED = Path(__file__).parents[3] / "shared" / "photos-dev"

Labelled = tuple[str, Image.Image]


def run(
    tell: Callable[[str], None],
    *,
    small: int = _SMALL,
    large: int = _LARGE,
    rounds: int = ROUNDS,
    answers: int = ANSWERS,
) -> Report:
    """Return rates, the time of an answer, and the share that is named right; takes a minute."""
    tell("making pictures")
    origin, photos = _photos()
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        cases = {
            _SMALL_CASE: _small(root / "small", photos, small),
            _LARGE_CASE: _large(root / "large", large),
        }
        tell("building")
        rates = _rates(cases, root, rounds)
        rows = [Row.of(case, "herbarium", "rate", "photos/s", rates[case]) for case in cases]
        tell("answering")
        rows.append(_answers(root, photos[0][1], answers))
        tell("leaving out")
        rows += _accuracies(root, photos, origin)
    report = Report("herbarium", tuple(rows), ())
    per_photo = {case: 1e3 / report.median(case, "herbarium", "rate") for case in cases}
    answer = report.median("answer, one photo", "herbarium", "time")
    return Report(
        "herbarium",
        report.rows,
        (
            # 40 and 12 photos a second.
            Ratio(f"{_SMALL_CASE}: a photo", per_photo[_SMALL_CASE], "ms", 25.0),
            Ratio(f"{_LARGE_CASE}: a photo", per_photo[_LARGE_CASE], "ms", 1e3 / 12),
            Ratio("answer, one photo", answer, "ms", 50.0),
        ),
    )


def _photos() -> tuple[str, list[Labelled]]:
    """Return where the photos are from, and each with its plant's name."""
    manifest = _SHARED / "manifest.csv"
    if manifest.is_file():
        with manifest.open(newline="", encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if row["is_plant"] == "1"]
        return "labelled photos", [
            (row["scientific_name"], _opened((_SHARED / row["file"]).read_bytes())) for row in rows
        ]
    from sklearn.datasets import load_sample_images

    found = []
    for image in load_sample_images().images:
        whole = Image.fromarray(image)
        width, height = whole.width // 2, whole.height // 2
        found += [
            whole.crop((left, top, left + width, top + height))
            for left in (0, width)
            for top in (0, height)
        ]
    return "quarters of sample photos", [
        (f"Quarter {number}", part) for number, part in enumerate(found, start=1)
    ]


def _opened(data: bytes) -> Image.Image:
    with Image.open(io.BytesIO(data)) as image:
        return image.convert("RGB")


def _copies(image: Image.Image, rng: np.random.Generator) -> Iterator[bytes]:
    """Yield cuts of the picture, turned by up to 25 degrees, for ever."""
    image.thumbnail((_SMALL_SIDE, _SMALL_SIDE))
    while True:
        width, height = (int(side * rng.uniform(0.6, 0.95)) for side in image.size)
        left = int(rng.integers(image.width - width + 1))
        top = int(rng.integers(image.height - height + 1))
        cut = image.crop((left, top, left + width, top + height))
        turned = cut.rotate(rng.uniform(-25, 25), resample=Image.Resampling.BICUBIC)
        yield encode(turned, "JPEG", quality=92)


def _kept(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def _small(place: Path, photos: Sequence[Labelled], count: int) -> list[Specimen]:
    rng = np.random.default_rng(1)
    streams = [(name, _copies(image.copy(), rng)) for name, image in photos]
    return [
        Specimen(str(number), _kept(place / f"{number}.jpg", next(copies)), Taxon(name))
        for number, (name, copies) in zip(range(count), itertools.cycle(streams), strict=False)
    ]


def _large(place: Path, count: int) -> list[Specimen]:
    pictures = [photo_like(*_LARGE_SIZE, seed=seed) for seed in (1, 2)]
    found = []
    for number in range(count):
        data = encode(pictures[number % 2], "JPEG", quality=95 - number // 2)
        path = _kept(place / f"{number}.jpg", data)
        found.append(Specimen(str(number), path, Taxon(f"Picture {number % 2}")))
    return found


def _rates(cases: dict[str, list[Specimen]], root: Path, rounds: int) -> dict[str, list[float]]:
    def built(specimens: list[Specimen]) -> Built:
        shutil.rmtree(folder(root), ignore_errors=True)
        return _built(specimens, root)

    works = {case: lambda photos=photos: built(photos) for case, photos in cases.items()}
    taken = interleaved(works, rounds)
    return {case: [len(cases[case]) * 1e3 / ms for ms in taken[case]] for case in cases}


def _built(specimens: list[Specimen], root: Path) -> Built:
    found = build(specimens, root)
    if found is None or found.refused:
        raise RuntimeError("a benchmark's own pictures were refused")
    return found


def _answers(root: Path, image: Image.Image, count: int) -> Row:
    provider = HerbariumProvider(root)
    photo = admit(encode(image, "JPEG", quality=92), "a.jpg")
    observation = Observation((Picture(photo.jpeg, photo.sha256),))
    times = []
    for number in range(count + 1):
        begin = time.perf_counter()
        provider.identify(observation, Deadline.after(60.0))
        if number:
            times.append((time.perf_counter() - begin) * 1e3)
    return Row.of("answer, one photo", "herbarium", "time", "ms", times)


def _accuracies(root: Path, photos: Sequence[Labelled], origin: str) -> Iterator[Row]:
    """Yield the share named right: with one copy left out, and with all copies of one photo."""
    copies = f"× {_COPIES} crops and turns"
    of_name: dict[str, list[Image.Image]] = {}
    for name, image in photos:
        of_name.setdefault(name, []).append(image)
    large_enough = [name for name, images in of_name.items() if min(images[0].size) >= _LEAST_SIDE]
    single = {name: of_name[name][:1] for name in large_enough[:_SPECIES]}
    if figure := _figure(root, single, by_photo=False):
        case = f"{len(single)} plants {copies} of one photo each ({origin})"
        metric = f"top-1, one copy left out, {_COPIES - 1} of its photo kept"
        yield Row.of(case, "herbarium", metric, "share", [figure])
    several = {name: images for name, images in of_name.items() if len(images) > 1}
    if several and (figure := _figure(root, single | several, by_photo=True)):
        tried = sum(map(len, several.values()))
        among = f"among {len(single | several)} plants"
        case = f"{tried} photos of {len(several)} plants {copies}, {among} ({origin})"
        metric = f"top-1, all {_COPIES} copies of a photo left out"
        yield Row.of(case, "herbarium", metric, "share", [figure])


def _figure(root: Path, of_name: dict[str, list[Image.Image]], *, by_photo: bool) -> float | None:
    rng = np.random.default_rng(2)
    place, specimens = root / "copies", []
    for name, images in of_name.items():
        for number, image in enumerate(images):
            for at, data in zip(range(_COPIES), _copies(image.copy(), rng), strict=False):
                file = f"{name} {number} {at}.jpg"
                source = str(number) if by_photo else None
                specimens.append(Specimen(file, _kept(place / file, data), Taxon(name), source))
    return _built(specimens, root).herbarium.figures.top1
