"""How fast the web page is, and what ten users at once cost: a real server and a real browser.

    python benchmarks/space_speed.py [--repeats 5] [--users 10]

Starts `hf-crosssight space` as it is started for users (ranker and zoo are loaded before it listens), opens the page
in Chromium, and measures: the first page until its button can be pressed; from the click to the result, for the first
query of the process and for later ones by new users; `--users` programs at once on the API, each its own dataset and
filters; and the peak memory of the server. Medians with their range. Needs chromium and playwright.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

DATASETS = ("digits", "garythung/trashnet", "zalandoresearch/fashion-mnist", "brendenlake/omniglot")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(home: Path) -> tuple[subprocess.Popen[bytes], str, float]:
    """(the server, its address, seconds until it answered)."""
    port, begin = free_port(), time.perf_counter()
    command = [sys.executable, "-m", "hf_crosssight", "space", "--port", str(port), "--no-browser"]
    process = subprocess.Popen(command, env={**os.environ, "HF_HOME": str(home)}, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}", timeout=5).read()
            return process, f"http://127.0.0.1:{port}", time.perf_counter() - begin
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the server did not start")


def peak_mib(process: subprocess.Popen[bytes]) -> float:
    status = Path(f"/proc/{process.pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) / 1024


def timed(call: Callable[[], object]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def in_a_browser(url: str, repeats: int) -> dict[str, list[float]]:
    """Seconds of the first page and of clicks, each by a new user."""
    from playwright.sync_api import sync_playwright

    seconds: dict[str, list[float]] = {"page": [], "click": []}
    with sync_playwright() as player:
        path = shutil.which("chromium") or shutil.which("google-chrome")
        browser = player.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        for _ in range(repeats + 1):
            page = browser.new_context().new_page()

            def opened(page=page) -> None:
                page.goto(url)
                page.wait_for_selector("#cs-run:enabled")

            def ranked(page=page) -> None:
                page.click("#cs-run")
                page.wait_for_selector("#cs-result .cs-result", timeout=300_000)

            seconds["page"].append(timed(opened))
            seconds["click"].append(timed(ranked))
            page.context.close()
        browser.close()
    return seconds


def at_once(url: str, users: int) -> list[float]:
    """Seconds until each of `users` programs that ask at the same moment has its answer."""
    from gradio_client import Client

    clients = [Client(url, verbose=False) for _ in range(users)]

    def ask(number: int) -> float:
        asked = {"dataset": DATASETS[number % len(DATASETS)], "max_params": f"{10 * (number + 1)}M", "top": 10}
        answers: list[dict] = []
        seconds = timed(lambda: answers.append(clients[number].predict(**asked, api_name="/rank")))
        assert answers[0]["dataset"]["id"] == asked["dataset"]
        return seconds

    with ThreadPoolExecutor(users) as pool:
        return list(pool.map(ask, range(users)))


def show(name: str, seconds: list[float]) -> None:
    low, high = min(seconds), max(seconds)
    print(f"{name:<46} {statistics.median(seconds):6.2f} s   [{low:.2f} … {high:.2f}]  n={len(seconds)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--users", type=int, default=10)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        process, url, started = start(Path(home))
        try:
            print(f"load average at the start: {os.getloadavg()[0]:.1f}")
            show("start of the server, until it answers", [started])
            browsed = in_a_browser(url, given.repeats)
            show("first page of a new user, first", browsed["page"][:1])
            show("first page of a new user, later", browsed["page"][1:])
            show("click to result, first query of the server", browsed["click"][:1])
            show("click to result, warm", browsed["click"][1:])
            show(f"{given.users} users at once, each its answer", at_once(url, given.users))
            print(f"{'peak memory of the server':<46} {peak_mib(process):6.0f} MiB")
        finally:
            process.terminate()
            process.wait(30)


if __name__ == "__main__":
    main()
