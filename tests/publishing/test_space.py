"""The Space's repository: our wheel, torch's CPU build, and the page starts where nothing else of ours is."""

from __future__ import annotations

import hashlib
import json
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from hf_crosssight.errors import UserError
from hf_crosssight.publishing import publish, write_folder
from hf_crosssight.publishing.space import requirements, space_repository
from tests.conftest import client_environment

CPU_BUILD = "--extra-index-url https://download.pytorch.org/whl/cpu"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The Space as `publish space --folder` writes it."""
    place = tmp_path_factory.mktemp("published") / "space"
    write_folder(space_repository(None), place)
    return place


@pytest.fixture(scope="module")
def wheel(folder: Path) -> Path:
    return next(folder.glob("*.whl"))


def test_it_holds_this_version_and_asks_for_the_cpu_build(folder, wheel):
    lines = (folder / "requirements.txt").read_text().splitlines()
    assert lines[0] == CPU_BUILD
    assert any(line.startswith("torch==") for line in lines)
    assert f"./{wheel.name}[space]" in lines
    names = zipfile.ZipFile(wheel).namelist()
    for held in ("hf_crosssight/space/page.py", "hf_crosssight/assets/ranker/model.safetensors",
                 "hf_crosssight/model_card_templates/ranker.md"):  # fmt: skip
        assert held in names
    card = yaml.safe_load((folder / "README.md").read_text().split("---\n")[1])
    assert (card["sdk"], card["app_file"], card["license"]) == ("gradio", "app.py", "apache-2.0")
    assert (folder / "app.py").is_file()
    assert not list(folder.rglob("__pycache__"))


def test_published_it_names_its_wheel_by_address_and_hash(hub_factory, wheel, tmp_path):
    for kind in ("models", "datasets", "spaces"):
        (tmp_path / "hub" / kind).mkdir(parents=True)
    hub_factory(root=tmp_path / "hub", tokens={"good": "anna"}, writable=True)
    repository = space_repository("anna/page", wheel=wheel)
    done = publish(repository, "anna/page", message="m", token="good")
    assert done.committed
    assert not publish(space_repository("anna/page", wheel=wheel), "anna/page", message="m", token="good").committed
    there = tmp_path / "hub/spaces/anna/page"
    line = next(
        one for one in (there / "requirements.txt").read_text().splitlines() if one.startswith("hf_crosssight")
    )
    name, address = line.split(" @ ")
    address, digest = address.split("#sha256=")
    assert name == "hf_crosssight[space]"
    with urllib.request.urlopen(address) as answer:
        assert hashlib.sha256(answer.read()).hexdigest() == digest
    assert 'Client("anna/page")' in (there / "README.md").read_text()


def test_requirements_name_the_package_once_and_other_lines_stay():
    assert requirements("a\nhf-crosssight>=1\nb", "./x.whl") == "a\n./x.whl\nb"
    assert requirements("hf_crosssight[space,train]==0.1", "https://h/x.whl#sha256=0") == (
        "hf_crosssight[space,train] @ https://h/x.whl#sha256=0"
    )


def test_other_files_are_no_wheel_of_ours(tmp_path):
    (tmp_path / "other-1.0-py3-none-any.whl").write_bytes(b"")
    for name in ("other-1.0-py3-none-any.whl", "hf_crosssight-9-py3-none-any.whl"):
        with pytest.raises(UserError, match="no wheel of hf_crosssight"):
            space_repository("anna/page", wheel=tmp_path / name)


def test_built_from_the_checkout_it_is_the_same_twice(folder):
    assert space_repository(None).files["requirements.txt"] == (folder / "requirements.txt").read_bytes()


@pytest.mark.timeout(400)
def test_the_built_folder_starts_in_a_clean_environment(folder, tmp_path):
    """pip takes the requirements where every library but ours is there; the page tells its API."""
    pytest.importorskip("gradio", reason="the page needs the extra `space`")
    python = _environment(tmp_path / "env")
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-index", "-r", "requirements.txt"]
    done = subprocess.run(install, cwd=folder, capture_output=True, text=True, timeout=170)
    assert done.returncode == 0, done.stdout + done.stderr
    with _started(python, folder, tmp_path) as url:
        described = json.loads(_get(f"{url}/gradio_api/info"))
    assert any(name.startswith("/rank") for name in described["named_endpoints"])


def _environment(place: Path) -> Path:
    """A virtual environment that sees the libraries of this one, but nothing of this project; its Python."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place)], check=True, timeout=120)
    libraries = place / "libraries"
    libraries.mkdir()
    for name in dict.fromkeys((sysconfig.get_path("purelib"), sysconfig.get_path("platlib"))):
        for entry in Path(name).iterdir():
            if "hf_crosssight" not in entry.name and entry.suffix != ".pth":
                (libraries / entry.name).symlink_to(entry)
    python = place / "bin" / "python"
    asked = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    own = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    (Path(own) / "libraries.pth").write_text(str(libraries))
    return python


@contextmanager
def _started(python: Path, folder: Path, scratch: Path) -> Iterator[str]:
    """The page at a free port; what runs is app.py, and the package comes from the wheel."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = f"""
import runpy, sys
import hf_crosssight
from hf_crosssight.space import launch
assert hf_crosssight.__file__.startswith(sys.prefix), hf_crosssight.__file__
serve = launch.serve
launch.serve = lambda **given: serve(**given | dict(host="127.0.0.1", port={port}))
runpy.run_path("app.py", run_name="__main__")
"""
    environment = client_environment() | {"HF_HOME": str(scratch / "home")}
    environment.pop("PYTHONPATH")
    with (scratch / "log").open("w") as log:
        running = subprocess.Popen([str(python), "-c", code], cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        for _ in range(300):
            if running.poll() is not None or _answers(f"http://127.0.0.1:{port}/"):
                break
            time.sleep(0.5)
        assert running.poll() is None, (scratch / "log").read_text()
        yield f"http://127.0.0.1:{port}"
    finally:
        running.terminate()
        running.wait(20)


def _answers(url: str) -> bool:
    try:
        return bool(_get(url))
    except (urllib.error.URLError, OSError):
        return False


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=20) as answer:
        return answer.read().decode()
