"""What people keep: photos with their observations, determinations, and the forgetting of all of it."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import signal
import time
import uuid
import zipfile
from contextlib import closing
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from kept import CHERRY, DAISY, NOON, answer

from plantid_core.collection import Collection, Stores
from plantid_core.compare.consensus import consensus
from plantid_core.compare.determination import Decision
from plantid_core.compare.names.reconcile import shipped as names
from plantid_core.errors import (
    NameUnparsable,
    NothingToExport,
    NotSuggested,
    ObservationNotFound,
    ObservationRefused,
    PhotoNotFound,
    PlantIDError,
    QuotaExceeded,
    SandboxNotBotany,
    StorageFailed,
)
from plantid_core.export.sensitive import shipped as rules
from plantid_core.plants import Outcome, PhotoSummary, Place, Taxon
from plantid_core.resilience.cache import Cache
from plantid_core.resilience.policy import Policy
from plantid_core.store.history.history import History
from plantid_core.store.history.values import Circumstances, Filter
from plantid_core.store.photos import PhotoStore
from plantid_core.upload.photo import Photo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from plantid_core import Workbench
    from plantid_core.plants import Answer


def photo(content: bytes) -> Photo:
    jpeg = b"\xff\xd8\xff" + content
    return Photo(jpeg, hashlib.sha256(jpeg).hexdigest(), 32, 24, "PNG")


def outcome(*answers: Answer) -> Outcome:
    given = answers or (answer("offline", DAISY),)
    told = PhotoSummary("ab" * 32, 32, 24, "PNG", ())
    return Outcome(uuid.uuid4().hex, (told,), given, consensus(given), "fresh", (), ())


def collection_in(folder: Path, **options: object) -> Collection:
    stores = Stores(
        History(folder / "history.sqlite"),
        PhotoStore(folder / "photos"),
        Cache(None, Policy()),
        folder / "collection",
    )
    return Collection(stores, names(), rules, **options)  # type: ignore[arg-type]


@pytest.fixture
def collection(tmp_path: Path) -> Iterator[Collection]:
    """Return an empty collection."""
    with closing(collection_in(tmp_path)) as opened:
        yield opened


def owned(folder: Path, owner: str = "ann") -> set[str]:
    return {one.photo_id for one in PhotoStore(folder / "photos").owned(owner)}


def test_an_outcome_is_kept_with_its_photos_once(collection: Collection, tmp_path: Path) -> None:
    """The same again changes nothing; nobody else sees it."""
    made, shown = outcome(), photo(b"leaf")

    first = collection.keep("ann", made, [shown], ["leaf"])
    second = collection.keep("ann", made, [shown], ["leaf"])

    assert first == second
    assert first.id == made.id
    assert collection.find("ann").total == 1
    assert collection.photo("ann", shown.sha256) == shown.jpeg
    assert owned(tmp_path) == {shown.sha256}
    assert collection.find("ben").total == 0
    with pytest.raises(PhotoNotFound):
        collection.photo("ben", shown.sha256)
    with pytest.raises(ObservationNotFound):
        collection.get("ben", made.id)


def test_what_cannot_be_kept_leaves_neither_half(collection: Collection, tmp_path: Path) -> None:
    """A place that is none is found after the photos are stored: they go again, others' stay."""
    collection.keep("ann", outcome(), [photo(b"one")], ["leaf"])
    nowhere = Circumstances(place=Place(95.0, 0.0))

    with pytest.raises(ObservationRefused, match="latitude"):
        collection.keep(
            "ann", outcome(), [photo(b"one"), photo(b"two")], ["leaf"] * 2, circumstances=nowhere
        )

    assert owned(tmp_path) == {photo(b"one").sha256}
    assert collection.find("ann").total == 1


def test_a_quota_that_ends_half_way_leaves_nothing(tmp_path: Path) -> None:
    """The first photo fitted, the second did not."""
    stores = Stores(
        History(tmp_path / "history.sqlite"),
        PhotoStore(tmp_path / "photos", most_photos=1),
        Cache(None, Policy()),
        tmp_path / "collection",
    )
    with closing(Collection(stores, names(), rules)) as collection:
        with pytest.raises(QuotaExceeded):
            collection.keep("ann", outcome(), [photo(b"one"), photo(b"two")], ["leaf"] * 2)

        assert owned(tmp_path) == set()
        assert collection.find("ann").total == 0


