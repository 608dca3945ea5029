"""``plantid upload``: judge files, and clean one."""

from __future__ import annotations

import itertools
import os
import sys
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from plantid_core.cli import REFUSED, files
from plantid_core.errors import UploadRejected
from plantid_core.upload.chain import admit
from plantid_core.upload.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from plantid_core.upload.examination import Examination

    Line = dict[str, object]

app = typer.Typer(help="Judge and clean photos by the upload chain.", no_args_is_help=True)

_PROGRESS_FROM = 20


@app.command()
def check(
    paths: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Files to judge.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON line a file.")] = False,
) -> None:
    """Say of each file whether it would be accepted, and if not, why; exit 3 if any is refused."""
    for path in paths:
        files.require_there(path)
    refused = 0
    for line in _with_progress(_judged(paths), len(paths)):
        refused += line["verdict"] == "reject"
        typer.echo(orjson.dumps(line) if as_json else _sentence(line))
    if refused:
        raise typer.Exit(REFUSED)


@app.command()
def clean(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="The photo to clean.")],
    *,
    out: Annotated[Path, typer.Option("-o", "--out", help="Where the clean JPEG goes.")],
    full: Annotated[
        bool,
        typer.Option("--full", help="Keep the full size; else the longer side has about 1500 px."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was done as JSON.")] = False,
) -> None:
    """Write a copy of a photo that is upright and holds a picture and nothing else."""
    if out.suffix.lower() not in {".jpg", ".jpeg"}:
        raise typer.BadParameter("the clean copy is a JPEG: let its name end in .jpg")
    if out.exists() and path.exists() and out.samefile(path):
        raise typer.BadParameter("the copy would replace the original: choose another name")
    policy = Policy(keep_full=full)
    try:
        upload = files.read(path, policy)
        photo = admit(upload.data, upload.filename, policy=policy)
    except UploadRejected as rejected:
        raise files.named(path, rejected) from None
    jpeg = photo.full or photo.jpeg
    files.write_atomically(out, jpeg)
    if as_json:
        line = {"file": str(path), "out": str(out), "bytes": len(jpeg), "stripped": photo.stripped}
        typer.echo(orjson.dumps(line))
    else:
        gone = ", ".join(photo.stripped) or "nothing"
        typer.echo(f"{out}: {len(jpeg) / 1e3:,.0f} kB, upright. Removed: {gone}.")


def _judged(paths: list[Path]) -> Iterator[Line]:
    """Yield a line a file, in order; no more files are held in memory than are being judged."""
    width = os.cpu_count() or 1
    left = iter(paths)
    with ThreadPoolExecutor(width) as executor:
        waiting: deque[Future[Line]] = deque(
            executor.submit(_judge, path) for path in itertools.islice(left, 2 * width)
        )
        while waiting:
            yield waiting.popleft().result()
            waiting.extend(executor.submit(_judge, path) for path in itertools.islice(left, 1))


def _judge(path: Path) -> Line:
    from plantid_core.upload.isolation.pool import shared_pool

    policy = Policy()
    try:
        upload = files.read(path, policy)
        found = shared_pool().examine(upload.data, upload.filename, policy)
    except UploadRejected as rejected:
        return _line(path, rejected)
    return _line(path, found.rejected, found)


def _line(path: Path, rejected: UploadRejected | None, found: Examination | None = None) -> Line:
    header = found.header if found else None
    return {
        "file": str(path),
        "verdict": "reject" if rejected else "accept",
        "code": rejected.code if rejected else None,
        "layer": rejected.layer if rejected else None,
        "message": str(rejected) if rejected else None,
        "limit": rejected.limit if rejected else None,
        "value": rejected.value if rejected else None,
        "detected": rejected.detected if rejected else None,
        "mime": found.mime if found else None,
        "width": header.width if header else None,
        "height": header.height if header else None,
        "frames": header.frames if header else None,
    }


def _sentence(line: Line) -> str:
    if line["verdict"] == "reject":
        return f"refused   {line['file']}: {line['message']} [{line['code']}]"
    return f"accepted  {line['file']}: {line['mime']}, {line['width']} x {line['height']} px"


def _with_progress(lines: Iterator[Line], total: int) -> Iterator[Line]:
    if total < _PROGRESS_FROM or not sys.stderr.isatty():
        yield from lines
        return
    from rich.console import Console
    from rich.progress import track

    yield from track(lines, "Judging", total=total, console=Console(stderr=True))
