"""Upload lab: throw an attack at the chain, and see which gate stops it."""

from __future__ import annotations

import hashlib

import streamlit as st

from plantid_core.lab import trial
from plantid_core.lab.attacks import ATTACKS, Attack
from plantid_core.upload import Upload
from plantid_core.web import door, gates
from plantid_core.web.session import desk

_OWN = "Your own file"
_KEPT = 6
_VECTORS = [*dict.fromkeys(attack.vector for attack in ATTACKS), _OWN]
_BY_ID = {attack.id: attack for attack in ATTACKS}


def _choose() -> Attack | Upload | None:
    chosen = _BY_ID.get(st.query_params.get("attack", ""))
    vector = st.selectbox(
        "Kind of attack",
        _VECTORS,
        index=_VECTORS.index(chosen.vector) if chosen else 0,
    )
    if vector == _OWN:
        st.query_params.clear()
        file = st.file_uploader("A file of yours; it is judged here and not kept")
        return Upload(file.getvalue(), file.name) if file else None
    for attack in ATTACKS:
        if attack.vector == vector:
            _card(attack, chosen=attack is chosen)
    chosen = _BY_ID.get(st.query_params.get("attack", ""))
    return chosen if chosen and chosen.vector == vector else None


def _card(attack: Attack, *, chosen: bool) -> None:
    with st.container(gap="xsmall"):
        if st.button(
            attack.title,
            key=attack.id,
            type="primary" if chosen else "secondary",
            width="stretch",
        ):
            _results().pop(attack.id, None)
            st.query_params["attack"] = attack.id
            st.rerun()
        st.caption(attack.story)


def _results() -> dict[str, trial.Trial]:
    kept: dict[str, trial.Trial] = st.session_state.setdefault("trials", {})
    return kept


def _result(chosen: Attack | Upload) -> trial.Trial:
    kept = _results()
    if isinstance(chosen, Upload):
        key, hostile = hashlib.sha256(chosen.data).hexdigest() + chosen.filename, False
    else:
        key, hostile = chosen.id, chosen.expect == "reject"
    if key not in kept:
        desk().require("upload.try")
        with st.spinner("Both are looking at it …", show_time=True):
            upload = chosen if isinstance(chosen, Upload) else chosen.upload()
            kept[key] = trial.run(upload, hostile=hostile)
        for old in list(kept)[:-_KEPT]:
            del kept[old]
    return kept[key]


gates.style()
st.title("Upload lab", anchor=False)
st.caption(
    "Every file passes six gates. A hostile one is stopped before it costs memory or time; an honest"
    " one comes out as a picture and nothing else."
)
if door.shut(desk(), "upload.try", "Sign in to throw files at the chain."):
    st.stop()
left, right = st.columns([1, 2], gap="large")
with left:
    picked = _choose()
with right:
    if picked is None:
        st.info(
            "Here you will see which gate stops a file, what each gate cost, and what the usual"
            " validator makes of it. Throw an attack, or drop a file of yours.",
            icon=":material/shield:",
        )
    else:
        found = _result(picked)
        gates.show(found)
        with st.container(horizontal=True):
            st.download_button("Download figures", found.as_csv(), "gates.csv", "text/csv")
            if found.ours is not None and found.ours.photo is not None:
                st.download_button(
                    "Download clean photo", found.ours.photo.jpeg, "clean.jpg", "image/jpeg"
                )
    with st.expander("Every limit", icon=":material/straighten:"):
        gates.limits()
