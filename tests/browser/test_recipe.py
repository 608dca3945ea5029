"""Two processes behind the proxy, as ``docs/recipe/run`` starts them, with what can happen to them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import requests
import signing_in
from processes import until
from requests.adapters import HTTPAdapter
from sqlalchemy import create_engine, make_url, text

from plantid_core.drill.photos import photo
from plantid_core.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from playwright.sync_api import Browser

BIN = Path(sys.executable).parent
RUN = Path(__file__).parents[2] / "docs" / "recipe" / "run"
SIGN_IN = {
    "PLANTID_OIDC_ISSUER": signing_in.ISSUER,
    "PLANTID_OIDC_CLIENT_ID": "plants",
    "PLANTID_OIDC_CLIENT_SECRET": "hush-hush",
}

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ("openssl", "setpriv")))
    or shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin") is None
    or not list(Path("/usr/lib/postgresql").glob("*/bin/initdb")),
    reason="needs Debian's packages nginx-light, openssl and postgresql",
)


@dataclass(frozen=True)
class Recipe:
    """The running recipe."""

    told: dict[str, Any]
    folder: Path
    token: str

    def ask(
        self, method: str, path: str, *, process: int | None = None, **more: object
    ) -> requests.Response:
        """Ask through the proxy, or of one process as the proxy does."""
        headers = {"Authorization": f"Bearer {self.token}", **more.pop("headers", {})}  # type: ignore[dict-item]
        url = self.told["url"]
        if process is not None:
            headers |= {"Host": url.removeprefix("https://"), "X-Forwarded-Proto": "https"}
            url = f"http://127.0.0.1:{self.told['processes'][process]['port']}"
        return requests.request(  # type: ignore[arg-type]
            method, url + path, headers=headers, timeout=30, verify=self.told["certificate"], **more
        )

    def identify(self, number: int, *, process: int | None = None, **fields: str) -> Any:  # noqa: ANN401 - JSON
        file = photo(number)
        answer = self.ask(
            "POST",
            "/api/v1/identify",
            process=process,
            files={"images": (file.filename, file.data, "image/jpeg")},
            data=fields,
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    def breaker(self, name: str, process: int) -> str:
        found = self.ask("GET", "/api/v1/breakers", process=process).json()
        return next(str(one["state"]) for one in found if one["name"] == name)

    def faults(self, **faults: object) -> None:
        ready = self.folder / "data" / "sandbox" / "address.json"
        url = json.loads(ready.read_text())["url"]
        requests.post(f"{url}/_faults", json=faults, timeout=10).raise_for_status()


class _From(HTTPAdapter):
    """Asks from another address of this machine."""

    def __init__(self, peer: str) -> None:
        self._peer = peer
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **more: Any) -> None:  # noqa: ANN401 - theirs
        super().init_poolmanager(*arguments, **more, source_address=(self._peer, 0))


def environment(file: str) -> dict[str, str]:
    """Return the recipe's own settings."""
    lines = Path(file).read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line.startswith("PLANTID_"))


