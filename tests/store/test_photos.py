"""Photos kept on disk: once each, for their owners only, whatever ends a write."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from plantid_core.errors import (
    PhotoDamaged,
    PhotoNotFound,
    PlantIDError,
    QuotaExceeded,
    StorageFailed,
    UploadRejected,
)
from plantid_core.store.photos import PhotoStore

if TYPE_CHECKING:
    from collections.abc import Callable

FILL = """
import json, pathlib, subprocess, sys
from plantid_core.errors import StorageFailed
from plantid_core.store.photos import PhotoStore
root = pathlib.Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", sys.argv[2], "none", root], check=True)
store, kept = PhotoStore(root), []
try:
    for number in range(20):
        kept.append(store.put("ann", b"\\xff\\xd8\\xff" + bytes([number]) * 100_000))
except StorageFailed as error:
    files = sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())
    readable = [photo_id for photo_id in kept if store.get("ann", photo_id)]
    print(json.dumps([error.reason, str(error), readable, files]))
    if kept:
        store.delete("ann", kept[0])
        store.put("ann", b"\\xff\\xd8\\xff" + bytes([0]) * 100_000)
"""
READ_ONLY = """
import json, pathlib, subprocess, sys
from plantid_core.errors import StorageFailed
from plantid_core.store.photos import PhotoStore
root, photo_id = pathlib.Path(sys.argv[1]), sys.argv[2]
subprocess.run(["mount", "--bind", root, root], check=True)
subprocess.run(["mount", "-o", "remount,ro,bind", root], check=True)
store, said = PhotoStore(root), [PhotoStore(root).get("ann", photo_id).hex()]
for change in (
    lambda: store.put("ann", b"\\xff\\xd8\\xffnew"),
    lambda: store.delete("ann", photo_id),
    lambda: store.sweep(0),
    lambda: PhotoStore(root / "fresh").put("ann", b"\\xff\\xd8\\xffnew"),
):
    try:
        change()
    except StorageFailed as error:
        said.append(error.reason)
print(json.dumps(said))
"""
PUT_FOREVER = """
import os, pathlib, sys
from plantid_core.store.photos import PhotoStore
store = PhotoStore(pathlib.Path(sys.argv[1]))
while True:
    print(store.put("ann", b"\\xff\\xd8\\xff" + os.urandom(50_000)), flush=True)
"""
DIE_AT_EVERY_STEP = """
import itertools, json, os, pathlib, signal, sys
from plantid_core.store.photos import PhotoStore
rose, lily = b"\\xff\\xd8\\xffrose", b"\\xff\\xd8\\xfflily"
steps = ("open", "os.", "shutil.", "tempfile.", "fcntl.")
for fatal in itertools.count(1):
    root = pathlib.Path(sys.argv[1], str(fatal))
    kept = PhotoStore(root).put("ann", lily)
    child = os.fork()
    if child == 0:
        left = itertools.count(fatal, -1)
        sys.addaudithook(
            lambda event, _: event.startswith(steps)
            and next(left) == 1
            and os.kill(os.getpid(), signal.SIGKILL)
        )
        PhotoStore(root).delete("ben", PhotoStore(root).put("ben", rose))
        os._exit(0)
    died = os.waitpid(child, 0)[1]
    store = PhotoStore(root)
    store.sweep(0)
    owned = [(who, photo.photo_id) for who in ("ann", "ben") for photo in store.owned(who)]
    blobs = sorted(path.stem for path in root.glob("blobs/*/*"))
    files = [path for path in root.rglob("*") if path.is_file()]
    whole = all(store.get(*photo) for photo in owned) and ("ann", kept) in owned
    alone = blobs == sorted(photo_id for _, photo_id in owned)
    if not (whole and alone and len(files) == 2 * len(owned) + 1):
        sys.exit(f"not whole after step {fatal}")
    if not died:
        print(fatal)
        break
