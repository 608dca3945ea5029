"""``plantid serve``: the app."""

from __future__ import annotations

from typing import Annotated

import typer


def serve(
    port: Annotated[int | None, typer.Option(help="Port (else PLANTID_PORT, else 8501).")] = None,
) -> None:
    """Serve the app; Ctrl-C ends it and everything it started."""
    import faulthandler

    from plantid_core.supervise.memory import give_back_freed

    faulthandler.enable()  # a crash in compiled code names the lines it came from, and no values
    give_back_freed()  # before anything that is imported below starts a thread
    from plantid_core.settings import load_settings
    from plantid_core.web.application import serve as serve_app

    overrides: dict[str, object] = {} if port is None else {"port": port}
    serve_app(load_settings(**overrides))
