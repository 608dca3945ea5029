"""The upload chain under single-flight: the same bytes are decoded once, however often they come."""

from __future__ import annotations

import hashlib
import threading
from typing import TYPE_CHECKING

from plantid_core.errors import UploadRejected
from plantid_core.resilience.flight import Flights
from plantid_core.resilience.near import Near
from plantid_core.upload import Policy
from plantid_core.upload.chain import judge, precheck
from plantid_core.upload.verdict import recorded

if TYPE_CHECKING:
    from plantid_core.deadline import Deadline
    from plantid_core.telemetry import Trace
    from plantid_core.upload import Photo, Upload

_VERDICTS_KEPT = 128
_VERDICT_TTL_S = 1800.0


class Admission:
    """Verdicts by the sha256 of the raw bytes, the format the name promises, and the policy."""

    def __init__(self, policy: Policy | None = None) -> None:
        self._policy = policy or Policy()
        self._verdicts: Near[Photo | UploadRejected] = Near(_VERDICTS_KEPT, _VERDICT_TTL_S)
        self._flights: Flights[Photo | UploadRejected] = Flights()
        self._lock = threading.Lock()
        self._decoded = 0

    @property
    def decoded(self) -> int:
        """Return how many files went through the whole chain."""
        return self._decoded

    def photo(self, upload: Upload, deadline: Deadline, trace: Trace) -> Photo:
        """Return the sanitised photo; raises `UploadRejected`."""
        with recorded():
            verdict = self._verdict(upload, deadline, trace)
            if isinstance(verdict, UploadRejected):
                raise verdict.with_traceback(None)
            return verdict

    def at_hand(self, upload: Upload) -> Photo | None:
        """Return the photo of a file that was admitted a while ago, without waiting for anything.

        None where the verdict is not here, or is a refusal; nothing is counted.
        """
        try:
            kept = self._verdicts.get(self._key(upload))
        except UploadRejected:
            return None
        return None if kept is None or isinstance(kept[1], UploadRejected) else kept[1]

    def _key(self, upload: Upload) -> str:
        promised = precheck(upload.data, upload.filename, self._policy)
        digest = hashlib.sha256(upload.data).hexdigest()
        return f"{digest}:{promised}:{self._policy.version}"

    def _verdict(self, upload: Upload, deadline: Deadline, trace: Trace) -> Photo | UploadRejected:
        with trace.stage("validate") as note:
            key = self._key(upload)
            if (kept := self._verdicts.get(key)) is not None:
                note.text = "verdict kept"
                return kept[1]
            return self._flights.join(key, lambda: self._judge(key, upload), deadline)

    def _judge(self, key: str, upload: Upload) -> Photo | UploadRejected:
        # A flight that lands between a caller's look-up and its joining has left its verdict here.
        if (kept := self._verdicts.get(key)) is not None:
            return kept[1]
        with self._lock:
            self._decoded += 1
        verdict: Photo | UploadRejected
        try:
            verdict = judge(upload.data, upload.filename, self._policy)
        except UploadRejected as rejected:
            verdict = rejected
        # A refusal that says nothing of the file would refuse a good one for half an hour.
        if not (isinstance(verdict, UploadRejected) and verdict.transient):
            self._verdicts.put(key, verdict)
        return verdict
