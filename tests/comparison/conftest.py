"""A small world to compare methods in: real datasets and networks in Hub layout, and a table of made-up accuracies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from hf_crosssight.comparison.setup import Setting
from hf_crosssight.hub import HubClient
from tests.ground_truth.small_world import write_dataset, write_resnet, write_vit
from tests.zoo.small_zoo import write_model

# Two of one parent (pacs), two that are their own.
DATASETS = ("zoo-bench/pacs-sketch", "zoo-bench/pacs-photo", "zoo-bench/usps", "zoo-bench/trashnet")
CARD = """datasets: [zoo-bench/{source}]
model-index:
- results:
  - metrics: [{{type: accuracy, value: {value}}}]"""


@dataclass(frozen=True)
class SmallWorld:
    """Folders and the table: `accuracies` [models, datasets]; the last model can be read but not run."""

    models_folder: Path
    datasets_folder: Path
    table: Path
    models: tuple[str, ...]
    accuracies: np.ndarray

    @property
    def setting(self) -> Setting:
        return Setting(images_per_class=4, client=HubClient(offline=True))


@pytest.fixture(scope="package")
def world(tmp_path_factory: pytest.TempPathFactory) -> SmallWorld:
    root = tmp_path_factory.mktemp("comparison")
    for number, name in enumerate(DATASETS):
        write_dataset(root / "datasets" / name, train=18, test=0, seed=number)
    for number in range(4):
        card = CARD.format(source=("usps", "trashnet")[number % 2], value=0.9 - 0.1 * number)
        (root / "models" / "acme" / f"resnet-{number}").mkdir(parents=True)
        write_resnet(root / "models" / "acme" / f"resnet-{number}", seed=number, width=4 + 2 * number, card=card)
    write_vit(root / "models" / "acme" / "vit")
    write_model(root / "models" / "acme" / "cnn")
    models = (*(f"acme/resnet-{number}" for number in range(4)), "acme/vit", "acme/cnn")
    accuracies = np.random.default_rng(0).permutation(24).reshape(6, 4) / 30 + 0.1
    table = root / "table.csv"
    write_table(table, models, accuracies)
    return SmallWorld(root / "models", root / "datasets", table, models, accuracies)


def write_table(path: Path, models: tuple[str, ...], accuracies: np.ndarray, seeds: int = 2) -> Path:
    """A tidy table with some seeds that differ a little."""
    rows = [
        f"{model},{dataset},{seed},{accuracies[row, column] + 0.002 * seed}"
        for row, model in enumerate(models)
        for column, dataset in enumerate(DATASETS)
        for seed in range(seeds)
    ]
    path.write_text("\n".join(["model_id,dataset_id,seed,accuracy", *rows]))
    return path


@pytest.fixture(scope="package", autouse=True)
def one_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One cache for all tests of this room, so that each model runs once."""
    from huggingface_hub import constants

    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("home")
        patch.setattr(constants, "HF_HOME", str(home))
        yield home
