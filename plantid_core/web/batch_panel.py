"""Many photos on a page: brought, estimated, asked with a rate and a time left, and downloaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import streamlit as st

from plantid_core.errors import PlantIDError
from plantid_core.palette import age
from plantid_core.plants import LOCAL
from plantid_core.web import batch_found, batch_job, door, labelled
from plantid_core.web.batch_job import LIMITS, BatchBusy, BatchJob
from plantid_core.web.naming import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamlit.runtime.uploaded_file_manager import UploadedFile

    from plantid_core.desk import Desk
    from plantid_core.web.batch_job import Batch

_BROUGHT: Final = "batch_brought"
_TYPES: Final = ["zip", "jpg", "jpeg", "png", "webp", "gif"]


def show(desk: Desk) -> None:
    """Draw whichever state the batch is in: none, ready, being asked, or done."""
    if door.shut(desk, "batch.run", "Sign in to identify many photos at once."):
        return
    most = labelled.most_mb(LIMITS)
    files = st.file_uploader(
        f"Photos, or one ZIP of them: up to {LIMITS.files:,}, at most {most} MB a file, one plant a"
        " photo",
        type=_TYPES,
        accept_multiple_files=True,
        key="batch_files",
        max_upload_size=most,
    )
    batch = _brought(desk, files) if files else None
    last = None if files else batch_job.latest(desk)
    if last is not None:
        # The page was loaded again: the browser has forgotten the photos, but not what came of them.
        batch = last.batch
        st.caption("The last batch:")
    if batch is None and not files:
        st.info(
            "Here you will see how far the photos are, and in the end a table of all answers. Nobody"
            " is asked before you have seen what it takes.",
            icon=":material/photo_library:",
        )
    if batch is not None:
        _shown(desk, batch)


def _shown(desk: Desk, batch: Batch) -> None:
    job = batch_job.job_of(batch)
    if job is not None and job.running:
        st.fragment(_progress, run_every=0.5)(job)
        return
    if job is not None:
        _ended(job)
    left = not batch.finished if job is None else job.done is None or bool(job.done.counts.left)
    if left:
        _offer(desk, batch, again=job is not None)
    elif job is None:
        st.success("These photos were answered before.", icon=":material/check:")
    batch_found.show(batch)


def _brought(desk: Desk, files: Sequence[UploadedFile]) -> Batch | None:
    """Return the batch of these files, prepared when they are first seen; None with a sentence else."""
    which = tuple(sorted(file.file_id for file in files))
    kept: tuple[object, Batch | str] | None = st.session_state.get(_BROUGHT)
    if kept is None or kept[0] != which:
        found: Batch | str
        try:
            with st.spinner("Looking at the photos …"):
                found = batch_job.prepare(desk, [(file.name, file) for file in files])
        except BatchBusy as busy:
            st.warning(str(busy), icon=":material/hourglass_top:")
            return None
        except PlantIDError as error:
            found = str(error)
        except OSError as error:
            found = f"The disk refused it: {error.strerror}. Try again."
        kept = (which, found)
        st.session_state[_BROUGHT] = kept
    if isinstance(kept[1], str):
        st.error(plain(kept[1]), icon=":material/error:")
        return None
    return kept[1]


def _offer(desk: Desk, batch: Batch, *, again: bool) -> None:
    estimate = batch.estimate
    if not estimate.photos:
        st.warning("There is no photo among these files. Use JPEG, PNG, WebP or GIF.")
        return
    if not again:
        st.markdown(_estimated(batch))
    if batch.sandbox:
        st.caption(
            f"{' and '.join(batch.sandbox)}: answered by a sandbox on this machine. Nothing is sent or"
            " charged, and its answers are no botany."
        )
    left, right = st.columns([1, 2], vertical_alignment="bottom")
    bound = left.number_input(
        "At most so many credits",
        min_value=0,
        value=None,
        placeholder="no bound",
        step=10,
        key="batch_credits",
        help="It stops before one more is used, counting earlier runs of the same photos.",
    )
    label = "Ask for the rest" if again else "Identify them all"
    if right.button(label, type="primary", key="batch_start", icon=":material/play_arrow:"):
        try:
            BatchJob(desk, batch, None if bound is None else int(bound))
        except PlantIDError as error:
            st.warning(str(error), icon=":material/hourglass_top:")
            return
        st.rerun()


def _estimated(batch: Batch) -> str:
    estimate = batch.estimate
    titles = {service.name: service.title for service in batch.services}
    paid = {name: count for name, count in estimate.calls.items() if count and name not in LOCAL}
    calls = " and ".join(f"{titles[name]} {count:,}" for name, count in paid.items())
    there = estimate.done + estimate.refused
    before = f" {there:,} of them are done already." if there else ""
    same = estimate.photos - estimate.distinct
    twice = f" {same:,} of them are another one's copy." if same else ""
    return (
        f"**{estimate.photos:,} photos**.{twice}{before} At most **{estimate.credits:,} credits**"
        f" ({calls or 'no service is asked'}), in about {age(estimate.seconds)}."
    )


def _progress(job: BatchJob) -> None:
    if not job.running:
        st.rerun()
    at = job.progress
    if at is None or not at.total:
        st.progress(0.0, "Beginning …")
    else:
        rate = f" · {(at.total - at.done) / at.left_s:.1f} photos/s" if at.left_s else ""
        left = f" · {age(at.left_s)} left" if at.left_s else ""
        st.progress(at.done / at.total, f"{at.done:,} of {at.total:,} photos{rate}{left}")
        titles = {service.name: service.title for service in job.batch.services}
        silent = " and ".join(titles.get(name, name) for name in at.silent)
        waits = f" Waiting for {silent}." if silent else ""
        st.caption(f"{at.credits:,} credits used.{waits} It goes on when you leave this page.")
    if st.button("Stop", key="batch_stop", icon=":material/stop:"):
        job.stop()
        st.toast("Those under way are finished first.")


def _ended(job: BatchJob) -> None:
    if job.error:
        st.error(plain(job.error), icon=":material/error:")
        return
    done, written = job.done, job.written
    if done is None or written is None:
        return
    told = ", ".join(f"{count:,} {state}" for state, count in written.photos.items())
    sentence = f"{told or 'No photos'}. {done.credits:,} credits. This took {age(done.elapsed_s)}."
    if done.stopped == "credits":
        st.warning(f"Stopped at the bound of credits. {sentence}", icon=":material/savings:")
    elif done.stopped == "interrupted":
        st.warning(
            f"Stopped. What was answered is kept. {sentence}", icon=":material/pause_circle:"
        )
    else:
        st.success(sentence, icon=":material/check:")
    titles = {service.name: service.title for service in job.batch.services}
    for name, answer in done.silent.items():
        message = answer.error["message"] if answer.error else answer.status
        st.caption(f"{titles.get(name, name)} does not answer: {plain(message)}")
