"""``python -m plantid_core.cli``: the command where its script is not on the path."""

from __future__ import annotations

from plantid_core.cli import main

main()
