"""Files from *History*: for others what the filters leave, for oneself all that is kept."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import streamlit as st

from plantid_core.errors import NothingToExport, PlantIDError
from plantid_core.web import history_said
from plantid_core.web.history_delete import so_many
from plantid_core.web.naming import plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from plantid_core.collection import Format
    from plantid_core.desk import Desk
    from plantid_core.export.release import Exported
    from plantid_core.store.history.values import Filter

_MADE, _MINE = "export", "mine"
# A page hands a file out from memory.
_MOST_BYTES: Final = 256 << 20
_KINDS: Final[dict[Format, tuple[str, str, str]]] = {
    "csv": ("Tidy table (CSV)", "observations.csv", "text/csv"),
    "dwca": ("Darwin Core Archive", "observations.zip", "application/zip"),
}


@dataclass(frozen=True, slots=True)
class _File:
    """A file that is ready, ``asked`` for with these settings; or, without data, why there is none."""

    asked: tuple[object, ...]
    sentence: str
    name: str = ""
    mime: str = ""
    data: bytes = b""


def filtered(desk: Desk, wanted: Filter, total: int) -> None:
    """Offer what the filters leave, as a table or an archive for others to read."""
    with st.popover("Export", icon=":material/download:", disabled=not total):
        st.markdown(
            f"**{so_many(total, 'observation')}**, as the filters leave them, for others to read."
            " Places of sensitive plants are told to a coarse grid only."
        )
        kind = st.radio(
            "As",
            list(_KINDS),
            format_func=lambda name: _KINDS[name][0],
            captions=[
                "A row a suggestion, for spreadsheets and scripts",
                "Occurrences, photos and identifications, as GBIF reads them",
            ],
            key="export_as",
        )
        sandbox = st.checkbox("Include sandbox answers (they stay marked)", key="export_sandbox")
        photos = st.checkbox(
            "With the photos", key="export_photos", disabled=kind != "dwca", help="In an archive."
        )
        photos = photos and kind == "dwca"
        asked = (wanted, kind, sandbox, photos)
        if st.button("Prepare the file", type="primary", key="export_prepare"):
            _, name, mime = _KINDS[kind]
            history_said.ready()[_MADE] = _made(
                asked,
                mime,
                lambda folder: desk.collection.export(
                    folder / name,
                    kind,
                    wanted=wanted,
                    include_sandbox=sandbox,
                    with_photos=photos,
                ),
                "" if sandbox else _without_sandbox(desk, wanted, total),
            )
        _offer(_MADE, asked, "Download the file")


def mine(desk: Desk, total: int) -> None:
    """Offer all that is the owner's, exactly as it is kept."""
    st.markdown(
        "**All that is mine**: every observation, answer, determination and photo, with exact places"
        " and the sandbox's answers. It is for you alone."
    )
    asked = (total,)
    if st.button("Export all that is mine", key="mine_prepare", icon=":material/folder_zip:"):
        history_said.ready()[_MINE] = _made(
            asked, "application/zip", lambda folder: _mine(desk, folder)
        )
    _offer(_MINE, asked, "Download all that is mine")


def _mine(desk: Desk, folder: Path) -> tuple[Path, Exported]:
    path = folder / "plantid-mine.zip"
    return path, desk.collection.export_mine(path)


def _without_sandbox(desk: Desk, wanted: Filter, total: int) -> str:
    """Return a sentence where answers of the sandbox are left out of a file."""
    try:
        real = desk.collection.find(replace(wanted, sandbox=False), limit=1).total
    except PlantIDError:
        return ""  # the export itself will tell
    return (
        f" What the sandbox answered is left out: {total - real:,} have some."
        if real < total
        else ""
    )


def _made(
    asked: tuple[object, ...],
    mime: str,
    write: Callable[[Path], tuple[Path, Exported]],
    remark: str = "",
) -> _File:
    try:
        with (
            st.spinner("Writing the file …", show_time=True),
            tempfile.TemporaryDirectory(prefix="plantid-export-") as folder,
        ):
            path, done = write(Path(folder))
            if (size := path.stat().st_size) > _MOST_BYTES:
                return _File(
                    asked,
                    f"The file would be {size >> 20:,} MB, more than a page can hand out"
                    f" ({_MOST_BYTES >> 20} MB). Use plantid history on the command line, or leave"
                    " the photos out.",
                )
            return _File(asked, _sentence(done) + remark, path.name, mime, path.read_bytes())
    except NothingToExport as nothing:
        advice = ""
        if any("sandbox" in reason for reason in nothing.left_out):
            advice = " Tick *Include sandbox answers* to export them as practice, marked."
        return _File(asked, plain(str(nothing)) + advice)
    except PlantIDError as error:
        return _File(asked, plain(str(error)))
    except OSError as error:
        return _File(asked, f"The file could not be written: {plain(error.strerror or '')}.")


def _offer(key: str, asked: tuple[object, ...], label: str) -> None:
    file: _File | None = history_said.ready().get(key)
    if file is None:
        return
    if file.asked != asked:
        # What it would hold now is another thing.
        del history_said.ready()[key]
        return
    if not file.data:
        st.info(file.sentence, icon=":material/info:")
        return
    st.caption(file.sentence)
    st.download_button(
        label,
        file.data,
        file.name,
        file.mime,
        key=f"{key}_download",
        icon=":material/download:",
        on_click="ignore",
    )


def _sentence(done: Exported) -> str:
    said = [f"{so_many(done.observations, 'observation')} in {so_many(done.rows, 'row')}."]
    said += [
        f"{count:,} left out, since {reason}." for reason, count in done.left_out.most_common()
    ]
    if done.generalised:
        said.append(
            f"{so_many(done.generalised, 'place')} not told exactly, of sensitive plants: moved to a"
            " coarse grid, with the uncertainty to match."
        )
    if done.photos_missing:
        said.append(f"{so_many(done.photos_missing, 'photo')} could not be read.")
    return " ".join(said)
