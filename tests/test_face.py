"""The package's own face."""

from __future__ import annotations

import subprocess
import sys


def test_import_loads_nothing_heavy() -> None:
    """Importing the package leaves every heavy library alone."""
    heavy = "redis requests sqlalchemy numpy pandas onnxruntime streamlit PIL pydantic".split()  # noqa: SIM905
    script = f"import sys, plantid_core; print([m for m in {heavy!r} if m in sys.modules])"

    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert result.stdout.strip() == "[]"