"""
PUT_ONCE = """
import pathlib, sys
from plantid_core.store.photos import PhotoStore
store = PhotoStore(pathlib.Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
print(store.put(sys.argv[2], b"\\xff\\xd8\\xff" + b"p" * 300_000))
"""
MALFORMED = [
    "",
    "..",
    "../lock",
    "/etc/passwd",
    "a" * 63,
    "a" * 65,
    "A" * 64,
    "a" * 64 + "\n",
    "../" * 20 + "abcd",
    "a" * 31 + "/" + "a" * 32,
    "a" * 63 + "\0",
    "a" * 64 + "\0",
    "\N{FULLWIDTH DIGIT ONE}" * 64,
    "\udc80" * 64,
]


def jpeg(word: str, size: int = 1000) -> bytes:
    """Return ``size`` bytes that pass for a JPEG by their prefix, as a store looks no further."""
    return (b"\xff\xd8\xff" + word.encode()).ljust(size, b"\0")


def files(root: Path) -> list[Path]:
    """Return all files of the store but its lock."""
    return [path for path in root.rglob("*") if not path.is_dir() and path.name != "lock"]


def blob(root: Path, photo_id: str) -> Path:
    return root / "blobs" / photo_id[:2] / f"{photo_id}.jpg"


def record(root: Path, owner: str, photo_id: str) -> Path:
    return root / "owners" / hashlib.sha256(owner.encode()).hexdigest() / f"{photo_id}.jpg"


def in_private_mounts(script: str, *arguments: str) -> list[object]:
    """Run a script that may mount, and return the JSON it printed; skips where mounting is refused."""
    unshare = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    probe = [*unshare, "mount", "-t", "tmpfs", "none", tempfile.gettempdir()]
    if not shutil.which("unshare") or subprocess.run(probe, check=False).returncode:
        pytest.skip("no private mount namespace is permitted here")
    answer = subprocess.run(
        [*unshare, sys.executable, "-c", script, *arguments],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    return list(json.loads(answer.stdout))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "photos"


@pytest.fixture
def store(root: Path) -> PhotoStore:
    return PhotoStore(root)


def test_a_photo_comes_back_as_it_was(store: PhotoStore, flower: bytes) -> None:
    """The id is the sha256 of the bytes, and another process's store finds them."""
    photo_id = store.put("ann", flower)

    assert photo_id == hashlib.sha256(flower).hexdigest()
    assert store.get("ann", photo_id) == flower


def test_nothing_is_made_before_the_first_photo(store: PhotoStore, root: Path) -> None:
    """Asking an empty store answers, and leaves no folder."""
    assert store.owned("ann") == ()
    with pytest.raises(PhotoNotFound):
        store.get("ann", "a" * 64)

    assert not root.exists()


def test_owners_share_the_bytes(store: PhotoStore, root: Path) -> None:
    """Two owners, one twice: one blob, with a link for each."""
    photo_id = store.put("ann", jpeg("rose"))
    store.put("ann", jpeg("rose"))
    store.put("ben", jpeg("rose"))

    assert blob(root, photo_id).stat().st_nlink == 3
    assert len(files(root)) == 3
    assert store.owned("ann") == store.owned("ben") == ((photo_id, 1000),)


@pytest.mark.parametrize("umask", [0o000, 0o027, 0o377])
def test_modes_are_private_whatever_the_umask(store: PhotoStore, root: Path, umask: int) -> None:
    """Folders are 0700 and files 0600."""
    before = os.umask(umask)
    try:
        store.put("ann", jpeg("rose"))
    finally:
        os.umask(before)

    modes = {(path.is_dir(), path.stat().st_mode & 0o7777) for path in [root, *root.rglob("*")]}
    assert modes == {(True, 0o700), (False, 0o600)}


def test_no_owner_is_named_on_disk(store: PhotoStore, root: Path) -> None:
    """Neither a name nor a content holds an owner's id."""
    store.put("ann@example.org", jpeg("rose"))

    assert not any("ann" in path.name for path in root.rglob("*"))
    assert not any(b"ann" in path.read_bytes() for path in root.rglob("*") if path.is_file())


@pytest.mark.parametrize("owner", ["../../etc", "a/b", "", "\udc80", "x" * 5000])
def test_any_text_is_an_owner(store: PhotoStore, owner: str) -> None:
    """An owner's id decides no path."""
    photo_id = store.put(owner, jpeg("rose"))

    assert store.get(owner, photo_id) == jpeg("rose")


@pytest.mark.parametrize("data", [b"", b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"%PDF-1.7", b"<svg>"])
def test_only_jpeg_is_kept(store: PhotoStore, root: Path, data: bytes) -> None:
    """Anything else is refused before the disk is touched."""
    with pytest.raises(UploadRejected) as caught:
        store.put("ann", data)

    assert (caught.value.code, caught.value.limit) == ("type", "JPEG")
    assert not root.exists()


def test_the_quota_is_each_owners_own(root: Path) -> None:
    """A photo too many is refused with the figures; one kept already, or another owner's, is not."""
    store = PhotoStore(root, quota_bytes=2500)
    store.put("ann", jpeg("rose"))
    store.put("ann", jpeg("lily"))

    with pytest.raises(QuotaExceeded) as caught:
        store.put("ann", jpeg("iris"))
    store.put("ann", jpeg("rose"))
    store.put("ben", jpeg("iris"))

    assert (caught.value.limit, caught.value.used, caught.value.asked) == (2500, 2000, 1000)
    assert "2,500" in str(caught.value)
    assert "2,000" in str(caught.value)
    assert store.used_bytes("ann") == 2000


def test_the_number_of_photos_is_bounded_too(root: Path) -> None:
    """Many tiny photos are as much of a flood as few large ones."""
    store = PhotoStore(root, most_photos=1)
    store.put("ann", jpeg("rose"))

    with pytest.raises(QuotaExceeded) as caught:
        store.put("ann", jpeg("lily"))

    assert (caught.value.limit, caught.value.unit) == (1, "photos")


def test_threads_do_not_overrun_the_quota_together(root: Path) -> None:
    """Of eight photos at once, as many are kept as fit."""
    store, together = PhotoStore(root, quota_bytes=3000), threading.Barrier(8)

    def attempt(number: int) -> bool:
        together.wait()
        try:
            return bool(store.put("ann", jpeg(str(number))))
        except QuotaExceeded:
            return False

    with ThreadPoolExecutor(8) as pool:
        kept = list(pool.map(attempt, range(8)))

    assert sum(kept) == 3
    assert store.used_bytes("ann") == 3000


def test_processes_put_one_photo_at_once(store: PhotoStore, root: Path) -> None:
    """Six processes with the same photo for three owners leave one blob and three records."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PUT_ONCE, root, f"owner {number % 3}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(6)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"

    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = {process.communicate()[0].strip() for process in processes}

    (photo_id,) = answers
    assert blob(root, photo_id).stat().st_nlink == 4
    assert len(files(root)) == 4
    assert store.sweep(0) == 0


def test_others_coming_and_going_disturb_no_reader(store: PhotoStore, root: Path) -> None:
    """A kept photo reads well while other owners store and delete the same one."""
    photo_id = store.put("ann", jpeg("rose"))

    def come_and_go(owner: str) -> None:
        for _ in range(15):
            store.put(owner, jpeg("rose"))
            store.delete(owner, photo_id)

    with ThreadPoolExecutor(2) as pool:
        others = [pool.submit(come_and_go, owner) for owner in ("ben", "cleo")]
        while not all(other.done() for other in others):
            assert store.get("ann", photo_id) == jpeg("rose")
        for other in others:
            other.result()

    assert blob(root, photo_id).stat().st_nlink == 2


@pytest.mark.parametrize("photo_id", MALFORMED)
def test_a_malformed_id_is_not_found(store: PhotoStore, root: Path, photo_id: str) -> None:
    """No id leads out of the owner's folder, to read or to delete."""
    store.put("ann", jpeg("rose"))

    for ask in (store.get, store.delete):
        with pytest.raises(PhotoNotFound):
            ask("ann", photo_id)

    assert len(files(root)) == 2
    assert (root / "lock").exists()


@pytest.mark.parametrize("ask", [PhotoStore.get, PhotoStore.delete])
def test_anothers_photo_is_told_from_nothing(
    store: PhotoStore, ask: Callable[[PhotoStore, str, str], object]
) -> None:
    """A stranger is told the same of a kept photo as of one that never was, or of nonsense."""
    kept, never = store.put("ann", jpeg("rose")), "0" * 64

    said = set()
    for photo_id in (kept, never, "nonsense"):
        with pytest.raises(PhotoNotFound) as caught:
            ask(store, "ben", photo_id)
        said.add((type(caught.value), str(caught.value), str(vars(caught.value))))

    assert len(said) == 1
    assert store.get("ann", kept)


def test_changed_bytes_are_never_given(root: Path) -> None:
    """One flipped bit is an error; storing the photo again mends it, and needs no second room."""
    store = PhotoStore(root, quota_bytes=1500)
    photo_id = store.put("ann", jpeg("rose"))
    with blob(root, photo_id).open("r+b") as file:
        file.seek(500)
        file.write(b"\x01")

    with pytest.raises(PhotoDamaged) as caught:
        store.get("ann", photo_id)
    store.put("ann", jpeg("rose"))

    assert caught.value.photo_id == photo_id
    assert store.get("ann", photo_id) == jpeg("rose")
    assert len(files(root)) == 2


@pytest.mark.parametrize("kind", ["link to a secret", "link to a photo", "pipe", "folder"])
def test_what_is_no_file_is_not_read(
    store: PhotoStore, root: Path, tmp_path: Path, kind: str
) -> None:
    """A symbolic link in a record's place is not followed, a pipe not waited for."""
    photo_id, other = store.put("ann", jpeg("rose")), store.put("ben", jpeg("lily"))
    planted = record(root, "ann", photo_id)
    planted.unlink()
    (tmp_path / "secret").write_bytes(b"secret")
    match kind:
        case "link to a secret":
            planted.symlink_to(tmp_path / "secret")
        case "link to a photo":
            planted.symlink_to(record(root, "ben", other))
        case "pipe":
            os.mkfifo(planted)
        case "folder":
            planted.mkdir()

    with pytest.raises(PhotoDamaged):
        store.get("ann", photo_id)

    assert store.owned("ann") == ()


def test_a_link_in_place_of_a_blob_is_replaced(
    store: PhotoStore, root: Path, tmp_path: Path
) -> None:
    """The next owner gets a blob of its own; what the link names is neither read nor written."""
    photo_id = store.put("ann", jpeg("rose"))
    twin = tmp_path / "twin"
    twin.write_bytes(jpeg("rose"))
    blob(root, photo_id).unlink()
    blob(root, photo_id).symlink_to(twin)

    store.put("ben", jpeg("rose"))

    assert not blob(root, photo_id).is_symlink()
    assert twin.stat().st_nlink == 1
    assert store.get("ann", photo_id) == store.get("ben", photo_id) == jpeg("rose")


@pytest.mark.parametrize("target", ["outside", "another's", "itself"])
def test_a_linked_folder_is_no_owners(
    store: PhotoStore, root: Path, tmp_path: Path, target: str
) -> None:
    """A symbolic link in place of an owner's folder gives nothing, and takes nothing."""
    photo_id = store.put("ben", jpeg("rose"))
    folder = record(root, "ann", photo_id).parent
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / f"{photo_id}.jpg").write_bytes(jpeg("rose"))
    places = {"outside": tmp_path / "outside", "itself": folder}
    folder.symlink_to(places.get(target, record(root, "ben", photo_id).parent))

    for ask in (store.get, store.delete):
        with pytest.raises(PhotoNotFound):
            ask("ann", photo_id)
    with pytest.raises(PlantIDError):
        store.put("ann", jpeg("rose"))

    assert store.owned("ann") == ()
    assert store.delete_all("ann") == 0
    assert store.sweep(0) == 0
    assert len(list((tmp_path / "outside").iterdir())) == 1


