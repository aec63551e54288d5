"""Both presets of the weight encoder, trained on a zoo and asked what their codes know of models of unseen lineages.

    python benchmarks/train_encoder.py ZOO [ZOO ...] [--epochs 10] [--thesis-epochs 4] [--folds 5] [--out FOLDER]

Each fold holds whole lineages out of everything: of the encoder, of its normalisation, and of the linear probes that
read its frozen codes (logistic and ridge regression; penalties by inner folds of lineages). Beside the presets stand
the weights view itself, pooled (row 0, mean and spread of the others), and the parameter count; chance is the most
frequent class of the training models. `retrieval` is the share of held-out models whose one sample of bytes has the
model's other, disjoint one nearest among all models; twins of one architecture and source count as misses.

With --out, encoders that hold out nothing but the first fold are kept there with their pictures, and codes.npz has
the codes of all models for `view_worth.py --views` and `view_meaning.py --views`.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from transformers.utils import logging as transformers_logging

from hf_crosssight.evaluation.stated_accuracy import stated_accuracy
from hf_crosssight.evaluation.view_probes import usable_classes
from hf_crosssight.ground_truth.lineage import lineage_folds
from hf_crosssight.models import Arch2VecConfig, Arch2VecModel
from hf_crosssight.tokens.arch2vec import codes_of
from hf_crosssight.training.encoder_clusters import layer_clusters
from hf_crosssight.training.encoder_corpus import EncoderCorpus, read_corpus
from hf_crosssight.training.encoder_folder import save_encoder
from hf_crosssight.training.encoder_pictures import draw_clusters, draw_curves
from hf_crosssight.training.encoder_trainer import EncoderRecipe, TrainedEncoder, train_encoder
from hf_crosssight.training.encoder_validation import validate

PENALTIES = (0.1, 1.0, 10.0, 100.0, 1000.0)
Features = dict[str, np.ndarray]


def main() -> int:
    options = _options()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", module="sklearn")  # folds without a class, fits that stop early
    transformers_logging.disable_progress_bar()
    corpora = {"default": _read(options.zoo, None), "thesis": _read(options.zoo, 1024)}
    known = set(corpora["thesis"].ids)
    corpora["default"] = corpora["default"].take(np.array([m in known for m in corpora["default"].ids]).nonzero()[0])
    corpus = corpora["default"]
    print(f"{len(corpus)} models, {len(set(corpus.lineages))} lineages, {len(set(corpus.families))} families")
    folds = lineage_folds(dict(zip(corpus.ids, corpus.lineages, strict=True)), corpus.ids, options.folds, options.seed)
    fold_of = np.array([folds[model] for model in corpus.ids])
    runs = [_one_fold(corpora, fold_of == fold, options, fold) for fold in range(options.folds)]
    _print_figures([figures for _, figures in runs])
    _print_probes(corpus, [features for features, _ in runs], fold_of, options)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("zoo", type=Path, nargs="+", help="folders of model repositories")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--thesis-epochs", type=int, default=4)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


def _read(zoos: Sequence[Path], length: int | None) -> EncoderCorpus:
    first, *others = (read_corpus(zoo, chunk_length=length) for zoo in zoos)
    for other in others:
        first = first.joined(other)
    return first


def _one_fold(
    corpora: dict[str, EncoderCorpus], held: np.ndarray, options: argparse.Namespace, fold: int
) -> tuple[Features, dict[str, float]]:
    """Features of all models by encoders that saw the rest alone, and how those did on what was held out."""
    view = corpora["default"].samples[:, 0].astype(np.float32)
    features, figures = {"weights view, pooled": _pooled(view)}, {}
    pairs = [_pooled(corpora["default"].samples[:, part].astype(np.float32)) for part in (1, 2)]
    features_mean, spread = features["weights view, pooled"].mean(0), features["weights view, pooled"].std(0) + 1e-3
    figures["weights view, pooled: retrieval"] = _retrieval([(p - features_mean) / spread for p in pairs], held)
    for preset, corpus in corpora.items():
        start = time.perf_counter()
        trained = _train(preset, corpus.take(np.flatnonzero(~held)), options)
        figures[f"{preset}: seconds"] = time.perf_counter() - start
        unseen = corpus.take(np.flatnonzero(held))
        figures |= {f"{preset}: reconstruction error": validate(trained.model, unseen)["reconstruction"]}
        figures[f"{preset}: of predicting the mean"] = _of_the_mean(trained.model, unseen)
        codes = codes_of(corpus.samples[:, 0].astype(np.float32), trained.model)
        features[f"{preset}, row 0"] = codes[:, 0, 1:]
        if preset == "default":
            features["default, 5 rows"] = codes[:, :, 1:].reshape(len(codes), -1)
            halves = [codes_of(corpus.samples[:, k].astype(np.float32), trained.model)[:, 0, 1:] for k in (1, 2)]
            figures["default: retrieval"] = _retrieval(halves, held)
        clusters = layer_clusters(trained.model, unseen)
        for name, value in clusters.silhouettes.items():
            figures[f"{preset}: silhouette by {name}"] = value
            figures[f"{preset}: ... shuffled, by {name}"] = clusters.by_chance[name]
        if options.out and fold == 0:
            _keep(options.out, preset, trained, corpus, codes)
    print(f"fold {fold}: {held.sum()} held out", file=sys.stderr)
    return features, figures


def _train(preset: str, corpus: EncoderCorpus, options: argparse.Namespace) -> TrainedEncoder:
    epochs = options.epochs if preset == "default" else options.thesis_epochs
    recipe = EncoderRecipe(epochs=epochs, validation=0.1, seed=options.seed)
    return train_encoder(corpus, Arch2VecConfig.from_preset(preset), recipe=recipe)


def _keep(out: Path, preset: str, trained: TrainedEncoder, corpus: EncoderCorpus, codes: np.ndarray) -> None:
    save_encoder(trained.model, out / preset)
    draw_curves(out / preset / "curves.png", trained.curves, trained.best_epoch)
    draw_clusters(out / preset / "clusters.png", layer_clusters(trained.model, corpus), f"preset {preset}")
    stored = out / "codes.npz"
    before = dict(np.load(stored)) if stored.is_file() else {}
    name = "arch2vec" if preset == "default" else "arch2vec_thesis"
    np.savez(stored, **(before | {"ids": np.array(corpus.ids), name: codes if preset == "default" else codes[:, :1]}))


def _pooled(views: np.ndarray) -> np.ndarray:
    """Row 0, and mean and spread of the valid rows of `[M, T, D]`."""
    valid = views[:, 1:, :1]
    count = np.maximum(valid.sum(1), 1)
    mean = (views[:, 1:] * valid).sum(1) / count
    spread = np.sqrt((np.square(views[:, 1:] - mean[:, None]) * valid).sum(1) / count)
    return np.concatenate([views[:, 0, 1:], mean[:, 1:], spread[:, 1:]], axis=1)


def _retrieval(pairs: Sequence[np.ndarray], held: np.ndarray) -> float:
    """Retrieval of the held-out models among all."""
    order = np.argsort(~held, kind="stable")  # held-out models first
    first, second = (part[order] for part in pairs)
    count = int(held.sum())
    center = np.concatenate([first, second]).mean(0)
    unit = [part - center for part in (first, second)]
    unit = [part / np.maximum(np.linalg.norm(part, axis=1, keepdims=True), 1e-9) for part in unit]
    return float(((unit[0][:count] @ unit[1].T).argmax(1) == np.arange(count)).mean())


@torch.inference_mode()
def _of_the_mean(model: Arch2VecModel, corpus: EncoderCorpus) -> float:
    """The reconstruction error of answering with the mean (of the tensor's kind), under the same weights."""
    silenced = Arch2VecModel(model.config)
    silenced.load_state_dict(model.state_dict())
    last = (
        silenced.body.decoder.answer
        if model.config.input_kind == "tensor_tokens"
        else silenced.body.decoder.layers[-1]
    )
    last.weight.zero_()
    last.bias.zero_()
    return validate(silenced.eval(), corpus)["reconstruction"]


def _print_figures(folds: Sequence[dict[str, float]]) -> None:
    print(f"\non held-out lineages, mean of {len(folds)} folds ± deviation")
    for name in folds[0]:
        values = np.array([figures[name] for figures in folds])
        print(f"  {name:44s} {np.nanmean(values):8.3f} ± {np.nanstd(values):.3f}")


def _print_probes(
    corpus: EncoderCorpus, features: Sequence[Features], fold_of: np.ndarray, options: argparse.Namespace
) -> None:
    accuracy, params = _facts(options.zoo, corpus.ids)
    for fold in features:
        fold["parameter count"] = params
        fold["weights view + default"] = np.concatenate([fold["weights view, pooled"], fold["default, 5 rows"]], 1)
    for title, labels in (("architecture family", corpus.families), ("source dataset", corpus.sources)):
        named = [i for i, label in enumerate(labels) if label]
        rows = np.array(named)[usable_classes([labels[i] for i in named], [corpus.lineages[i] for i in named])]
        names = np.array(labels)
        print(f"\n{title}: {len(rows)} models, {len(set(names[rows]))} classes; accuracy on unseen lineages")
        common = _across(rows, fold_of, _majority(names))
        print(f"  {'most frequent class':28s} {np.mean(common == names[rows]):.3f}")
        for name in features[0]:
            found = _across(rows, fold_of, _class_probe(features, name, names, corpus.lineages))
            print(f"  {name:28s} {np.mean(found == names[rows]):.3f}")
    rows = np.flatnonzero(np.isfinite(accuracy))
    print(f"\nstated source accuracy: {len(rows)} models; R2 and rank correlation on unseen lineages")
    for name in features[0]:
        found = _across(rows, fold_of, _value_probe(features, name, accuracy, corpus.lineages)).astype(float)
        error = np.square(found - accuracy[rows]).sum() / np.square(accuracy[rows] - accuracy[rows].mean()).sum()
        print(f"  {name:28s} {1 - error:+.3f}  {_rank_correlation(found, accuracy[rows]):+.3f}")


def _facts(zoos: Sequence[Path], ids: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Stated accuracy `[M]`, NaN where there is none, and log parameters `[M, 1]`."""
    from hf_crosssight.hub.weight_files import folder_weights

    folders = [next(zoo / model for zoo in zoos if (zoo / model).is_dir()) for model in ids]
    stated = np.array([stated_accuracy(folder) or np.nan for folder in folders], float)
    sizes = [sum(tensor.numel for tensor in folder_weights(folder).numeric) for folder in folders]
    return stated, np.log(np.array(sizes, float))[:, None]


def _across(
    rows: np.ndarray, fold_of: np.ndarray, predict: Callable[[int, np.ndarray, np.ndarray], np.ndarray]
) -> np.ndarray:
    """Predictions for `rows`, each by what was trained without its fold."""
    found = np.empty(len(rows), object)
    for fold in np.unique(fold_of[rows]):
        held = fold_of[rows] == fold
        found[held] = predict(int(fold), rows[~held], rows[held])
    return found


def _majority(labels: np.ndarray) -> Callable[[int, np.ndarray, np.ndarray], np.ndarray]:
    def predict(fold: int, rest: np.ndarray, held: np.ndarray) -> np.ndarray:
        names, counts = np.unique(labels[rest], return_counts=True)
        return np.full(len(held), names[counts.argmax()])

    return predict


def _class_probe(
    features: Sequence[Features], name: str, labels: np.ndarray, lineages: Sequence[str]
) -> Callable[[int, np.ndarray, np.ndarray], np.ndarray]:
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, GroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def predict(fold: int, rest: np.ndarray, held: np.ndarray) -> np.ndarray:
        pipe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        width = features[fold][name].shape[1]
        grid = {"logisticregression__C": [1 / (p * max(width / 32, 1)) for p in (0.1, 1.0, 10.0)]}
        kin = np.unique([lineages[row] for row in rest], return_inverse=True)[1]
        search = GridSearchCV(pipe, grid, cv=list(GroupKFold(3).split(rest, groups=kin)))
        return search.fit(features[fold][name][rest], labels[rest]).predict(features[fold][name][held])

    return predict


def _value_probe(
    features: Sequence[Features], name: str, values: np.ndarray, lineages: Sequence[str]
) -> Callable[[int, np.ndarray, np.ndarray], np.ndarray]:
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import GridSearchCV, GroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def predict(fold: int, rest: np.ndarray, held: np.ndarray) -> np.ndarray:
        pipe = make_pipeline(StandardScaler(), Ridge())
        kin = np.unique([lineages[row] for row in rest], return_inverse=True)[1]
        grid = {"ridge__alpha": [p * max(features[fold][name].shape[1] / 32, 1) for p in PENALTIES]}
        search = GridSearchCV(pipe, grid, cv=list(GroupKFold(3).split(rest, groups=kin)), scoring="r2")
        return search.fit(features[fold][name][rest], values[rest]).predict(features[fold][name][held])

    return predict


def _rank_correlation(first: np.ndarray, second: np.ndarray) -> float:
    from scipy.stats import spearmanr

    return float(spearmanr(first, second).statistic) if np.ptp(first) > 0 else 0.0


if __name__ == "__main__":
    sys.exit(main())
