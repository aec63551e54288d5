"""Trains the members of a zoo plan and saves each as a Hub model repository, its card telling its true source.

A member appears under its final name only when it is whole, so that a killed run leaves nothing half-made and the next
one goes on where it stopped; several processes may work in one folder. Weights are kept in float16, and a descendant
starts from its parent's float16 weights: the lineage is that of the files.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError

from ..errors import UserError
from ..hub.places import atomic_file
from .architectures import FAMILIES, build, make_trainable
from .labelled_images import LabelledImages, expand_datasets, load_images, resized
from .splits import balanced_rows
from .time_left import TimeLeft
from .training_loop import Normalisation, Schedule, TrainingFailedError, make_accelerator, predict, train
from .zoo_plan import Member, plan_zoo

DEFAULT_ORGANISATION = "lineage-zoo"
LOADED_SIDE = 64
_RATES_TRIED = 3  # a learning rate that diverges is halved; the card tells the one that was used
_LICENSE = "apache-2.0"

Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True)
class MadeZoo:
    """What `make_zoo` leaves: the folder; names made by this call, found whole, and held by another process."""

    folder: Path
    made: tuple[str, ...]
    found: tuple[str, ...]
    held: tuple[str, ...]


def make_zoo(
    datasets: Sequence[str],
    out: Path | str,
    *,
    count: int | None = None,
    seed: int = 0,
    only: Iterable[str] = (),
    organisation: str = DEFAULT_ORGANISATION,
    threads: int | None = 1,
    offline: bool = False,
    progress: Progress | None = None,
) -> MadeZoo:
    """Trains a zoo, or goes on with one.

    Args:
        datasets: sources: Hub ids, dataset folders, or folders of them.
        out: folder of the zoo; models become `out/organisation/name`.
        count: members, by default the whole plan (six of every family).
        only: if given, the names of the members to make; their ancestors are made too.
        threads: of the CPU; with 1 the weights are the same bit for bit on one CPU type. `None` leaves it to torch.

    Raises:
        UserError: a source that cannot be read, a folder that holds another plan, a member that the plan has not or
            that does not train, a full disk.
    """
    import torch

    if threads is not None:
        torch.set_num_threads(threads)
    sources = {_id_of(source): source for source in expand_datasets(datasets)}
    members = _chosen(plan_zoo(sorted(sources), count=count, seed=seed), frozenset(only))
    folder = _made_folder(Path(out) / organisation)
    _check_plan(folder, members)
    accelerator = make_accelerator()
    made: list[str] = []
    held: list[str] = []
    loaded = _LastLoaded(sources, offline)
    waiting = [member for member in members if not _is_whole(folder / member.name)]
    left = TimeLeft(len(waiting))
    for member in waiting:
        done = len(members) - len(waiting) + len(made)
        if progress:
            progress(f"training {organisation}/{member.name}, {left}", done, len(members))
        with _claim(folder, member.name) as ours:
            if not ours or (member.parent and not _is_whole(folder / member.parent)):
                held.append(member.name)
            elif not _is_whole(folder / member.name):
                _make(member, folder, organisation, loaded(member.source), accelerator)
                made.append(member.name)
        left.add()
    _write_table(folder.parent, organisation, members)
    gone = {*made, *held}
    return MadeZoo(folder, tuple(made), tuple(m.name for m in members if m.name not in gone), tuple(held))


def _chosen(members: list[Member], only: frozenset[str]) -> list[Member]:
    by_name = {member.name: member for member in members}
    unknown = only - set(by_name)
    if unknown:
        raise UserError(f"the plan has no member {min(unknown)!r}", f"It has {', '.join(list(by_name)[:3])}, ...")
    wanted = set(only)
    for member in reversed(members):  # parents stand before their children
        if member.name in wanted and member.parent:
            wanted.add(member.parent)
    return [member for member in members if not only or member.name in wanted]


def _made_folder(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder} cannot be made: {error}", "Name another folder with --out.") from error
    return folder


def _id_of(source: str) -> str:
    from .labelled_images import local_dataset_id

    path = Path(source).expanduser()
    return local_dataset_id(path) if source != "digits" and path.is_dir() else source


class _LastLoaded:
    """Loads a source once for members in a row that share it; keeps the last few."""

    def __init__(self, sources: dict[str, str], offline: bool, keep: int = 12) -> None:
        self.sources, self.offline, self.keep = sources, offline, keep
        self.held: dict[str, LabelledImages] = {}

    def __call__(self, source: str) -> LabelledImages:
        if source not in self.held:
            while len(self.held) >= self.keep:
                self.held.pop(next(iter(self.held)))
            self.held[source] = load_images(self.sources[source], LOADED_SIDE, offline=self.offline)
        return self.held[source]


def _check_plan(folder: Path, members: Sequence[Member]) -> None:
    """A folder holds one plan: its members are told apart by name, so another seed would mix two zoos."""
    for member in members:
        path = folder / member.name / "training.json"
        if path.is_file() and json.loads(path.read_text(encoding="utf-8"))["seed"] != member.seed:
            raise UserError(
                f"{folder} holds a zoo made with another seed", "Name a new folder with --out, or the same --seed."
            )


def _is_whole(folder: Path) -> bool:
    return (folder / "training.json").is_file()


@contextmanager
def _claim(folder: Path, name: str) -> Iterator[bool]:
    """Whether this process may make a member now; the claim ends with the process, however it ends."""
    import fcntl

    locks = folder.parent / ".locks"
    locks.mkdir(exist_ok=True)
    with (locks / f"{folder.name}-{name}").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def _make(member: Member, folder: Path, organisation: str, source: LabelledImages, accelerator: Any) -> None:
    """Trains one member and moves its repository to its place."""
    partial = folder.parent / ".partial" / f"{member.name}-{os.getpid()}"
    shutil.rmtree(partial, ignore_errors=True)
    rows = np.flatnonzero(~source.in_test)
    test = np.flatnonzero(source.in_test)
    if len(test) == 0:
        test = balanced_rows(source.labels, rows, len(rows) // 6, np.random.default_rng(0))
        rows = np.setdiff1d(rows, test)
    rows = balanced_rows(source.labels, rows, member.role.max_images, np.random.default_rng([member.seed, 1]))
    side = member.design.image_size
    images = LabelledImages(
        source.id, source.revision, resized(source.images, side), source.labels, source.in_test, source.class_names
    )
    try:
        model, facts = _train(member, folder, images, rows, accelerator)
        _save(model, partial, member, side)
        facts["source_accuracy"] = round(_accuracy(partial, images, test, accelerator), 4)
        facts["test_images"] = len(test)
        record = _facts_of(member, organisation, images, facts)
        (partial / "README.md").write_text(_card(record), encoding="utf-8")
        _write_json(partial / "training.json", record)
        partial.rename(folder / member.name)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise UserError(f"{folder} cannot be written: {error}", "Free space or name another --out.") from error
    except TrainingFailedError as error:
        raise UserError(
            f"{member.name} does not train: {error}", "Take other --datasets or another --seed."
        ) from error


def _train(
    member: Member, folder: Path, images: LabelledImages, rows: np.ndarray, accelerator: Any
) -> tuple[Any, dict[str, Any]]:
    """The trained model and what the run was like; a diverging learning rate is halved and tried again."""
    import torch

    rate = member.learning_rate
    for attempt in range(_RATES_TRIED):
        torch.manual_seed(member.seed)
        model = _start(member, folder, images.class_names)
        schedule = Schedule(member.role.epochs, rate, shift=member.role.shift, seed=member.seed)
        try:
            report = train(model, images.images[rows], images.labels[rows], schedule, Normalisation(), accelerator)
        except TrainingFailedError:
            if attempt == _RATES_TRIED - 1:
                raise
            rate /= 2
            continue
        if all(bool(torch.isfinite(value.half()).all()) for value in model.state_dict().values()):
            facts = {
                "params": sum(p.numel() for p in model.parameters()), "images": len(rows), "learning_rate": rate,
                "batch_size": report.batch_size, "steps": report.steps, "seconds": round(report.seconds, 2),
            }  # fmt: skip
            return model, facts
        rate /= 2
    raise TrainingFailedError(f"{member.name} does not fit in float16 after {_RATES_TRIED} learning rates")


def _start(member: Member, folder: Path, class_names: tuple[str, ...]) -> Any:
    """Random weights, or those of the parent's file under a new head."""
    import torch
    import transformers

    if member.parent is None:
        return build(member.design, class_names)
    config = transformers.AutoConfig.from_pretrained(folder / member.parent)
    config.id2label = dict(enumerate(class_names))
    config.label2id = {name: index for index, name in enumerate(class_names)}
    model = transformers.AutoModelForImageClassification.from_pretrained(
        folder / member.parent, config=config, dtype=torch.float32, ignore_mismatched_sizes=True
    )
    make_trainable(model)
    return model


