"""``plantid check`` tries what the settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plantid_core.deploy.reach import reached
from plantid_core.settings import load_settings
from plantid_core.store.embedded import open_embedded

if TYPE_CHECKING:
    from pathlib import Path

NOBODY = "127.0.0.1:9"


def test_what_is_there_is_found(tmp_path: Path) -> None:
    """A store that answers, a database that opens, a folder that can be written."""
    with open_embedded(tmp_path) as store:
        settings = load_settings(
            data_dir=tmp_path, redis_url=store.url, database_url=f"sqlite:///{tmp_path}/plants.db"
        )
        assert reached(settings) == []


def test_what_is_not_there_is_named_without_its_password(tmp_path: Path) -> None:
    """Each by an id of its own, and none waits for long."""
    (tmp_path / "file").touch()
    settings = load_settings(
        data_dir=tmp_path / "file" / "plants",
        redis_url=f"redis://:hush@{NOBODY}/0",
        database_url=f"postgresql://app:hush@{NOBODY}/plants",
        oidc_issuer=f"http://{NOBODY}",
        oidc_client_id="plants",
        oidc_client_secret="hush",  # noqa: S106 - a test's
        plant_id_api_key="your-api-key-goes-here",
    )

    found = reached(settings)

    assert {one.id for one in found} == {
        "data.unwritable",
        "redis.unreachable",
        "database.unreachable",
        "oidc.unreachable",
        "key.plant_id",
    }
    assert not any("hush" in one.message or "goes-here" in one.message for one in found)