def keeps_for_ever(folder: Path) -> tuple[int, int]:
    """Begin a process that keeps one after another; return its id, and where it tells what is kept."""
    told, tells = os.pipe()
    if (process := os.fork()) == 0:
        try:
            with closing(collection_in(folder)) as collection:
                for number in range(10_000):
                    shown = photo(f"{os.getpid()}-{number}".encode())
                    kept = collection.keep("ann", outcome(), [shown], ["leaf"])
                    os.write(tells, f"{kept.id}\n".encode())
        finally:
            os._exit(1)
    os.close(tells)
    return process, told


def test_a_kill_leaves_no_photo_without_its_observation(tmp_path: Path) -> None:
    """Whoever comes next puts right what was half done; what was acknowledged is there."""
    acknowledged: list[str] = []
    for number in range(8):
        process, told = keeps_for_ever(tmp_path)
        with os.fdopen(told) as lines:
            acknowledged.append(lines.readline().strip())
            time.sleep(0.013 * (number + 1))
            os.kill(process, signal.SIGKILL)
            acknowledged += lines.read().split()
        os.waitpid(process, 0)

    with closing(collection_in(tmp_path)) as collection:
        collection.keep("ann", outcome(), [photo(b"last")], ["leaf"])
        kept = list(collection.find("ann", limit=500).observations)

    assert len(acknowledged) >= 8
    assert {one.id for one in kept} >= {id_ for id_ in acknowledged if len(id_) == 32}
    assert owned(tmp_path) == {shown.photo_id for one in kept for shown in one.photos}


