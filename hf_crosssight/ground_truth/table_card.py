"""The card of a table of results as a Hub dataset: configurations for `datasets`, what was done, figures, costs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..hub.card_templates import TASK_TAG, dataset_card, plain, size_category
from .record_store import Record

RECIPES = {
    "full": "all weights trained from the released ones under a new head",
    "head": "logistic regression on pooled features",
    "knn": "five nearest neighbours by cosine on pooled features",
    "knn-subsets": "as knn, on some classes of a dataset",
    "ridge-subsets": "closed-form ridge regression on pooled features, on some classes of a dataset",
}
"""What `collect` does, by recipe; the first of them that a table has is its default configuration."""

CAPTIONS = {
    "heat_map.png": "Accuracy of each model (column) on each dataset (row), z-scored within the dataset",
    "variance.png": "Shares of variance: good everywhere (static), on this dataset (interaction), by chance (noise)",
    "similarity.png": "Which datasets rank the models alike, beside a similarity of datasets that was set by hand",
}
"""What is to be seen on each of the pictures that `table_pictures` draws."""

PICTURES = "pictures"
"""Their folder in the repository of a table."""

HARDWARE = "hardware"
"""The configuration of what the models cost."""

HARDWARE_FILE = f"{HARDWARE}/metrics.parquet"
"""Its file, outside of `data`: readers of results take every file there."""

_HARDWARE_COLUMNS = {
    "`model_id`, `revision`": "the model; `model_id` joins with the results",
    "`device`, `phase`, `batch_size`": "machine by its own name; `infer`, or `train` (a whole step); images a pass",
    "`input_size`, `precision`, `threads`": "pixels a side, type of number, threads of the processor",
    "`latency_ms`, `latency_low_ms`, `latency_high_ms`": "milliseconds of a pass of the batch: median and quartiles",
    "`forward_ms`, `throughput`": "milliseconds an image, images a second",
    "`memory_mb`": "peak in 2**20 bytes: `weights_mb`, `activations_mb`, `allocator_mb` beyond those",
    "`energy_j`, `power_w`, `cpu_temperature_c`, `carbon_g`": "of a pass, by the machine's sensors",
    "`params`, `gmacs`, `macts`": "parameters, 1e9 multiply-accumulates and 1e6 activations of an image",
    "`reasons`": "JSON: why each metric that is empty was not measured",
    "`rank_...`": "place by that metric among the models of the same device, phase and batch; 1 is the lowest",
}

_TEMPLATE = "ground_truth.md"


@dataclass(frozen=True)
class HardwarePart:
    """What a card says of the measurements beside the results.

    Attributes:
        rows, models: how many measurements, of how many models.
        joined: how many of these models have results here.
        devices: what it was measured on.
        conditions: phases and batches, as `infer, batch 1`.
        unmeasured: metrics that are empty in every row.
    """

    rows: int
    models: int
    joined: int
    devices: tuple[str, ...]
    conditions: tuple[str, ...]
    unmeasured: tuple[str, ...] = ()


def table_card(
    rows: Sequence[Record],
    files: Mapping[str, str],
    name: str,
    licence: str | None = "apache-2.0",
    figures: Iterable[Sequence[str]] = (),
    pictures: Iterable[str] = (),
    hardware: HardwarePart | None = None,
) -> str:
    """The README of a table.

    Args:
        rows: all results.
        files (`dict`): recipe → the file of its rows.
        name (`str`): Hub id or folder to load it from.
        licence (`str`, *optional*): Hub identifier.
        figures: a row a recipe: its name, static part, interaction, noise, agreement of two seeds, ceiling.
        pictures: paths in the repository, of those that `table_pictures` draws.
        hardware (`HardwarePart`, *optional*): what is measured of the models' costs, in `HARDWARE_FILE`.
    """
    from huggingface_hub import DatasetCardData

    recipes = sorted(files, key=lambda recipe: (list(RECIPES).index(recipe) if recipe in RECIPES else 99, recipe))
    data = DatasetCardData(
        pretty_name=Path(name).name,
        license=licence,
        tags=[TASK_TAG, "model-selection", "transferability", "fine-tuning"],
        size_categories=[size_category(len(rows))],
        configs=[
            *(_configuration(recipe, files[recipe], recipe == recipes[0]) for recipe in recipes),
            *([_configuration(HARDWARE, HARDWARE_FILE, False)] if hardware else []),
        ],
    )
    fields = {
        "name": Path(name).name,
        "load_from": name,
        "measured_here": any(row.get("protocol") for row in rows),
        "rows": len(rows),
        "models": len({row["model_id"] for row in rows}),
        "datasets": sorted({plain(row.get("of_dataset") or row["dataset_id"]) for row in rows}),
        "recipes": [_summary(recipe, [row for row in rows if recipe_of(row) == recipe]) for recipe in recipes],
        "figures": [list(map(plain, row)) for row in figures],
        "pictures": [(CAPTIONS[Path(path).name], path) for path in pictures],
        "carbon": _carbon(rows),
        "hardware": _hardware(hardware),
    }
    return dataset_card(_TEMPLATE, data, fields)


def pictures_in(folder: Path) -> list[str]:
    """Paths in the repository of those pictures that have been drawn."""
    return [f"{PICTURES}/{name}" for name in CAPTIONS if (folder / PICTURES / name).is_file()]


def recipe_of(row: Mapping[str, Any]) -> str:
    """A row's recipe; `results` where the table has no such column."""
    return str(row.get("recipe") or "results")


def _configuration(recipe: str, file: str, default: bool) -> dict[str, Any]:
    chosen = {"default": True} if default else {}
    return {"config_name": recipe, **chosen, "data_files": [{"split": "train", "path": file}]}


def _summary(recipe: str, rows: list[Record]) -> dict[str, Any]:
    def count(column: str) -> int:
        return len({row.get(column) for row in rows})

    protocols = sorted({plain(row["protocol"]) for row in rows if row.get("protocol")})
    return {
        "name": plain(recipe),
        "what": RECIPES.get(recipe, "as its authors say"),
        "protocol": "; ".join(protocols) or "not told",
        "models": count("model_id"),
        "datasets": count("dataset_id"),
        "seeds": count("seed"),
        "rows": len(rows),
        "failed": sum(row.get("status") == "failed" for row in rows),
    }


def _hardware(part: HardwarePart | None) -> dict[str, Any] | None:
    if part is None:
        return None
    return {
        "config": HARDWARE,
        "rows": part.rows,
        "models": part.models,
        "joined": part.joined,
        "devices": ", ".join(map(plain, part.devices)),
        "conditions": "; ".join(map(plain, part.conditions)),
        "unmeasured": ", ".join(f"`{name}`" for name in part.unmeasured),
        "columns": list(_HARDWARE_COLUMNS.items()),
    }


def _carbon(rows: Sequence[Record]) -> str:
    """Hours of the runs by device; their carbon is not measured, a forward pass's may be."""
    hours: dict[str, float] = {}
    for row in rows:
        if row.get("seconds"):
            device = plain(row.get("device") or "an unknown device")
            hours[device] = hours.get(device, 0.0) + float(row["seconds"]) / 3600
    if not hours:
        return "Neither the time nor the carbon of the runs is told."
    told = ", ".join(f"{spent:.1f} h on {device}" for device, spent in sorted(hours.items()))
    return f"The runs took {told}. Their carbon was not measured; `carbon_g`, where it is, is of one forward pass."
