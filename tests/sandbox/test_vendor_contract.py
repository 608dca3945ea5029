"""The vendor's own contract tests, as shipped in its package, against our sandbox."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def test_vendors_tests_pass(sandbox: object, tmp_path: Path) -> None:
    """All eleven pass, synchronous and asynchronous."""
    environment = {
        **os.environ,
        "ENVIRONMENT": "LOCAL",
        "PLANT_LOCAL_HOST": sandbox.url,  # type: ignore[attr-defined]
        "PLANT_LOCAL_API_KEY": "sandbox",
    }
    modules = ["kindwise.tests.test_plant", "kindwise.tests.async_api.test_plant"]
    arguments = ["-q", "-c", os.devnull, "--rootdir", str(tmp_path), "-p", "no:cacheprovider"]

    result = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments, "--pyargs", *modules],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    counts = dict(re.findall(r"(\d+) (passed|failed|error|skipped)", result.stdout)[::-1])
    assert result.returncode == 0, result.stdout[-3000:]
    assert {word: int(count) for count, word in counts.items()}["passed"] == 11
