"""The herbarium as a provider, on real photos."""

from __future__ import annotations

import csv
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from herbaria import FLOWER, copies, labelled

from plantid_core.compare.names.reconcile import shipped
from plantid_core.compare.specimens import specimens
from plantid_core.deadline import Deadline
from plantid_core.disclosure import describe
from plantid_core.errors import PlantIDError, ProviderUnavailable
from plantid_core.lab.pictures import quadrants
from plantid_core.plants import Observation, Picture, Taxon
from plantid_core.providers.herbarium import file, place
from plantid_core.providers.herbarium.build import build
from plantid_core.providers.herbarium.discriminant import Discriminant
from plantid_core.providers.herbarium.herbarium import Entry
from plantid_core.providers.herbarium.provider import HerbariumProvider
from plantid_core.settings import load_settings
from plantid_core.upload import Upload, admit

if TYPE_CHECKING:
    from pathlib import Path

    from plantid_core import Workbench
    from plantid_core.plants import Reply


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Path:
    """Return a data directory with a herbarium of two plants."""
    folder = tmp_path_factory.mktemp("herbarium")
    (folder / "models").symlink_to(model_cache / "models")
    build(specimens(labelled(folder / "photos"), shipped()), folder)
    return folder


@pytest.fixture
def provider(data_dir: Path) -> HerbariumProvider:
    """Return the provider of that herbarium."""
    return HerbariumProvider(data_dir)


def identify(provider: HerbariumProvider, *photos: bytes) -> Reply:
    admitted = [admit(data, "a.jpg") for data in photos]
    pictures = tuple(Picture(photo.jpeg, photo.sha256) for photo in admitted)
    return provider.identify(Observation(pictures), Deadline.after(30))


def test_a_plant_of_its_own_is_named(provider: HerbariumProvider) -> None:
    """By its name, with a score that leaves something unknown."""
    reply = identify(provider, copies(1, 1, seed=5)[0])

    assert reply.status == "ok"
    assert reply.suggestions[0].taxon.scientific_name == FLOWER
    assert 0.5 <= sum(suggestion.score for suggestion in reply.suggestions) < 1


def test_several_pictures_make_one_answer(provider: HerbariumProvider) -> None:
    """All of them are looked at: together they are as sure as the surest at most."""
    first, second = copies(1, 2, seed=6)
    alone = [identify(provider, data).suggestions[0].score for data in (first, second)]

    together = identify(provider, first, second)

    assert together.suggestions[0].taxon.scientific_name == FLOWER
    assert together.suggestions[0].score <= max(alone)


def test_what_is_no_plant_gets_no_name(provider: HerbariumProvider) -> None:
    """Four fields of colour are like nothing it knows, nor like any plant."""
    reply = identify(provider, quadrants())

    assert (reply.status, reply.suggestions) == ("not_a_plant", ())


def test_other_plants_and_other_things_get_no_name(
    provider: HerbariumProvider, request: pytest.FixtureRequest
) -> None:
    """Nine in ten and more of the shared photos, none of which show its plants."""
    photos = request.config.rootpath.parent / "shared" / "photos-dev"
    if not photos.is_dir():
        pytest.skip("needs ../shared/photos-dev")
    with (photos / "manifest.csv").open(newline="", encoding="utf-8") as rows:
        files = [(row["file"], row["is_plant"]) for row in csv.DictReader(rows)]
    files = [one for one in files if not one[0].startswith("prunus")][::2]

    replies = [(identify(provider, (photos / name).read_bytes()), sort) for name, sort in files]

    named = sum(reply.status == "ok" for reply, _ in replies)
    assert named / len(replies) < 0.1
    assert all(reply.status != "ok" for reply, sort in replies if sort == "0")


def test_a_damaged_file_is_one_silent_provider(data_dir: Path, tmp_path: Path) -> None:
    """It says what happened and what to do; a sound file is used again without a restart."""
    provider = HerbariumProvider(tmp_path)
    (tmp_path / "models").symlink_to(data_dir / "models")
    assert not provider.offered
    place.folder(tmp_path).mkdir()
    place.path(tmp_path).write_bytes(b"\x80\x04no herbarium")
    broken = provider.cache_scope

    with pytest.raises(ProviderUnavailable, match="Build it again") as caught:
        identify(provider, copies(1, 1)[0])

    assert (caught.value.code, provider.offered) == ("damaged", True)
    place.path(tmp_path).write_bytes(place.path(data_dir).read_bytes())
    assert identify(provider, copies(1, 1)[0]).status == "ok"
    assert provider.cache_scope != broken


def test_a_herbarium_of_another_width_is_one_silent_provider(
    data_dir: Path, tmp_path: Path
) -> None:
    """Though it is sound in itself."""
    narrow = Discriminant(*(np.ones(size, np.float32) for size in ((3, 3), (2, 3), (3,))))
    file.save(replace(file.load(data_dir), discriminant=narrow), tmp_path)

    with pytest.raises(ProviderUnavailable, match="another image model"):
        identify(HerbariumProvider(tmp_path), copies(1, 1)[0])


def test_it_is_offered_as_long_as_there_is_one(
    workbench: Workbench, data_dir: Path, flower: bytes
) -> None:
    """It comes with the file, answers by the newest one, tells what it is, and goes with the file."""
    names = [provider.name for provider in workbench.providers()]
    assert "herbarium" not in names
    assert workbench.herbarium() is None

    place.folder(workbench.settings.data_dir).mkdir()
    place.path(workbench.settings.data_dir).write_bytes(place.path(data_dir).read_bytes())

    told = {provider.name: provider for provider in workbench.providers()}["herbarium"]
    assert "nothing is sent. Built from 7 photos of 2 species on" in told.sends
    outcome = workbench.identify([Upload(flower, "flower.jpg")], providers=["herbarium"])
    assert (outcome.answers[0].source, outcome.answers[0].sandbox) == ("local", False)
    assert (outcome.answers[0].status, outcome.rung) == ("ok", "offline")
    assert workbench.seen_by_herbarium(admit(copies(1, 4)[0], "a.jpg").sha256)
    assert not workbench.seen_by_herbarium(outcome.photos[0].sha256)

    renamed = Entry(Taxon("Dahlia coccinea"), 7)
    found = file.load(data_dir)
    file.save(replace(found, entries=(renamed,) * len(found.entries)), workbench.settings.data_dir)
    anew = workbench.identify([Upload(flower, "flower.jpg")], providers=["herbarium"])
    assert {one.taxon.scientific_name for one in anew.answers[0].suggestions} == {"Dahlia coccinea"}

    file.forget(workbench.settings.data_dir)
    with pytest.raises(PlantIDError, match=r"no provider called 'herbarium'.* herbarium build"):
        workbench.identify([Upload(flower, "flower.jpg")], providers=["herbarium"])


def test_what_it_is_is_said_even_where_it_is_damaged(tmp_path: Path) -> None:
    """A page that lists providers goes on."""
    place.folder(tmp_path).mkdir()
    place.path(tmp_path).write_bytes(b"nothing")

    told = describe(HerbariumProvider(tmp_path), load_settings(data_dir=tmp_path))

    assert "no herbarium, or only a part of one" in told.sends
