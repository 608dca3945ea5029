"""Signing in by a real issuer, in a real browser: whose things are whose, and who is out."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests
import signing_in
from playwright.sync_api import expect
from processes import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page, StorageState

pytestmark = pytest.mark.browser

WAIT_MS = 30_000
# Within which somebody deactivated is out, and what a busy machine may take to draw it.
OUT_MS = 5_000
BIN = Path(sys.executable).parent


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Served:
    """An app in production, that can be started anew with another key."""

    environment: dict[str, str]
    url: str
    issuer: str
    process: subprocess.Popen[bytes] | None = None
    keys: list[str] = field(default_factory=lambda: ["first-" * 12])

    def start(self) -> None:
        keys = {
            "PLANTID_SECRET_KEY": self.keys[0],
            "PLANTID_SECRET_KEY_FALLBACKS": ",".join(self.keys[1:]),
        }
        self.process = subprocess.Popen([BIN / "plantid", "serve"], env=self.environment | keys)
        assert until(self._answers, 90)

    def rotate(self) -> None:
        """Go on with a new key; the last one is still believed, and those before it no more."""
        self.stop()
        self.keys = [f"key-{time.monotonic_ns()}-" * 3, self.keys[0]]
        self.start()

    def stop(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(20) == 0

    def known_as(self, subject: str, **claims: object) -> None:
        """Have the issuer say this of somebody."""
        answer = requests.put(f"{self.issuer}/users/{subject}", json=claims, timeout=10)
        answer.raise_for_status()

    def person(self, *words: str) -> str:
        """Return what ``plantid person …`` says, in a process of its own."""
        return subprocess.run(
            [BIN / "plantid", "person", *words],
            env=self.environment | {"PLANTID_SECRET_KEY": self.keys[0]},
            check=True,
            timeout=60,
            capture_output=True,
            text=True,
        ).stdout

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/healthz", timeout=1).ok
        except requests.ConnectionError:
            return False


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    """Run an issuer on this machine."""
    port = _free_port()
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        url = f"http://127.0.0.1:{port}"

        def answers() -> bool:
            try:
                return requests.get(f"{url}/jwks", timeout=1).ok
            except requests.ConnectionError:
                return False

        assert until(answers, 30)
        yield url
        process.terminate()


def _app(environment: str, issuer: str, data_dir: Path, models: Path) -> Served:
    """Return an app over plain HTTP on this machine, which is still to be started."""
    (data_dir / "models").symlink_to(models)
    port = _free_port()
    url = f"http://localhost:{port}"
    own = {
        "ENVIRONMENT": environment,
        "DATA_DIR": str(data_dir),
        "PORT": str(port),
        "PUBLIC_URL": url,
        "ALLOWED_HOSTS": "localhost",
        "HTTPS_REDIRECT": "0",
        "ALLOW_SANDBOX": "1",
        "OIDC_ISSUER": issuer,
        "OIDC_CLIENT_ID": "plants",
        "OIDC_CLIENT_SECRET": "hush-hush",
        "OIDC_ROLE_CLAIM": "nickname",
        "OIDC_ADMIN_ROLE": "gardener",
    }
    told = {f"PLANTID_{name}": text for name, text in own.items()}
    return Served({**os.environ, **told}, url, issuer)


@pytest.fixture(scope="module")
def served(
    issuer: str, tmp_path_factory: pytest.TempPathFactory, model_cache: Path
) -> Iterator[Served]:
    """Serve the app as in production."""
    served = _app("production", issuer, tmp_path_factory.mktemp("app"), model_cache / "models")
    served.start()
    yield served
    served.stop()


class People:
    """Browsers of people; each signs in once, by hand."""

    def __init__(self, browser: Browser, served: Served) -> None:
        self._browser, self._served = browser, served
        self._signed_in: dict[str, StorageState] = {}

    def forget(self, subject: str) -> None:
        """Forget the cookies of somebody's sign-in, that the next one is by hand again."""
        del self._signed_in[subject]

    @contextmanager
    def browsing(self, subject: str | None = None) -> Iterator[Page]:
        """Give a page in a browser of this person (None: of a stranger), with a copy of their cookies."""
        known = None if subject is None else self._signed_in.get(subject)
        context = self._browser.new_context(
            viewport={"width": 1280, "height": 900}, storage_state=known
        )
        context.set_default_timeout(WAIT_MS)
        page = context.new_page()
        page.goto(self._served.url)
        if subject is not None and known is None:
            page.get_by_role("button", name="Sign in").click()
            page.get_by_placeholder("sub").fill(subject)
            page.get_by_role("button", name="Authorize").click()
            page.get_by_role("button", name="Sign out").wait_for()
            self._signed_in[subject] = context.storage_state()
        yield page
        context.close()


@pytest.fixture(scope="module")
def people(browser: Browser, served: Served) -> People:
    served.known_as("ada", name="Ada *L.*", email="botanist@example.org", nickname="gardener")
    served.known_as("eve", name="Eve", email="botanist@example.org", nickname="guest")
    return People(browser, served)


def test_without_a_sign_in_there_is_the_way_in_and_nothing_else(
    people: People, served: Served
) -> None:
    """Whichever page is asked for, in production a stranger sees the sign-in page."""
    with people.browsing() as page:
        for path in ("", "/history"):
            page.goto(served.url + path)
            page.get_by_role("button", name="Sign in").wait_for()
            expect(page.get_by_text("Sign in to identify plants")).to_be_visible()
            expect(page.get_by_test_id("stSidebarNavLink")).to_have_count(0)
            expect(page.get_by_role("heading")).to_have_count(1)


