"""What all tests share: a Hugging Face home of their own, small repositories, a Hub on the loopback device, the CLI.

The environment is set before anything of Hugging Face is imported, since most of it is read at import. No test reaches
the real Hub: the address that a test does not replace answers nobody.
"""

from __future__ import annotations

import os
import tempfile

_HOME = tempfile.TemporaryDirectory(prefix="crosssight-tests-")
os.environ["HF_HOME"] = os.path.join(_HOME.name, "hf_home")
os.environ["HF_ENDPOINT"] = "http://127.0.0.1:9"
os.environ["HF_HUB_DISABLE_XET"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
if "PYTEST_XDIST_WORKER" in os.environ:  # one thread each: workers and their subprocesses share the cores
    os.environ.setdefault("OMP_NUM_THREADS", "1")
for _name in (
    "HF_TOKEN",
    "HF_HUB_OFFLINE",
    "TRANSFORMERS_OFFLINE",
    "HF_HUB_CACHE",
    "HF_DATASETS_CACHE",
    "HF_TOKEN_PATH",
):
    os.environ.pop(_name, None)

import io  # noqa: E402
import shutil  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
from collections.abc import Callable, Iterator, Sequence  # noqa: E402
from contextlib import ExitStack  # noqa: E402
from pathlib import Path  # noqa: E402

import pytest  # noqa: E402

from tests.hub import LoopbackHub  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
SHAPE_NAMES = ("disc", "stripes", "square")
_MODEL_CARD = """---
license: apache-2.0
pipeline_tag: image-classification
tags:
- vision
datasets:
- acme/shapes
---
"""


@pytest.fixture(scope="session")
def hub_repos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in Hub layout, to be copied, not changed: `datasets/acme/shapes` (Parquet, 3 classes, 30 + 6 images),
    `models/acme/tiny-resnet` (a real transformers ResNet) and `models/acme/sharded` (the same in three shards)."""
    root = tmp_path_factory.mktemp("hub_repos")
    _write_shapes(root / "datasets" / "acme" / "shapes")
    _write_resnets(root / "models" / "acme")
    return root


@pytest.fixture
def hub_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty Hugging Face home of the test's own, for the clients of this process."""
    from huggingface_hub import constants

    home = tmp_path / "hf_home"
    for name, place in (("HF_HOME", home), ("HF_HUB_CACHE", home / "hub"), ("HF_TOKEN_PATH", home / "token")):
        monkeypatch.setattr(constants, name, str(place))
    return home


@pytest.fixture
def hub_factory(
    tmp_path: Path, hub_home: Path, hub_repos: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., LoopbackHub]]:
    """Starts Hubs that serve a copy of `hub_repos` (or `root`); the clients of this process talk to the latest one.

    Takes the arguments of `LoopbackHub`. The cache is an empty one of the test's own.
    """
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)

    def start(root: Path | None = None, **given: object) -> LoopbackHub:
        if root is None:
            root = Path(shutil.copytree(hub_repos, tmp_path / "hub", dirs_exist_ok=True))
        hub = running.enter_context(LoopbackHub(root, **given))  # type: ignore[arg-type]
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        template = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        return hub

    with ExitStack() as running:
        yield start


@pytest.fixture
def hub(hub_factory: Callable[..., LoopbackHub]) -> LoopbackHub:
    """A Hub with the small repositories; `shapes` is redirected, `good` and `other` are the tokens of two users."""
    return hub_factory(redirects={"shapes": "acme/shapes"}, tokens={"good": "anna", "other": "bert"})


@pytest.fixture
def run_cli() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs `python -m hf_crosssight` in a process of its own: `run_cli(args, hub=None, env=None, timeout=120)`."""

    def run(
        args: Sequence[str],
        hub: LoopbackHub | None = None,
        env: dict[str, str] | None = None,
        timeout: float = 120,
    ) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "hf_crosssight", *args]
        return subprocess.run(
            command, env=client_environment(hub) | (env or {}), capture_output=True, text=True, timeout=timeout
        )

    return run


def client_environment(hub: LoopbackHub | None = None) -> dict[str, str]:
    """The environment of a process whose clients talk to `hub`, with the home of this session."""
    found = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return found | ({"HF_ENDPOINT": hub.url} if hub else {})


def _write_shapes(folder: Path) -> None:
    """A dataset repository as `datasets` pushes it: images in Parquet, names in the card."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = "\n".join(f"          '{index}': {name}" for index, name in enumerate(SHAPE_NAMES))
    card = f"""---
license: cc-by-4.0
task_categories:
- image-classification
dataset_info:
  features:
  - name: image
    dtype: image
  - name: label
    dtype:
      class_label:
        names:
{names}
configs:
- config_name: default
  data_files:
  - split: train
    path: data/train-*
  - split: test
    path: data/test-*
---

# Shapes
Three simple shapes.
"""
    (folder / "data").mkdir(parents=True)
    (folder / "README.md").write_text(card)
    image_type = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    for split, count in (("train", 30), ("test", 6)):
        images = [{"bytes": _shape_png(index % 3, index), "path": f"{index}.png"} for index in range(count)]
        columns = {"image": pa.array(images, image_type), "label": pa.array([i % 3 for i in range(count)], pa.int64())}
        pq.write_table(pa.table(columns), folder / "data" / f"{split}-00000-of-00001.parquet", row_group_size=10)


def _shape_png(label: int, seed: int) -> bytes:
    """A 32 px image of class `label`, at a place and in a colour that the seed chooses, on noise."""
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:32, :32]
    row, column = rng.integers(10, 22, 2)
    inside = [
        (y - row) ** 2 + (x - column) ** 2 < 64,
        (x + seed) % 6 < 3,
        (abs(y - row) < 7) & (abs(x - column) < 7),
    ][label]
    pixels = rng.integers(0, 60, (32, 32, 3))
    pixels[inside] += rng.integers(100, 190, 3)
    stream = io.BytesIO()
    Image.fromarray(pixels.astype("uint8")).save(stream, "PNG")
    return stream.getvalue()


def _write_resnets(folder: Path) -> None:
    import torch
    from transformers import ResNetConfig, ResNetForImageClassification

    torch.manual_seed(0)
    config = ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic", num_labels=3)
    model = ResNetForImageClassification(config)
    for name, size in (("tiny-resnet", "1GB"), ("sharded", "10KB")):
        model.save_pretrained(folder / name, max_shard_size=size)
        (folder / name / "README.md").write_text(f"{_MODEL_CARD}# {name}\n")