def test_keeping_and_forgetting_one_photo_at_once_loses_none(collection: Collection) -> None:
    """Two pages of one person: the observation that is kept has its photo, whoever was first."""
    shown = photo(b"the same")
    for _ in range(6):
        old = collection.keep("ann", outcome(), [shown], ["leaf"])
        made = outcome()
        threads = [
            Thread(target=collection.keep, args=("ann", made, [shown], ["leaf"])),
            Thread(target=collection.forget, args=("ann", [old.id])),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert collection.photo("ann", shown.sha256) == shown.jpeg
        collection.forget("ann", [made.id])


def test_a_suggestion_is_confirmed_as_it_was_made(collection: Collection) -> None:
    """Taxon and score are those of the provider, whatever was sent along."""
    made = outcome(answer("offline", DAISY, CHERRY))
    collection.keep("ann", made, [], [])

    first = collection.determine("ann", made.id, Decision("confirmed", provider="offline"))
    named = Taxon("Prunus serrulata")
    second = collection.determine("ann", made.id, Decision("confirmed", named, "offline", 0.4))

    assert (first.taxon, first.score, first.sandbox) == (DAISY, 0.8, False)
    assert (second.taxon, second.score) == (CHERRY, 0.4)
    assert collection.get("ann", made.id).determination == second


@pytest.mark.parametrize("provider", ["plantnet", "consensus"])
def test_the_sandbox_is_confirmed_only_for_practice(collection: Collection, provider: str) -> None:
    """Unless asked for it is refused, and then it is marked; the joint ranking has its vote."""
    made = outcome(answer("plantnet", DAISY, sandbox=True), answer("offline", DAISY))
    collection.keep("ann", made, [], [])
    decision = Decision("confirmed", provider=provider)

    with pytest.raises(SandboxNotBotany) as refused:
        collection.determine("ann", made.id, decision)
    practice = collection.determine("ann", made.id, decision, include_sandbox=True)

    assert refused.value.providers == ("plantnet",)
    assert practice.sandbox
    assert len(collection.get("ann", made.id).determinations) == 1


def test_a_persons_own_name_rests_on_no_sandbox(collection: Collection) -> None:
    """What somebody knows is botany, though only the sandbox was asked."""
    made = outcome(answer("plantnet", DAISY, sandbox=True))
    collection.keep("ann", made, [], [])

    known = collection.determine("ann", made.id, Decision("changed", CHERRY, made_by="Ann"))
    wrong = collection.determine("ann", made.id, Decision("rejected"))

    assert (known.taxon, known.made_by, known.sandbox) == (CHERRY, "Ann", False)
    assert (wrong.taxon, wrong.sandbox) == (None, True)


@pytest.mark.parametrize(
    ("decision", "kind"),
    [
        (Decision("confirmed", CHERRY, "offline"), NotSuggested),
        (Decision("confirmed", DAISY, "plantnet"), NotSuggested),
        (Decision("confirmed", DAISY, "offline", 0.99), NotSuggested),
        (Decision("confirmed", DAISY), PlantIDError),
        (Decision("changed"), PlantIDError),
        (Decision("changed", Taxon("12345 ???")), NameUnparsable),
    ],
)
def test_what_nobody_suggested_is_not_confirmed(
    collection: Collection, decision: Decision, kind: type[PlantIDError]
) -> None:
    """A determination that rests on nothing is refused, and nothing is kept of it."""
    made = outcome(answer("offline", DAISY))
    collection.keep("ann", made, [], [])

    with pytest.raises(kind):
        collection.determine("ann", made.id, decision)

    assert collection.get("ann", made.id).determinations == ()


def test_what_is_forgotten_takes_only_its_own_photos(
    collection: Collection, tmp_path: Path
) -> None:
    """A photo that another observation needs stays, and so do all of another owner's."""
    shared, own = photo(b"shared"), photo(b"own")
    gone = collection.keep("ann", outcome(), [shared, own], ["leaf"] * 2)
    collection.keep("ann", outcome(), [shared], ["leaf"])
    collection.keep("ben", outcome(), [own], ["leaf"])

    deleted = collection.forget("ann", [gone.id, "unknown"])

    assert (deleted.observations, deleted.photos) == (1, 1)
    assert owned(tmp_path) == {shared.sha256}
    assert owned(tmp_path, "ben") == {own.sha256}


def test_all_that_is_mine_goes(collection: Collection, tmp_path: Path) -> None:
    """Rows and photos, also those that no observation needs; another owner's stay."""
    collection.keep("ann", outcome(), [photo(b"one")], ["leaf"])
    collection.keep("ben", outcome(), [photo(b"two")], ["leaf"])
    PhotoStore(tmp_path / "photos").put("ann", photo(b"alone").jpeg)

    deleted = collection.forget_all("ann")

    assert (deleted.observations, deleted.photos) == (1, 2)
    assert collection.find("ann").total == 0
    assert owned(tmp_path) == set()
    assert collection.find("ben").total == 1
    assert owned(tmp_path, "ben") == {photo(b"two").sha256}


def test_observations_are_kept_as_long_as_is_set(tmp_path: Path) -> None:
    """Those of 31 days ago go when the collection is next opened and used."""
    with closing(collection_in(tmp_path, now=lambda: NOON)) as then:
        then.keep("ann", outcome(), [photo(b"old")], ["leaf"])
    later = NOON + dt.timedelta(days=31)
    with closing(collection_in(tmp_path, now=lambda: later, keep_days=30)) as now:
        now.keep("ann", outcome(), [photo(b"new")], ["leaf"])

        assert now.find("ann").total == 1
    assert owned(tmp_path) == {photo(b"new").sha256}


def test_what_cannot_expire_is_still_read(tmp_path: Path) -> None:
    """A folder that takes no change: whoever asks for a list gets it."""
    with closing(collection_in(tmp_path, now=lambda: NOON)) as then:
        made = then.keep("ann", outcome(), [], [])
    (tmp_path / "collection").rename(tmp_path / "elsewhere")
    (tmp_path / "collection").write_text("no folder")
    later = NOON + dt.timedelta(days=31)

    with closing(collection_in(tmp_path, now=lambda: later, keep_days=30)) as now:
        with pytest.raises(StorageFailed):
            now.expire()

        assert [one.id for one in now.find("ann").observations] == [made.id]


def test_an_export_that_would_be_empty_is_none(collection: Collection, tmp_path: Path) -> None:
    """What lay there stays, and the reason is told; asked for, the sandbox is marked by name too."""
    made = outcome(answer("plantnet", DAISY, sandbox=True))
    collection.keep("ann", made, [photo(b"one")], ["leaf"])
    (tmp_path / "out.csv").write_text("before")

    with pytest.raises(NothingToExport, match="only the sandbox answered"):
        collection.export("ann", tmp_path / "out.csv", "csv")
    path, _ = collection.export("ann", tmp_path / "out.csv", "csv", include_sandbox=True)

    assert (tmp_path / "out.csv").read_text() == "before"
    assert path == tmp_path / "out-sandbox.csv"
    assert "Leucanthemum vulgare" in path.read_text(encoding="utf-8-sig")


def test_practice_on_the_sandbox_verifies_nothing(collection: Collection, tmp_path: Path) -> None:
    """It does not put its observation among those verified, nor hide a decision that was real."""
    practised = outcome(answer("offline", DAISY), answer("plantnet", CHERRY, sandbox=True))
    decided = outcome(answer("offline", DAISY), answer("plantnet", CHERRY, sandbox=True))
    practice = Decision("confirmed", CHERRY, "plantnet")
    for made in (practised, decided):
        collection.keep("ann", made, [], [])
    collection.determine("ann", decided.id, Decision("confirmed", DAISY, "offline"))
    for made in (practised, decided):
        collection.determine("ann", made.id, practice, include_sandbox=True)

    tables = {}
    for verified in (True, False):
        path = tmp_path / f"{verified}.csv"
        collection.export("ann", path, "csv", wanted=Filter(verified=verified))
        tables[verified] = path.read_text()

    assert decided.id in tables[True]
    assert practised.id not in tables[True]
    assert practised.id in tables[False]
    assert decided.id not in tables[False]
    assert "Prunus" not in tables[True] + tables[False]


def test_ones_own_copy_is_exact_and_whole(collection: Collection, tmp_path: Path) -> None:
    """Places of sensitive plants, the sandbox's answers, and every photo."""
    orchid = Taxon("Cypripedium calceolus", family="Orchidaceae")
    made = outcome(answer("plantnet", orchid, sandbox=True))
    shown = photo(b"orchid")
    where = Circumstances(dt.date(2026, 6, 1), Place(48.12345, 11.54321))
    collection.keep("ann", made, [shown], ["flower"], circumstances=where)

    collection.export_mine("ann", tmp_path / "mine.zip")

    with zipfile.ZipFile(tmp_path / "mine.zip") as archive:
        (line,) = archive.read("observations.jsonl").splitlines()
        table = archive.read("observations.csv").decode()
        jpeg = archive.read(f"photos/{shown.sha256}.jpg")
    assert json.loads(line)["place"] == {"latitude": 48.12345, "longitude": 11.54321}
    assert "Cypripedium calceolus" in table
    assert jpeg == shown.jpeg
    assert (tmp_path / "mine.zip").stat().st_mode & 0o777 == 0o600


def test_what_is_forgotten_is_asked_anew(workbench: Workbench, flower: bytes) -> None:
    """Kept by the workbench, deleted with the cached answers: near, in Redis, and the offline ones."""
    from plantid_core.upload import Upload

    upload = Upload(flower, "flower.jpg", "image/jpeg")
    asked: dict[str, object] = {"place": Place(50.1, 14.4), "date": dt.date(2026, 5, 1)}
    found = workbench.identify([upload], **asked)  # type: ignore[arg-type]
    kept = workbench.keep(found, [upload], **asked)  # type: ignore[arg-type]
    before = workbench.identify([upload], **asked)  # type: ignore[arg-type]
    offline = {answer.provider: answer for answer in before.answers}["offline"]

    deleted = workbench.collection.forget("local", [kept.id])
    after = workbench.identify([upload], **asked)  # type: ignore[arg-type]

    services = ("plant_id", "plantnet")
    sources = {answer.provider: answer.source for answer in after.answers}
    assert {answer.source for answer in before.answers if answer.provider in services} == {"near"}
    assert {sources[name] for name in services} == {"upstream"}
    assert offline.age_s > 0
    assert {one.provider: one for one in after.answers}["offline"].age_s == 0
    assert (kept.circumstances.place, deleted.still_cached) == (Place(50.1, 14.4), 0)


def test_photos_of_another_request_are_not_kept(
    workbench: Workbench, flower: bytes, quadrants: Callable[..., bytes]
) -> None:
    """An observation holds what was identified, and nothing else."""
    from plantid_core.upload import Upload

    found = workbench.identify([Upload(flower, "flower.jpg")], providers=["offline"])

    with pytest.raises(PlantIDError, match="not the photos that were identified"):
        workbench.keep(found, [Upload(quadrants(), "other.jpg")])

    assert workbench.collection.find("local").total == 0