def test_what_one_keeps_no_other_sees(people: People, served: Served) -> None:
    """Two people of the same e-mail address are two, each with a history of their own."""
    with people.browsing("ada") as page, people.browsing("eve") as theirs:
        expect(page.get_by_text("Signed in as Ada *L.*")).to_be_visible()
        page.get_by_role("button", name="Try the sample photo").click()
        picture = page.get_by_alt_text("Photo 1 of your plant")
        picture.wait_for()
        page.get_by_role("button", name="Identify", exact=True).click()
        page.get_by_text("Kept in your history.").wait_for()

        # The picture's address alone is not enough, not even for somebody who is signed in.
        address = str(picture.evaluate("image => image.src"))
        assert page.request.get(address).status == 200
        assert theirs.request.get(address).status == 404
        assert requests.get(address, timeout=10).status_code == 404

        page.goto(f"{served.url}/history")
        expect(page.locator(".pid-row")).to_have_count(1)
        theirs.goto(f"{served.url}/history")
        theirs.get_by_text("Signed in as Eve").wait_for()
        theirs.get_by_role("heading", name="History").wait_for()
        expect(theirs.locator("[data-stale=true]")).to_have_count(0)
        expect(theirs.locator(".pid-row")).to_have_count(0)

    listed = json.loads(served.person("list", "--json"))["people"]
    roles = {one["subject"]: one["role"] for one in listed}
    assert roles["ada"] == "admin"
    assert roles["eve"] == "user"


def test_signing_out_is_being_out(people: People, served: Served) -> None:
    """After it the browser holds no sign-in, in no tab, and a copy of its cookies is good no more."""
    with people.browsing("ada") as page:
        other = page.context.new_page()
        other.goto(f"{served.url}/history")
        other.get_by_role("button", name="Sign out").wait_for()
        page.get_by_role("button", name="Sign out").click()
        page.get_by_role("button", name="End session").click()  # at the issuer

        page.get_by_text("Sign in to identify plants").wait_for()
        other.get_by_text("Sign in to identify plants").wait_for()
        names = {cookie["name"] for cookie in page.context.cookies(served.url)}
        assert not any(name.startswith("_streamlit_user") for name in names)
    with people.browsing("ada") as copied:
        copied.get_by_text("Sign in to identify plants").wait_for()
    people.forget("ada")


def test_a_browser_stays_signed_in_through_two_rotations(people: People, served: Served) -> None:
    """Also one whose claims fill several cookies; an open page goes on, and a new one opens."""
    served.known_as("grace", name="Grace", picture=" ".join(signing_in.MANY_GROUPS))

    def cookies() -> dict[str, str]:
        found = page.context.cookies(served.url)
        return {one["name"]: one["value"] for one in found if "_streamlit_user" in one["name"]}

    with people.browsing("grace") as page:
        first = cookies()
        assert "_streamlit_user_2" in first

        for heading in ("Compare", "History"):
            served.rotate()
            # The page that lay open connects anew by itself, and can be used.
            page.get_by_role("link", name=heading).click()
            page.get_by_role("heading", name=heading).first.wait_for()
            expect(page.get_by_text("Signed in as Grace")).to_be_visible()
            fresh = page.context.new_page()
            fresh.goto(served.url)
            expect(fresh.get_by_text("Signed in as Grace")).to_be_visible()
            fresh.close()

        last = cookies()
        assert last.keys() == first.keys()
        assert all(last[name] != first[name] for name in first)


def test_somebody_deactivated_is_out_while_their_page_lies_idle(
    people: People, served: Served
) -> None:
    """Within five seconds, by another process, in every tab."""
    with people.browsing("mallory") as page:
        other = page.context.new_page()
        other.goto(f"{served.url}/history")
        other.get_by_role("button", name="Sign out").wait_for()

        served.person("deactivate", "mallory")

        told = page.get_by_text("your account here was deactivated")
        expect(told).to_be_visible(timeout=OUT_MS)
        expect(other.get_by_role("button", name="Sign out")).to_have_count(0, timeout=OUT_MS)
        assert page.request.get(f"{served.url}/api/v1/identifications").status == 401


@pytest.mark.slow
def test_in_development_a_stranger_identifies_and_is_invited(
    browser: Browser, issuer: str, tmp_path: Path, model_cache: Path
) -> None:
    """Pages are there, nothing is kept for nobody, and whoever signs in finds no answer of theirs."""
    served = _app("development", issuer, tmp_path, model_cache / "models")
    served.start()
    try:
        served.known_as("ida", name="Ida")
        with People(browser, served).browsing() as page:
            expect(page.get_by_text("Sign in to keep a history.", exact=True)).to_be_visible()
            page.get_by_role("button", name="Try the sample photo").click()
            page.get_by_role("button", name="Identify", exact=True).click()
            page.get_by_text("What happened").wait_for()
            expect(page.get_by_text("Kept in your history.")).to_have_count(0)
            page.get_by_role("link", name="History").click()
            page.get_by_text("Sign in to keep a history. Until then").wait_for()

            page.get_by_test_id("stSidebar").get_by_role("button", name="Sign in").click()
            page.get_by_placeholder("sub").fill("ida")
            page.get_by_role("button", name="Authorize").click()
            page.get_by_text("Signed in as Ida").wait_for()
            expect(page.get_by_text("What happened")).to_have_count(0)
    finally:
        served.stop()