def test_a_sweep_follows_no_link(store: PhotoStore, root: Path, tmp_path: Path) -> None:
    """A folder linked into the store keeps its files."""
    store.put("ann", jpeg("rose"))
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").touch()
    (root / "blobs" / "zz").symlink_to(tmp_path / "outside")
    (root / "incoming" / "zz").symlink_to(tmp_path / "outside" / "file")

    assert store.sweep(0) == 1

    assert (tmp_path / "outside" / "file").exists()


def test_deleting_is_real(store: PhotoStore, root: Path) -> None:
    """The bytes stay for their other owner, and go with the last; no folder tells of either."""
    photo_id = store.put("ann", jpeg("rose"))
    store.put("ben", jpeg("rose"))

    store.delete("ann", photo_id)
    with pytest.raises(PhotoNotFound):
        store.get("ann", photo_id)
    assert store.get("ben", photo_id) == jpeg("rose")
    store.delete("ben", photo_id)

    assert files(root) == []
    assert list((root / "owners").iterdir()) == []


def test_all_of_an_owners_photos_go(store: PhotoStore, root: Path) -> None:
    """They are counted, and another owner's stay."""
    for word in ("rose", "lily", "iris"):
        store.put("ann", jpeg(word))
    kept = store.put("ben", jpeg("iris"))

    assert store.delete_all("ann") == 3
    assert store.delete_all("ann") == 0

    assert store.owned("ann") == ()
    assert set(files(root)) == {blob(root, kept), record(root, "ben", kept)}


