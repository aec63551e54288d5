"""Whether the weights view is faithful: to the model whatever bytes are read, and to the function, not its writing.

    python benchmarks/weights_faithful.py --models FOLDER [--models FOLDER ...] [--large FILE ...]

`--models` are folders of model repositories (`org/name/`). Three things are measured.

(a) Two samples of one model that share no byte, each min(4 MiB, half of it), of models of at least 200 kB: whether
each is the nearest of the other, among the other samples of all models. Nearness is the cosine of pooled views whose
columns are divided by their sampling noise, as estimated from the samples of other models (two folds); beside it the
cosine of plainly standardised views. Models of the same headers and source dataset are told apart as twins.
(b) How far the view moves when hidden units are permuted, and whether the outputs stay (where `transformers` loads).
(c) How far statistics from 1 and 8 MiB are from the whole file's: the largest models and every `--large` file.
"""

from __future__ import annotations

import argparse
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from evidence.hidden_permutation import State, permuted

from hf_crosssight.errors import UserError
from hf_crosssight.evaluation.view_features import pooled_view
from hf_crosssight.hub.weight_files import folder_weights
from hf_crosssight.tokens.byte_budget import BUDGETS
from hf_crosssight.tokens.weights import COLUMNS, weights_view

LARGEST_SAMPLE = 4 << 20
SMALLEST_MODEL = 200_000
NOISE_FLOOR = 0.02
WHOLE = 1 << 40
STATED = (
    "log_gain",
    "kurtosis",
    "row_alignment",
    "top_direction",
    "edge_excess",
    "rank_deficit",
    "lag_x",
    "gain_mean",
)


@dataclass(frozen=True)
class Model:
    """A model's folder with what tells it from others: (headers, source dataset) is what twins share."""

    name: str
    folder: Path
    size: int
    twins: tuple[str, str]


def main() -> None:
    options = _options()
    models = list(_models(options.models))
    halves = {m.name: [_half(m, i) for i in range(2)] for m in models}
    scale = _scale(np.concatenate([np.stack(both) for both in halves.values()]))
    retrieval(models, halves, scale)
    permutation(models, scale)
    large = sorted(models, key=lambda m: -m.size)[:3]
    budgets(large, options.large, scale)


def retrieval(models: Sequence[Model], halves: dict[str, list[np.ndarray]], scale: Scale) -> None:
    """(a) Each sample's nearest among the samples of the other kind of all models."""
    features = np.concatenate([np.stack(halves[m.name]) for m in models])
    vectors = scale.directions(features)
    _report("divided by sampling noise", models, _noise_scaled_cosine(scale.standardised(features), models))
    _report("standardised", models, vectors @ vectors.T)


def _noise_scaled_cosine(values: np.ndarray, models: Sequence[Model], seed: int = 0) -> np.ndarray:
    """Cosines `[2 M, 2 M]`; a model's columns are scaled by the noise between samples of models of the other fold."""
    fold = np.random.default_rng(seed).permutation(len(models)) % 2
    asked = np.array([m.size >= SMALLEST_MODEL for m in models])
    cosine = np.zeros((len(values), len(values)))
    for own in range(2):
        noise = np.square((values[0::2] - values[1::2])[(fold != own) & asked]).mean(axis=0)
        scaled = values / np.sqrt(np.maximum(noise, np.quantile(noise[noise > 0], NOISE_FLOOR)))
        scaled /= np.linalg.norm(scaled, axis=1, keepdims=True)
        rows = np.repeat(fold == own, 2)
        cosine[rows] = scaled[rows] @ scaled.T
    return cosine


