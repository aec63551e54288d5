"""A real page in a real browser: the server as a process of its own, a Hub for it, Debian's Chromium.

Chromium is installed where apt and root are there; elsewhere the tests that need it are skipped, and the summary says
how many. Screenshots go to `$CROSSSIGHT_SCREENSHOTS`, or to a temporary folder, and are looked at by people.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import client_environment
from tests.hub import LoopbackHub

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
START_SECONDS = 500
_skipped: list[str] = []


@dataclass(frozen=True)
class Served:
    """The page as it runs: its address, its process, the folder that it keeps uploads in, and its Hub."""

    url: str
    process: subprocess.Popen[str]
    temporary: Path
    hub: LoopbackHub

    def uploads(self) -> list[Path]:
        """Files of users that are on the disk of the server; Gradio leaves an empty one behind for each."""
        found = self.temporary.glob("crosssight-space-*/**/*")
        return [path for path in found if path.is_file() and path.stat().st_size]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if _skipped:
        terminalreporter.write_line(
            f"NOT RUN: {len(_skipped)} tests of the page in a browser: {_skipped[0]}", red=True
        )


@pytest.fixture(scope="session")
def space(hub_repos: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """`hf-crosssight space`, serving, on a Hub with `acme/shapes` and, for anna (token `good`), `acme/secret`."""
    pytest.importorskip("gradio")
    root = Path(shutil.copytree(hub_repos, tmp_path_factory.mktemp("space_hub") / "hub"))
    shutil.copytree(root / "datasets" / "acme" / "shapes", root / "datasets" / "acme" / "secret")
    temporary = tmp_path_factory.mktemp("space_tmp")
    with LoopbackHub(root, tokens={"good": "anna"}, private={"acme/secret": {"anna"}}) as hub:
        port = _free_port()
        own = {"TMPDIR": str(temporary), "HF_HOME": str(temporary / "home"), "HF_TOKEN": "good"}
        command = [sys.executable, "-m", "hf_crosssight", "space", "--port", str(port), "--no-browser", "--debug"]
        log = (temporary / "server.log").open("w")
        process = subprocess.Popen(command, env=client_environment(hub) | own, stdout=log, stderr=log, text=True)
        url = f"http://127.0.0.1:{port}"
        try:
            _wait_for(url, process, temporary / "server.log")
            yield Served(url, process, temporary, hub)
        finally:
            process.terminate()
            process.wait(20)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium, started once."""
    api = pytest.importorskip("playwright.sync_api")
    found = _chromium()
    with api.sync_playwright() as player:
        opened = player.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.fixture
def visit(browser: Any, space: Served) -> Iterator[Callable[..., Any]]:
    """Opens the page as a new user: `visit(path="", width=1280, height=900, dark=False)`.

    No page may ask for anything outside of the server, nor log an error.
    """
    users, wrong = [], []

    def open_page(path: str = "", width: int = 1280, height: int = 900, dark: bool = False) -> Any:
        scheme = "dark" if dark else "light"
        user = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        users.append(user)
        page = user.new_page()
        page.on("request", lambda asked: _outside(asked.url, space.url) and wrong.append(asked.url))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(space.url + path)
        page.wait_for_selector("#cs-run")
        return page

    yield open_page
    for user in users:
        user.close()
    assert wrong == []


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    named = os.environ.get("CROSSSIGHT_SCREENSHOTS")
    folder = Path(named) if named else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: Any, call: Any) -> Iterator[None]:
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    if report.skipped and "browser" in getattr(item, "fixturenames", ()):
        _skipped.append(str(report.longrepr[-1]))


def _outside(address: str, server: str) -> bool:
    return not address.startswith((server, server.replace("http", "ws"), "data:", "blob:"))


def _chromium() -> str:
    """Where Chromium is; installed first where it can be."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None and shutil.which("apt-get") and os.geteuid() == 0:
        quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update"], env=environment, **quiet)
        subprocess.run(["apt-get", "install", "-y", "chromium"], env=environment, **quiet)
        found = shutil.which(BROWSERS[0])
    if found is None:
        pytest.skip("there is no Chromium, and it cannot be installed here")
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_for(url: str, process: subprocess.Popen[str], log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"the page was not served: {log.read_text()[-3000:]}")
