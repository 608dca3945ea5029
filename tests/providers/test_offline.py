"""The offline model, on real photos."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import pytest

from plantid_core.deadline import Deadline
from plantid_core.plants import Observation, Picture
from plantid_core.providers.offline import OfflineProvider
from plantid_core.providers.recognition import known_taxa, load_head
from plantid_core.upload import admit

if TYPE_CHECKING:
    from pathlib import Path

    from plantid_core.plants import Reply


def identify(provider: OfflineProvider, data: bytes, name: str) -> Reply:
    photo = admit(data, name)
    observation = Observation((Picture(photo.jpeg, photo.sha256),))
    return provider.identify(observation, Deadline.after(30))


def test_mass_is_never_shared_out(model_cache: Path, flower: bytes) -> None:
    """The taxa's mass and the unknown remainder make one."""
    seen = load_head("lite0", model_cache).recognise(admit(flower, "flower.jpg").jpeg)

    assert len(seen.taxa) == 23
    assert 0 < sum(mass for _, mass in seen.taxa) < 1
    assert seen.taxa[0][0].scientific_name == "Leucanthemum vulgare"


def test_a_damaged_build_is_built_anew(model_cache: Path, tmp_path: Path, flower: bytes) -> None:
    """A built file that does not load is replaced."""
    (tmp_path / "models").mkdir()
    load_head("lite0", model_cache)
    for built in (model_cache / "models").glob("lite0-*.onnx"):
        (tmp_path / "models" / built.name).write_bytes(built.read_bytes()[:1000])

    head = load_head("lite0", tmp_path)

    assert head.features(admit(flower, "flower.jpg").jpeg).shape == (1280,)


def test_the_table_has_its_23_taxa() -> None:
    """Every class stands for one taxon, in 15 families."""
    assert len(known_taxa()) == 23
    assert len({taxon.family for taxon in known_taxa()}) == 15


def test_shared_photos(request: pytest.FixtureRequest, model_cache: Path) -> None:
    """Known taxa are among the first five, mostly first; what is no plant is refused."""
    photos = request.config.rootpath.parent / "shared" / "photos-dev"
    if not photos.is_dir():
        pytest.skip("needs ../shared/photos-dev")
    provider = OfflineProvider(model_cache)
    names = {taxon.scientific_name for taxon in known_taxa()}
    hits: list[int] = []
    refused = 0
    with (photos / "manifest.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))

    for row in rows:
        species = row["scientific_name"].split(" var. ")[0]
        target = species if species in names else species.split()[0]
        if row["is_plant"] == "1" and target not in names:
            continue
        reply = identify(provider, (photos / row["file"]).read_bytes(), row["file"])
        if row["is_plant"] == "0":
            refused += reply.status in {"not_a_plant", "no_match"}
        else:
            ranked = [suggestion.taxon.scientific_name for suggestion in reply.suggestions]
            hits.append(ranked.index(target) if target in ranked else 99)

    assert max(hits) < 5
    assert hits.count(0) / len(hits) >= 0.8
    assert refused >= 8
