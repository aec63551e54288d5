"""The guides under docs/: every snippet runs, in order, in a folder with small images, models and a Hub beside it."""

from __future__ import annotations

import json
import logging
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest
import torch

from hf_crosssight.cli.entry import _run
from hf_crosssight.transferability import METHODS
from hf_crosssight.zoo import ZooIndex
from hf_crosssight.zoo import open as opening
from tests.conftest import ROOT, SHAPE_NAMES, _shape_png

GUIDES = sorted((ROOT / "docs").glob("*.md"))
KINDS = {"bash", "python", "json", "csv"}
"""What a block may be; behind the language may stand the name of the file that it is to be saved as."""

_BLOCK = re.compile(r"^```(\w*)[ ]?(\S*)\n(.*?)^```", re.M | re.S)
_LOGGERS = ("transformers", "datasets", "huggingface_hub", "httpx2", "httpx")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home that keeps the tokens of the photos from one guide to the next."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def world(tmp_path: Path, kept: Path, hub_repos: Path, hub_factory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """`photos/`, `datasets/`, `my_models/` here; on the Hub `cifar10`, two models, and room for `my-org`."""
    from huggingface_hub import constants

    root = Path(shutil.copytree(hub_repos, tmp_path / "served"))
    for name in ("microsoft/resnet-18", "timm/resnet18.a1_in1k"):
        shutil.copytree(hub_repos / "models/acme/tiny-resnet", root / "models" / name)
    hub_factory(root=root, tokens={"good": "my-org"}, writable=True, redirects={"cifar10": "acme/shapes"})
    place = tmp_path / "here"
    for seed, folder in enumerate(("photos", "datasets/birds", "datasets/tools", "datasets/leaves")):
        for number in range(24 if folder == "photos" else 12):
            photo = place / folder / SHAPE_NAMES[number % 3] / f"{number}.png"
            photo.parent.mkdir(parents=True, exist_ok=True)
            photo.write_bytes(_shape_png(number % 3, 100 * seed + number))
    for name, source in (
        ("first", "tiny-resnet"),
        ("second", "sharded"),
        ("third", "tiny-resnet"),
        ("fourth", "sharded"),
    ):
        shutil.copytree(hub_repos / "models/acme" / source, place / "my_models" / name)
    monkeypatch.chdir(place)
    monkeypatch.setenv("HF_TOKEN", "good")
    monkeypatch.setattr(constants, "HF_HOME", str(kept))
    monkeypatch.setattr(opening, "_open", _with_a_small_starter(opening._open))
    with _as_it_was():
        torch.set_num_threads(1)
        yield place


def _with_a_small_starter(whole: Callable[..., ZooIndex]) -> Callable[..., ZooIndex]:
    """Every fortieth model of the starter zoo and those that the guides name: the same, and quicker."""

    def few(spec: object, *given: object) -> ZooIndex:
        zoo = whole(spec, *given)
        if str(spec) != "starter":
            return zoo
        text = "".join(guide.read_text(encoding="utf-8") for guide in GUIDES)
        return zoo.take([row for row, name in enumerate(zoo.model_ids) if row % 40 == 0 or name in text])

    return few


@contextmanager
def _as_it_was() -> Iterator[None]:
    """What commands and snippets change in this process is put back."""
    levels = {name: logging.getLogger(name).level for name in _LOGGERS}
    threads, methods = torch.get_num_threads(), set(METHODS)
    try:
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
        torch.set_num_threads(threads)
        for name in set(METHODS) - methods:
            METHODS.pop(name)
            sys.modules.pop(f"hf_crosssight.transferability.{name}", None)


@pytest.mark.parametrize("guide", GUIDES, ids=[guide.stem for guide in GUIDES])
def test_every_snippet_of_a_guide_runs(guide: Path, world: Path, capsys: pytest.CaptureFixture):
    names: dict = {"__name__": "guide"}
    blocks = _BLOCK.findall(guide.read_text(encoding="utf-8"))
    assert blocks
    for kind, file, text in blocks:
        assert kind in KINDS, f"{guide.name} has a block of kind {kind!r}"
        if kind == "bash":
            for line in text.replace("\\\n", " ").splitlines():
                _command(line, capsys)
        elif file.startswith("hf_crosssight/"):
            _module(file, text)
        elif kind == "python":
            exec(compile(text, f"{guide.name} {file}", "exec"), names)  # our own text
            for name in [name for name in names if name.startswith("test_")]:
                names.pop(name)()
        else:
            assert kind != "json" or json.loads(text)
            (world / file).write_text(text, encoding="utf-8")


def _command(line: str, capsys: pytest.CaptureFixture) -> None:
    """One command of ours, in this process; `> FILE` takes what it prints."""
    words, _, file = (part.strip() for part in line.partition(" > "))
    program, *arguments = shlex.split(words)
    assert program == "hf-crosssight", line
    capsys.readouterr()
    code = _run(arguments)
    told = capsys.readouterr()
    assert code == 0, f"{line}\n{told.err}"
    assert told.out, line
    if file:
        Path(file).write_text(told.out, encoding="utf-8")


def _module(file: str, text: str) -> None:
    """A file of the package, as if it stood there."""
    name = file.removesuffix(".py").replace("/", ".")
    module = ModuleType(name)
    sys.modules[name] = module
    exec(compile(text, file, "exec"), module.__dict__)


@pytest.mark.parametrize("page", [*GUIDES, ROOT / "README.md"], ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path):
    for link in re.findall(r"\]\((?!http)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / link).exists(), link


def test_the_readme_names_every_guide():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [guide.name for guide in GUIDES if f"(docs/{guide.name})" not in readme] == []
