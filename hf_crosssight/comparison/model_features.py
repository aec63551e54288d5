"""Features of every model of a zoo on every dataset of a comparison: each model is loaded at most once, then cached.

`features.FeatureStore` names its files by what a loaded model says of itself. A pointer beside it, named by the
content of the model's files and of the images, spares a later run the loading.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hf_crosssight.data import DatasetSample
from hf_crosssight.features import Features, FeatureStore, UnusableModelError, load_image_model
from hf_crosssight.features.load import folder_revision
from hf_crosssight.features.untrusted import one_line
from hf_crosssight.hub.places import read_text, write_text
from hf_crosssight.zoo.model_folders import ModelFolders

Progress = Callable[[str, int, int | None], None]
_SPEC = "feature-pointer/3"


@dataclass(frozen=True)
class KeptFeatures:
    """Where the features of one model on one sample lie, and the processor seconds of the forward passes."""

    file: Path
    seconds: float

    def read(self) -> Features:
        """The features."""
        with np.load(self.file, allow_pickle=False) as kept:
            return Features(kept["pooled"], kept.get("probs"))


@dataclass
class ModelFeatures:
    """Makes features and keeps where they are; only the ones that are asked for are in memory.

    Args:
        folders: where the models are.
        store: the cache.
        progress: called as `progress(step, done, total)`.

    Attributes:
        reasons: by model, why it cannot be run.
    """

    folders: ModelFolders
    store: FeatureStore = field(default_factory=FeatureStore)
    progress: Progress | None = None
    reasons: dict[str, str] = field(default_factory=dict)
    _kept: dict[tuple[str, str], KeptFeatures] = field(default_factory=dict)

    def prepare(self, wanted: Mapping[str, Sequence[DatasetSample]]) -> None:
        """Runs every model on its samples, as far as that was not done; one that cannot be run gets a reason."""
        for done, (model_id, samples) in enumerate(wanted.items()):
            if self.progress is not None:
                self.progress("running the models on the images", done, len(wanted))
            if model_id in self.reasons:
                continue
            try:
                self._prepare(model_id, samples)
            except UnusableModelError as error:
                self.reasons[model_id] = str(error)
            except Exception as error:  # a stranger's network raises whatever comes to hand
                self.reasons[model_id] = f"it cannot be run: {one_line(error)}"

    def of(self, model_id: str, sample: DatasetSample) -> KeptFeatures | None:
        """Features of a sample's images; `None` where `reasons` says why not."""
        return self._kept.get((model_id, sample.fingerprint))

    def _prepare(self, model_id: str, samples: Sequence[DatasetSample]) -> None:
        files = self.folders.find(model_id)
        revision = files.revision or folder_revision(files.folder)
        pointers = {sample.fingerprint: self._pointer(revision, sample) for sample in samples}
        known = {fingerprint: self._kept_at(pointer) for fingerprint, pointer in pointers.items()}
        missing = [sample for sample in samples if known[sample.fingerprint] is None]
        model = load_image_model(files.folder, revision=revision) if missing else None
        for sample in missing:
            assert model is not None
            begin = time.process_time()
            self.store.extract(model, sample.images, fingerprint=sample.fingerprint)
            seconds = round(time.process_time() - begin, 4)
            file = self.store.path(model, sample.fingerprint)
            write_text(pointers[sample.fingerprint], json.dumps({"file": file.name, "seconds": seconds}))
            known[sample.fingerprint] = KeptFeatures(file, seconds)
        for fingerprint, kept in known.items():
            assert kept is not None
            self._kept[model_id, fingerprint] = kept

    def _kept_at(self, pointer: Path) -> KeptFeatures | None:
        """What a pointer leads to; `None` if there is none, or the features are gone or damaged."""
        try:
            stated = json.loads(read_text(pointer) or "{}")
            kept = KeptFeatures(self.store.folder / Path(stated["file"]).name, float(stated["seconds"]))
            kept.read()
        except Exception:  # no pointer, no file, or a damaged one, for which zipfile, zlib and numpy raise their own
            return None
        return kept

    def _pointer(self, revision: str, sample: DatasetSample) -> Path:
        digest = hashlib.sha256(f"{_SPEC}|{revision}|{sample.fingerprint}".encode()).hexdigest()[:32]
        return self.store.folder / "pointers" / f"{digest}.json"


def class_prototypes(pooled: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """`[C, D]` class means of pooled features `[N, D]`, classes by ascending label."""
    return np.stack([pooled[labels == label].mean(axis=0) for label in np.unique(labels)])
