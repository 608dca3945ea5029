"""``python -m plantid_core.sandbox``: how the embedded sandbox is started."""

from __future__ import annotations

import argparse
from pathlib import Path

from plantid_core.errors import ConfigurationError
from plantid_core.sandbox.server import run


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(prog="python -m plantid_core.sandbox")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--faults", type=Path)
    parser.add_argument("--quota", type=int)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--cache-dir", type=Path, required=True)
    parser.add_argument("--ready-file", type=Path)
    try:
        run(**vars(parser.parse_args()))
    except ConfigurationError as error:
        parser.error("; ".join(error.faults))


if __name__ == "__main__":
    main()
