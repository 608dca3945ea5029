"""Operations: how the running app stands, who may come in, and what is amiss; for admins."""

from __future__ import annotations

from plantid_core.web import operations_panel
from plantid_core.web.session import desk

operations_panel.show(desk())