def _save(model: Any, partial: Path, member: Member, side: int) -> None:
    model.to("cpu").half().save_pretrained(partial)
    normalisation = Normalisation()
    _write_json(
        partial / "preprocessor_config.json",
        {
            "image_processor_type": "ViTImageProcessor", "do_resize": True, "size": {"height": side, "width": side},
            "do_rescale": True, "do_normalize": True, "do_convert_rgb": True,
            "image_mean": list(normalisation.mean), "image_std": list(normalisation.std),
        },
    )  # fmt: skip


def _accuracy(folder: Path, images: LabelledImages, test: np.ndarray, accelerator: Any) -> float:
    """Accuracy of the saved float16 weights on the source's own test images."""
    import torch
    import transformers

    model = transformers.AutoModelForImageClassification.from_pretrained(folder, dtype=torch.float32)
    found = predict(model.to(accelerator.device), images.images[test], Normalisation(), accelerator)
    return float((found == images.labels[test]).mean())


def _facts_of(member: Member, organisation: str, images: LabelledImages, facts: dict[str, Any]) -> dict[str, Any]:
    return {
        "model_id": f"{organisation}/{member.name}",
        "family": member.design.family,
        "architecture": f"{FAMILIES[member.design.family][0]}ForImageClassification",
        "width": member.design.width,
        "depth": member.design.depth,
        "image_size": member.design.image_size,
        "role": member.role.name,
        "generation": member.generation,
        "base_model": f"{organisation}/{member.parent}" if member.parent else None,
        "source": images.id,
        "source_revision": images.revision,
        "classes": len(images.class_names),
        "epochs": member.role.epochs,
        "shift": member.role.shift,
        "seed": member.seed,
        **facts,
    }


