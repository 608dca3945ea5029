"""From a stranger's bytes to a `Photo` that holds a picture and nothing else.

The gates, in order: size → name → type → header → decode → re-encode. Each may raise
`plantid_core.errors.UploadRejected`; what passes all of them has been decoded exactly once.
"""

from __future__ import annotations

from plantid_core.upload.chain import Upload, admit
from plantid_core.upload.photo import Photo, Prefill
from plantid_core.upload.policy import Policy

__all__ = ["Photo", "Policy", "Prefill", "Upload", "admit"]