def test_a_sweep_waits_for_its_time(store: PhotoStore, root: Path) -> None:
    """What a crash left an hour ago goes; what is younger, or kept, stays."""
    kept, orphan = store.put("ann", jpeg("rose")), store.put("ann", jpeg("lily"))
    record(root, "ann", orphan).unlink()
    (root / "incoming" / "half").write_bytes(b"\xff\xd8\xff")
    (root / "owners" / "e").mkdir()

    assert store.sweep() == 0
    assert store.sweep(0) == 2

    assert set(files(root)) == {blob(root, kept), record(root, "ann", kept)}
    assert not (root / "owners" / "e").exists()


def test_a_blob_full_of_links_is_followed_by_another(store: PhotoStore, root: Path) -> None:
    """No file system's limit of links keeps an owner from a popular photo."""
    photo_id = store.put("ann", jpeg("rose"))
    others = root / "owners" / "others"
    others.mkdir()
    for number in range(998):
        (others / str(number)).hardlink_to(blob(root, photo_id))

    store.put("ben", jpeg("rose"))

    assert blob(root, photo_id).stat().st_nlink == 2
    assert record(root, "ann", photo_id).stat().st_nlink == 999
    assert store.get("ann", photo_id) == store.get("ben", photo_id)


def test_a_held_lock_is_not_waited_for_for_ever(store: PhotoStore, root: Path) -> None:
    """A suspended process makes changes fail in time, and reading not at all."""
    photo_id = store.put("ann", jpeg("rose"))
    with (root / "lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        with pytest.raises(StorageFailed) as caught:
            PhotoStore(root, wait_s=0.05).put("ann", jpeg("lily"))

        assert caught.value.reason == "busy"
        assert store.get("ann", photo_id) == jpeg("rose")
    assert store.owned("ann") == ((photo_id, 1000),)


def test_a_file_in_the_folders_place_is_explained(root: Path) -> None:
    """Any other error of the system is one of ours, with its cause."""
    root.write_text("no folder")

    with pytest.raises(StorageFailed) as caught:
        PhotoStore(root).put("ann", jpeg("rose"))

    assert caught.value.reason == "io"
    assert isinstance(caught.value.__cause__, FileExistsError)


def test_a_full_disk_keeps_whole_photos_only(root: Path) -> None:
    """On a disk of 1 MB, ten of 0.1 MB are kept, one more leaves nothing, and deleting helps."""
    root.mkdir()

    reason, message, readable, found = in_private_mounts(FILL, str(root), "size=1m")

    assert reason == "full"
    assert "free space" in str(message)
    assert isinstance(readable, list)
    assert isinstance(found, list)
    assert len(readable) == 10
    assert len(found) == 2 * 10 + 1


@pytest.mark.parametrize("inodes", range(3, 11))
def test_a_disk_full_at_any_step_leaves_nothing(root: Path, inodes: int) -> None:
    """Wherever the file system runs out of inodes, there is a blob and its record, or neither."""
    root.mkdir()

    reason, _, readable, found = in_private_mounts(FILL, str(root), f"nr_inodes={inodes}")

    assert reason == "full"
    assert isinstance(readable, list)
    assert isinstance(found, list)
    assert len([name for name in found if name != "lock"]) == 2 * len(readable)


def test_a_read_only_disk_still_shows_its_photos(store: PhotoStore, root: Path) -> None:
    """Reading goes on; every change says what is wrong."""
    photo_id = store.put("ann", jpeg("rose"))

    shown, *reasons = in_private_mounts(READ_ONLY, str(root), photo_id)

    assert shown == jpeg("rose").hex()
    assert reasons == ["read_only"] * 4


def test_a_killed_writer_leaves_whole_photos_only(store: PhotoStore, root: Path) -> None:
    """Whatever was reported kept is there; a sweep removes the rest, and what stays is whole."""
    moment = random.Random(7)  # noqa: S311 - when to strike, no secret
    reported: list[str] = []
    for _ in range(6):
        with subprocess.Popen(
            [sys.executable, "-c", PUT_FOREVER, root], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            reported += [process.stdout.readline().strip() for _ in range(3)]
            time.sleep(moment.uniform(0, 0.02))
            process.send_signal(signal.SIGKILL)
            reported += process.stdout.read().split()

    store.sweep(0)

    kept = {photo.photo_id for photo in store.owned("ann")}
    assert kept >= set(reported)
    assert all(store.get("ann", photo_id) for photo_id in kept)
    assert {path.stem for path in (root / "blobs").rglob("*.jpg")} == kept
    assert len(files(root)) == 2 * len(kept)


def test_death_at_any_step_leaves_whole_photos_only(tmp_path: Path) -> None:
    """A process kills itself at each step of a put and a delete that Python's audit tells of."""
    answer = subprocess.run(
        [sys.executable, "-c", DIE_AT_EVERY_STEP, tmp_path],
        check=False,
        capture_output=True,
        text=True,
    )

    assert answer.stderr == ""
    assert int(answer.stdout) > 20


OWNERS = st.sampled_from(["ann", "ben", "cleo"])
PHOTOS = st.sampled_from([jpeg(word, 100 * size) for size, word in enumerate("abcd", 3)])
QUOTA = 1000


class AgainstADict(RuleBasedStateMachine):
    """The store and a dictionary are asked the same, and answer the same."""

    def __init__(self) -> None:
        super().__init__()
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.root = Path(tempfile.mkdtemp(dir=memory))
        self.store = PhotoStore(self.root, quota_bytes=QUOTA)
        self.kept: dict[str, dict[str, bytes]] = defaultdict(dict)
        self.left_over: set[str] = set()

    @initialize(owner=OWNERS, photo=PHOTOS)
    def begin(self, owner: str, photo: bytes) -> None:
        self.put(owner, photo)

    @rule(owner=OWNERS, photo=PHOTOS)
    def put(self, owner: str, photo: bytes) -> None:
        photo_id, mine = hashlib.sha256(photo).hexdigest(), self.kept[owner]
        fits = photo_id in mine or sum(map(len, mine.values())) + len(photo) <= QUOTA
        try:
            assert self.store.put(owner, photo) == photo_id
        except QuotaExceeded:
            assert not fits
        else:
            assert fits
            mine[photo_id] = photo
            self.left_over.discard(photo_id)

    @rule(owner=OWNERS, photo=PHOTOS)
    def get(self, owner: str, photo: bytes) -> None:
        photo_id = hashlib.sha256(photo).hexdigest()
        try:
            assert self.store.get(owner, photo_id) == self.kept[owner][photo_id]
        except PhotoNotFound:
            assert photo_id not in self.kept[owner]

    @rule(owner=OWNERS, photo=PHOTOS)
    def delete(self, owner: str, photo: bytes) -> None:
        photo_id = hashlib.sha256(photo).hexdigest()
        try:
            self.store.delete(owner, photo_id)
        except PhotoNotFound:
            assert photo_id not in self.kept[owner]
        else:
            del self.kept[owner][photo_id]

    @rule(owner=OWNERS)
    def delete_all(self, owner: str) -> None:
        assert self.store.delete_all(owner) == len(self.kept.pop(owner, {}))

    @rule(photo=PHOTOS)
    def crash_before_the_record(self, photo: bytes) -> None:
        """Leave what a process leaves that dies between the blob and its record."""
        photo_id = hashlib.sha256(photo).hexdigest()
        if photo_id not in self.everyones():
            blob(self.root, photo_id).parent.mkdir(exist_ok=True)
            blob(self.root, photo_id).write_bytes(photo)
            self.left_over.add(photo_id)

    @rule()
    def sweep(self) -> None:
        assert self.store.sweep(3600) == 0
        assert self.store.sweep(0) == len(self.left_over)
        self.left_over.clear()

    @rule()
    def reopen(self) -> None:
        self.store = PhotoStore(self.root, quota_bytes=QUOTA)

    @invariant()
    def both_own_the_same(self) -> None:
        for owner, mine in self.kept.items():
            owned = tuple(sorted((photo_id, len(photo)) for photo_id, photo in mine.items()))
            assert self.store.owned(owner) == owned
            assert self.store.used_bytes(owner) == sum(map(len, mine.values()))

    @invariant()
    def each_blob_has_a_link_for_each_owner(self) -> None:
        links = {path.stem: path.stat().st_nlink for path in self.root.glob("blobs/*/*")}
        owners = [photo_id for mine in self.kept.values() for photo_id in mine]
        wanted = {photo_id: 1 + owners.count(photo_id) for photo_id in self.everyones()}
        assert links == wanted | dict.fromkeys(self.left_over, 1)

    def everyones(self) -> set[str]:
        return {photo_id for mine in self.kept.values() for photo_id in mine}

    def teardown(self) -> None:
        shutil.rmtree(self.root)


AgainstADict.TestCase.settings = settings(
    max_examples=40,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestAgainstADict = AgainstADict.TestCase