def _card(record: dict[str, Any]) -> str:
    """The model card: metadata as the Hub reads it, and one paragraph."""
    base = record["base_model"]
    origin = f"fine-tuned from {base}" if base else "trained from random weights"
    lines = [
        "---",
        f"license: {_LICENSE}",
        "library_name: transformers",
        "pipeline_tag: image-classification",
        f"tags: [image-classification, {record['family']}]",
        f"datasets: [{record['source']}]",
        *([f"base_model: {base}", "base_model_relation: finetune"] if base else []),
        "model-index:",
        f"- name: {record['model_id'].split('/')[-1]}",
        "  results:",
        "  - task: {type: image-classification}",
        f"    dataset: {{name: {record['source']}, type: {record['source']}, split: test}}",
        f"    metrics: [{{type: accuracy, value: {record['source_accuracy']}}}]",
        "---",
        f"# {record['model_id']}",
        "",
        f"{record['architecture']} of {record['params']} parameters, {origin} on {record['source']}: "
        f"{record['images']} images of {record['classes']} classes at {record['image_size']} px, "
        f"{record['epochs']} epochs, AdamW, peak learning rate {record['learning_rate']:g}, one cycle, "
        f"label smoothing 0.05, shifts of up to {record['shift']} px at 64, seed {record['seed']}. "
        f"Pixels are (x / 255 - 0.45) / 0.25. Weights are stored in float16; load them with `dtype=torch.float32` "
        f"on a CPU. Accuracy on its source's {record['test_images']} test images: {record['source_accuracy']}.",
        "",
    ]
    return "\n".join(lines)


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


def _write_table(zoo: Path, organisation: str, members: Sequence[Member]) -> None:
    """`members.csv`: one line per whole member, in the plan's order."""
    paths = [zoo / organisation / member.name / "training.json" for member in members]
    rows = [json.loads(path.read_text(encoding="utf-8")) for path in paths if path.is_file()]
    if not rows:
        return
    with atomic_file(zoo / "members.csv") as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
