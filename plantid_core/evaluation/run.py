"""Every labelled photo is put to every provider once."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from plantid_core.batch.ask import answers_of, require_providers
from plantid_core.compare.agreement import agreement_over
from plantid_core.compare.consensus import consensus
from plantid_core.compare.evaluate.judgement import judge, judge_joint
from plantid_core.compare.evaluate.measure import RESAMPLES, measure
from plantid_core.errors import PlantIDError, SandboxNotBotany, UploadRejected
from plantid_core.evaluation.result import Evaluation, Heard, Refused
from plantid_core.palette import TITLES, listed, so_many
from plantid_core.upload import Policy, Upload
from plantid_core.upload.chain import require_size

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from plantid_core.batch.ask import Asked
    from plantid_core.compare.evaluate.judgement import Judgement
    from plantid_core.compare.evaluate.label import Labelled
    from plantid_core.compare.evaluate.measure import Figure, Measured
    from plantid_core.compare.names.values import Reconciler
    from plantid_core.plants import Answer, Outcome
    from plantid_core.workbench import Workbench

HERBARIUM = "herbarium"

# Below so many photos, resampling them draws intervals that are too narrow.
_FEW = 30
_RIGHT = ("top1", "genus_top1", "family_top1", "rejection")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is: photos, seconds since the start, and seconds left at this rate."""

    done: int
    total: int
    elapsed_s: float
    left_s: float


def evaluate(  # noqa: PLR0913 - all but the first two by keyword
    workbench: Workbench,
    labelled: Sequence[Labelled],
    *,
    include_sandbox: bool = False,
    providers: Sequence[str] | None = None,
    concurrency: int = 8,
    tell: Callable[[Progress], None] | None = None,
    stop: threading.Event | None = None,
    seed: int = 1,
    resamples: int = RESAMPLES,
    seen_by_herbarium: Callable[[str], bool] | None = None,
    user: str = "local",
) -> Evaluation:
    """Return how right each provider, and their joint ranking, is on these photos.

    Without ``include_sandbox``, providers that the sandbox answers for are not asked at all. A photo
    that is refused is told of, and the rest goes on. ``seen_by_herbarium`` tells by the cleaned photo's
    sha256 whether the local herbarium was built from it (None: the workbench tells): its own answer is
    then no evidence, and is left out, of the joint ranking as well. ``user`` is whose calls of a minute
    these are. Once ``stop`` is set, no photo is begun any more.

    Raises `SandboxNotBotany` where nobody but the sandbox could be asked, `PlantIDError` for a provider
    that there is not, and for photos whose names are not told apart.
    """
    if len({photo.file for photo in labelled}) < len(labelled):
        raise PlantIDError("Two labelled photos have the same name.")
    chosen, left_out = _chosen(workbench, providers, include_sandbox=include_sandbox)
    refused: list[Refused] = []
    asked = answers_of(
        workbench,
        _uploads(labelled, refused),
        providers=chosen,
        concurrency=concurrency,
        user=user,
        stop=stop,
    )
    outcomes = _outcomes(asked, refused, len(labelled), tell)
    heard, seen = _heard(
        workbench, labelled, outcomes, seen_by_herbarium or workbench.seen_by_herbarium
    )
    judgements = tuple(_judged(heard, workbench.names))
    measured = measure(judgements, seed, resamples)
    order = {photo.file: place for place, photo in enumerate(labelled)}
    return Evaluation(
        heard,
        judgements,
        measured,
        tuple(dict.fromkeys(one.provider for one in judgements if one.sandbox)),
        tuple(sorted(refused, key=lambda one: order[one.file])),
        tuple(_notes(heard, judgements, measured, left_out, seen)),
        seed,
        stopped=len(heard) + len(refused) < len(labelled),
        agreement=agreement_over((one.answers for one in heard), workbench.names),
    )


def _outcomes(
    asked: Iterable[Asked],
    refused: list[Refused],
    total: int,
    tell: Callable[[Progress], None] | None,
) -> dict[str, Outcome]:
    """Return the outcomes by file as they come, and add what is refused to those that are."""
    begin = time.monotonic()
    outcomes: dict[str, Outcome] = {}
    for one in asked:
        if one.refusal is not None:
            refused.append(Refused(one.name, _code(one.refusal), str(one.refusal)))
        elif one.outcome is not None:
            outcomes[one.name] = replace(
                one.outcome, answers=tuple(_lean(answer) for answer in one.outcome.answers)
            )
        if tell is not None:
            tell(_progress(len(outcomes) + len(refused), total, begin))
    return outcomes