def _report(name: str, models: Sequence[Model], cosine: np.ndarray) -> None:
    asked = right = twins = 0
    misses, own = [], []
    for i in (2 * m + side for m, model in enumerate(models) if model.size >= SMALLEST_MODEL for side in range(2)):
        others = np.arange(1 - i % 2, len(cosine), 2)
        found, owner = models[int(others[cosine[i, others].argmax()]) // 2], models[i // 2]
        asked, right = asked + 1, right + (found is owner)
        twins += found is not owner and found.twins == owner.twins
        own.append(cosine[i, i ^ 1])
        if found is not owner:
            misses.append(f"{owner.name} -> {found.name}")
    print(f"(a) {name}: among {len(models)} models {right} of {asked} samples find their own ({right / asked:.1%}), "
          f"{twins} a twin, {asked - right - twins} another; cosine of the two samples: median {np.median(own):.3f}, "
          f"lowest {min(own):.3f}; missed: {', '.join(misses)}", flush=True)  # fmt: skip


def permutation(models: Sequence[Model], scale: Scale) -> None:
    """(b) The view of a network and of the same network with its hidden units in another order."""
    changes, raw, outputs = [], [], []
    for model in models:
        state = _state(model.folder)
        changed, count = permuted(state, seed=0)
        if not count:
            continue
        with tempfile.TemporaryDirectory() as temporary:
            folders = [Path(temporary) / name for name in ("as-it-is", "permuted")]
            views = [
                _written(one, folder, model.folder) for one, folder in zip((state, changed), folders, strict=True)
            ]
            difference = _output_change(*folders)
        first, second = scale.directions(np.stack([_features(view) for view in views]))
        changes.append(1 - float(first @ second))
        flat = [np.ravel(view) / np.linalg.norm(view) for view in views]
        raw.append(1 - float(flat[0] @ flat[1]))
        if difference is not None:
            outputs.append(difference)
    print(f"(b) hidden units permuted in {len(changes)} models: the views change by {np.max(raw):.2e} at most "
          f"(1 - cosine), pooled and standardised by {np.max(changes):.2e}; largest output change in the "
          f"{len(outputs)} that transformers loads: {max(outputs, default=0):.1e} of their spread", flush=True
    )  # fmt: skip


def budgets(models: Sequence[Model], files: Sequence[Path], scale: Scale) -> None:
    """(c) Statistics from part of the bytes against those of all."""
    print("(c) error of the view from part of the bytes, in standard deviations over the models (median, 95 %), and "
          "of some statistics, averaged over layers (absolute)")  # fmt: skip
    for folder, name in [(m.folder, m.name) for m in models] + [(f.parent, f.name) for f in files]:
        weights = folder_weights(folder)
        whole = weights_view(weights, budget=WHOLE)
        for label, budget in BUDGETS.items():
            if budget > BUDGETS["8MiB"] or budget >= weights.total_bytes:
                continue
            part = weights_view(weights, budget=budget)
            error = np.abs(scale.standardised(_features(part.view)) - scale.standardised(_features(whole.view)))
            error = error[scale.kept]
            stated = ", ".join(f"{name} {_stated(part.view, whole.view, name):.3f}" for name in STATED)
            print(f"    {name} ({weights.total_bytes / 2**20:.1f} MiB) from {label}: {np.median(error):.2f}, "
                  f"{np.quantile(error, 0.95):.2f}; {stated}")  # fmt: skip


@dataclass(frozen=True)
class Scale:
    """Mean and spread of pooled features over the models; columns that never vary are left out."""

    mean: np.ndarray
    spread: np.ndarray
    kept: np.ndarray

    def standardised(self, features: np.ndarray) -> np.ndarray:
        return np.where(self.kept, (features - self.mean) / np.where(self.kept, self.spread, 1), 0)

    def directions(self, features: np.ndarray) -> np.ndarray:
        values = np.clip(self.standardised(features), -5, 5)
        return values / np.linalg.norm(values, axis=-1, keepdims=True)


def _scale(features: np.ndarray) -> Scale:
    spread = features.std(axis=0)
    return Scale(features.mean(axis=0), spread, spread > 1e-6)


def _features(view: np.ndarray) -> np.ndarray:
    return pooled_view(view[None]).values[0]


def _half(model: Model, index: int) -> np.ndarray:
    budget = min(LARGEST_SAMPLE, model.size // 2)
    return _features(weights_view(folder_weights(model.folder), budget=budget, part=(index, 2)).view)


def _stated(part: np.ndarray, whole: np.ndarray, name: str) -> float:
    """How far a statistic's mean over the rows that have it is off."""
    at = COLUMNS.index(name)
    sides = [view[1:, at][view[1:, at] != 0] for view in (part, whole)]
    return float(abs(sides[0].mean() - sides[1].mean())) if all(map(len, sides)) else float("nan")


def _models(folders: Sequence[Path]) -> Iterator[Model]:
    for file in sorted(path for folder in folders for path in folder.glob("*/*/model.safetensors")):
        try:
            weights = folder_weights(file.parent)
        except UserError as error:
            print(f"{file.parent}: {error}")
            continue
        card = file.parent / "README.md"
        text = card.read_text() if card.exists() else ""
        source = re.search(r"datasets:\s*(\[[^\]]*\]|(?:\n\s*- .*)+)", text)
        twins = (weights.revision, source[1] if source else "")
        yield Model("/".join(file.parent.parts[-2:]), file.parent, weights.total_bytes, twins)


def _state(folder: Path) -> State:
    from safetensors.numpy import load_file

    return load_file(folder / "model.safetensors")


def _written(state: State, folder: Path, source: Path) -> np.ndarray:
    """The view of a network that is written to `folder` with the configuration of `source`."""
    from safetensors.numpy import save_file

    folder.mkdir()
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    if (source / "config.json").exists():
        shutil.copy(source / "config.json", folder)
    return weights_view(folder_weights(folder)).view


def _output_change(first: Path, second: Path) -> float | None:
    """Largest change of the outputs on noise, over their standard deviation; `None` if transformers cannot load it."""
    import torch
    from transformers import AutoModelForImageClassification, logging

    logging.disable_progress_bar()

    found = []
    try:
        for folder in (first, second):
            network = AutoModelForImageClassification.from_pretrained(folder, dtype=torch.float32).eval()
            side = getattr(network.config, "image_size", None) or 64
            noise = torch.Generator().manual_seed(0)
            with torch.no_grad():
                pixels = torch.randn(2, getattr(network.config, "num_channels", 3), side, side, generator=noise)
                found.append(network(pixels).logits.double())
    except (ValueError, RuntimeError, OSError, TypeError):
        return None
    return float((found[0] - found[1]).abs().max() / found[0].std())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", type=Path, action="append", required=True, help="folder of model repositories")
    parser.add_argument("--large", type=Path, action="append", default=[], help="a large safetensors file")
    return parser.parse_args()


if __name__ == "__main__":
    main()