def token(settings: dict[str, str], scopes: Sequence[str]) -> str:
    words = [word for scope in scopes for word in ("--scope", scope)]
    made = subprocess.run(
        [BIN / "plantid", "token", "create", "--owner", "local", *words, "--json"],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return str(json.loads(made.stdout)["token"])


@pytest.fixture(scope="module")
def folder(model_cache: Path) -> Iterator[Path]:
    """Give a folder that the user postgres can reach too."""
    with tempfile.TemporaryDirectory(prefix="recipe", dir="/tmp") as temporary:
        Path(temporary).chmod(0o711)
        state = Path(temporary) / "state"
        (state / "data").mkdir(parents=True)
        (state / "data" / "models").symlink_to(model_cache / "models")
        yield state


@pytest.fixture(scope="module")
def recipe(folder: Path) -> Iterator[Recipe]:
    """Run the recipe, and end it as a supervisor does."""
    own = {**os.environ, **SIGN_IN, "RECIPE_PLANTID": str(BIN / "plantid")}
    with subprocess.Popen([RUN, folder], env=own, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        try:
            told = json.loads(line)
            scopes = ("identify", "history:read", "history:write")
            word = token(environment(told["environment"]), scopes)
            yield Recipe(told, folder, word)
        finally:
            process.send_signal(signal.SIGTERM)
            status = process.wait(30)
    assert status == 0
    assert until(lambda: not left_behind(folder), 10), left_behind(folder)


def left_behind(folder: Path) -> list[str]:
    """Return the processes that still work for the recipe."""
    found = []
    for process in psutil.process_iter(["cwd", "cmdline"]):
        words = " ".join(process.info["cmdline"] or ())
        if str(folder) in (process.info["cwd"] or "") or str(folder) in words:
            found.append(words)
    return found


def test_what_one_process_was_told_the_other_knows(recipe: Recipe) -> None:
    """An identification through the proxy is in the history that either process shows."""
    answer = recipe.identify(1)

    for process in (0, 1):
        found = recipe.ask("GET", f"/api/v1/identifications/{answer['id']}", process=process)
        assert found.json()["id"] == answer["id"]
        kept = recipe.ask("GET", found.json()["photos"][0]["url"], process=process)
        assert kept.headers["content-type"] == "image/jpeg"
    again = recipe.identify(1, process=1)
    sources = {one["source"] for one in again["answers"] if one["provider"] != "offline"}
    assert sources <= {"near", "redis"}


def test_a_claim_about_oneself_ends_at_the_proxy(recipe: Recipe) -> None:
    """A forwarded scheme or host of the client's own counts for nothing; a foreign host is refused."""
    lie = {"X-Forwarded-Proto": "http", "X-Forwarded-Host": "evil.example"}
    assert recipe.ask("GET", "/healthz", headers=lie).status_code == 200
    assert recipe.ask("GET", "/", headers=lie, allow_redirects=False).status_code == 200
    strange = recipe.ask("GET", "/", headers={"Host": "evil.example"}, allow_redirects=False)
    assert strange.status_code == 400


def test_only_the_proxy_is_believed(recipe: Recipe) -> None:
    """The same claim comes to a process from its proxy's address, and from another one."""
    url = f"http://127.0.0.1:{recipe.told['processes'][0]['port']}/"
    claim = {"Host": "localhost", "X-Forwarded-Proto": "https"}
    answers = {}
    for peer in ("127.0.0.1", "127.0.0.2"):
        with requests.Session() as session:
            session.mount("http://", _From(peer))
            answers[peer] = session.get(url, headers=claim, allow_redirects=False, timeout=10)

    assert answers["127.0.0.1"].status_code == 200
    assert answers["127.0.0.2"].status_code == 308
    assert answers["127.0.0.2"].headers["Location"].startswith("https://localhost")


def test_metrics_are_read_inside_and_with_their_token(recipe: Recipe) -> None:
    """Each process tells its own; outside there are none."""
    settings = environment(recipe.told["environment"])
    word = Path(settings["PLANTID_METRICS_TOKEN_FILE"]).read_text().strip()

    assert recipe.ask("GET", "/metrics").status_code == 404
    for url in recipe.told["metrics"]:
        assert requests.get(url, timeout=10).status_code == 401
        told = requests.get(url, headers={"Authorization": f"Bearer {word}"}, timeout=10)
        assert "plantid_history_queue" in told.text


def test_the_apps_role_owns_its_database_and_nothing_else(recipe: Recipe) -> None:
    """It can neither make roles or databases, nor step over rights."""
    settings = environment(recipe.told["environment"])
    address = make_url(Path(settings["PLANTID_DATABASE_URL_FILE"]).read_text().strip())
    engine = create_engine(address.set(drivername="postgresql+psycopg"))
    with engine.connect() as connection:
        rights = connection.execute(
            text(
                "SELECT rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls"
                " FROM pg_roles WHERE rolname = current_user"
            )
        ).one()
        owned = (
            connection.execute(
                text(
                    "SELECT datname FROM pg_database JOIN pg_roles r ON r.oid = datdba"
                    " WHERE rolname = current_user"
                )
            )
            .scalars()
            .all()
        )
    engine.dispose()

    assert not any(rights)
    assert owned == ["plantid"]


@pytest.mark.browser
def test_a_page_and_its_upload_meet(browser: Browser, recipe: Recipe) -> None:
    """Signed in, a photo that is dropped on the page is named: each browser stays with one process."""
    settings = environment(recipe.told["environment"])
    known = load_settings(
        environment="production",
        allow_sandbox=True,
        allowed_hosts="localhost",
        public_url=recipe.told["url"],
        secret_key=Path(settings["PLANTID_SECRET_KEY_FILE"]).read_text().strip(),
        oidc_issuer=signing_in.ISSUER,
        oidc_client_id="plants",
        oidc_client_secret="hush-hush",  # noqa: S106 - of no real issuer
    )
    file = photo(2)
    for person in (
        "ada",
        "eve",
        "ida",
    ):  # each a browser of its own, so that both processes have some
        context = browser.new_context(ignore_https_errors=True)
        context.add_cookies(
            [
                {"name": name, "value": value, "url": recipe.told["url"]}
                for name, value in signing_in.cookies(known, sub=person).items()
            ]
        )
        page = context.new_page()
        page.set_default_timeout(40_000)
        page.goto(recipe.told["url"])
        page.get_by_role("heading", name="Identify a plant").wait_for()
        page.locator("input[type=file]").first.set_input_files(
            {"name": file.filename, "mimeType": "image/jpeg", "buffer": file.data}
        )
        page.get_by_alt_text("Photo 1 of your plant").wait_for()
        context.close()


def test_a_breaker_tripped_in_one_is_open_in_the_other(recipe: Recipe) -> None:
    """The other process has not asked the service once."""
    recipe.faults(service="plant_id", errors=[{"status": 500, "rate": 1}])
    for day in range(1, 8):
        recipe.identify(3, process=0, date=f"2026-05-{day:02}")

    assert recipe.breaker("plant_id", 0) == "open"
    assert until(lambda: recipe.breaker("plant_id", 1) == "open")
    recipe.faults(service="plant_id")


def test_one_process_is_killed_and_the_other_serves(recipe: Recipe) -> None:
    """The last test: whoever asks is answered, though the proxy still knows of both."""
    os.kill(recipe.told["processes"][0]["pid"], signal.SIGKILL)

    looked = [recipe.ask("GET", "/healthz").status_code for _ in range(20)]
    named = [recipe.identify(number)["rung"] for number in range(4, 8)]

    assert looked == [200] * 20
    assert "none" not in named


def test_a_second_start_in_the_same_folder_is_refused(recipe: Recipe) -> None:
    """Two of them would write the same files."""
    done = subprocess.run(
        [RUN, recipe.folder], capture_output=True, text=True, timeout=30, check=False
    )

    assert done.returncode == 1
    assert "runs in this folder already" in done.stderr
