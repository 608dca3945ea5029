"""Labelled photos are put to every provider, and the answers are measured."""

from __future__ import annotations

from plantid_core.evaluation.result import Evaluation, Heard, Refused
from plantid_core.evaluation.run import Progress, evaluate

__all__ = ["Evaluation", "Heard", "Progress", "Refused", "evaluate"]