def _chosen(
    workbench: Workbench, wanted: Sequence[str] | None, *, include_sandbox: bool
) -> tuple[list[str], list[str]]:
    """Return whom to ask, and who is left out because the sandbox would answer."""
    require_providers(workbench, wanted)
    there = [one for one in workbench.providers() if wanted is None or one.name in wanted]
    chosen = [one.name for one in there if include_sandbox or not one.sandbox]
    left_out = [one.name for one in there if one.name not in chosen]
    if not chosen:
        told = listed([TITLES.get(name, name) for name in left_out]) or "Nobody"
        raise SandboxNotBotany(
            tuple(left_out),
            f"{told} would be answered by the sandbox, and its answers are no botany. Set the"
            " service's API key, or evaluate the sandbox on purpose with --include-sandbox.",
        )
    return chosen, left_out


def _uploads(labelled: Iterable[Labelled], refused: list[Refused]) -> Iterator[tuple[str, Upload]]:
    """Yield the files' bytes; those that cannot be read, or cannot be photos, are added to the refused."""
    policy = Policy()
    for photo in labelled:
        try:
            require_size(photo.path.stat().st_size, policy)
            with photo.path.open("rb") as file:
                data = file.read(policy.max_bytes + 1)
        except UploadRejected as rejected:
            refused.append(Refused(photo.file, rejected.code, str(rejected)))
        except OSError as error:
            reason = f"It could not be read: {error.strerror}."
            refused.append(Refused(photo.file, "unreadable", reason))
        else:
            yield photo.file, Upload(data, photo.path.name)


def _heard(
    workbench: Workbench,
    labelled: Iterable[Labelled],
    outcomes: Mapping[str, Outcome],
    seen_by_herbarium: Callable[[str], bool],
) -> tuple[tuple[Heard, ...], int]:
    """Return the answers that count, in the labels' order, and on how many the herbarium's does not."""
    heard, seen = [], 0
    for photo in labelled:
        if (outcome := outcomes.get(photo.file)) is None:
            continue
        digest, answers = outcome.photos[0].sha256, outcome.answers
        if any(answer.provider == HERBARIUM for answer in answers) and seen_by_herbarium(digest):
            answers = tuple(answer for answer in answers if answer.provider != HERBARIUM)
            seen += 1
        joint = consensus(answers, workbench.names, workbench.calibration)
        heard.append(Heard(photo, digest, answers, joint))
    return tuple(heard), seen


def _lean(answer: Answer) -> Answer:
    """Return the answer without reference pictures and care: nothing here needs them, and they are large."""
    return replace(
        answer,
        suggestions=tuple(replace(one, images=(), care=None) for one in answer.suggestions),
    )


def _judged(heard: Iterable[Heard], names: Reconciler) -> Iterator[Judgement]:
    for one in heard:
        parts = [judge(one.photo, answer, names) for answer in one.answers]
        yield from parts
        yield judge_joint(one.photo, one.joint, parts, names)


def _notes(
    heard: Sequence[Heard],
    judgements: Sequence[Judgement],
    measured: Measured,
    left_out: Sequence[str],
    seen: int,
) -> Iterator[str]:
    """Yield what a reader of the figures has to know."""
    if left_out:
        told = listed([TITLES.get(name, name) for name in left_out])
        yield f"{told}: not asked, for the sandbox would have answered."
    if seen:
        yield (
            f"{so_many(seen)} of these went into the local herbarium: its answers there are left out."
        )
    if any(one.provider == HERBARIUM for one in judgements):
        yield (
            "Cut or newly saved copies of photos in the local herbarium cannot be told from new ones, and"
            " flatter it."
        )
    silent = Counter((one.provider, one.status) for one in judgements if not one.answered)
    for (provider, status), count in sorted(silent.items()):
        title = TITLES.get(provider, provider)
        yield f"{title} did not answer {so_many(count)} ({status}): not counted as wrong."
    if vague := sum(one.photo.level in {"genus", "family"} for one in heard):
        yield f"{so_many(vague)} with a genus or family for a label: counted at that level and above."
    if twice := len(heard) - len({one.sha256 for one in heard}):
        yield f"{so_many(twice)} of these show the same picture as another, which so counts again."
    if 0 < len(heard) < _FEW:
        yield f"{so_many(len(heard))} to go by: intervals from fewer than {_FEW} are too narrow."
    if any(figure.value in {0, 1} and figure.low == figure.high for figure in _shares(measured)):
        yield "Where all photos fared alike, resampling them shows no spread: 100 % is no certainty."


def _shares(measured: Measured) -> Iterator[Figure]:
    for figures in measured.providers.values():
        yield from (figures[metric] for metric in _RIGHT)


def _code(refusal: PlantIDError) -> str:
    return refusal.code if isinstance(refusal, UploadRejected) else "failed"


def _progress(done: int, total: int, begin: float) -> Progress:
    elapsed = time.monotonic() - begin
    return Progress(done, total, elapsed, elapsed / done * (total - done) if done else 0.0)
