"""The app: an ASGI server when imported, the pages when run as the script."""

from __future__ import annotations

import streamlit as st
from streamlit.starlette import App

from plantid_core.web import api, application, looks, oidc, sign_in
from plantid_core.web.page_run import page_run

if __name__ == "__main__" and st.runtime.exists():
    st.set_page_config(page_title="Plant-ID workbench", page_icon=":seedling:", layout="wide")
    looks.style()
    offered = [
        st.Page("pages/identify.py", title="Identify", default=True),
        st.Page("pages/compare.py", title="Compare", url_path="compare"),
        st.Page("pages/history.py", title="History", url_path="history"),
        st.Page("pages/batch.py", title="Batch", url_path="batch"),
        st.Page("pages/upload_lab.py", title="Upload lab", url_path="upload_lab"),
        st.Page("pages/stampede_lab.py", title="Stampede lab", url_path="stampede_lab"),
        st.Page("pages/breaker_lab.py", title="Breaker lab", url_path="breaker_lab"),
        st.Page("pages/failure_demo.py", title="Failure demo", url_path="failure_demo"),
        st.Page("pages/operations.py", title="Operations", url_path="operations"),
    ]
    sign_in.who()
    page = sign_in.navigation(offered)
    with page_run(page.url_path or "identify"):
        page.run()
else:
    settings = application.settings_or_exit()
    app = App(
        __file__,
        routes=application.routes(),
        middleware=application.middleware(),
        secrets=oidc.secrets(settings),
        lifespan=application.lifespan,
        on_script_error=application.script_error,
        exception_handlers={Exception: api.failure},
    )
    oidc.sign_with_our_key(settings)

    if __name__ == "__main__":
        application.start(app)
