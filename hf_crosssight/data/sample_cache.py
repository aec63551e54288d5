"""Samples of Hub datasets kept on disk: a second run reads nothing, and a run without network finds what was read.

One Parquet file a sample in `$HF_HOME/crosssight/samples`, called after what was asked for; it names the commit.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..hub.places import atomic_file, crosssight_folder
from .draw import fingerprint
from .images import HeldImages
from .request import SampleRequest
from .sample import DatasetSample

FORMAT = "sample/2"  # part of every key: a sample of another format, or chosen by other rules, is not found
_FACTS = ("id", "revision", "split", "class_names", "num_classes", "num_rows", "description", "warnings")


def sample_path(dataset: str, revision: str | None, request: SampleRequest) -> Path:
    """Where the sample of a dataset, as named by the user, is kept."""
    from huggingface_hub import constants

    asked = json.dumps([FORMAT, constants.ENDPOINT, dataset, revision, asdict(request)], sort_keys=True)
    return crosssight_folder() / "samples" / f"{hashlib.sha256(asked.encode()).hexdigest()}.parquet"


def store(path: Path, sample: DatasetSample) -> None:
    """Writes a sample, whole or not at all; a disk that cannot be written to is no reason to stop."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    assert isinstance(sample.images, HeldImages)
    facts = {name: getattr(sample, name) for name in _FACTS}
    labels = None if sample.labels is None else pa.array(sample.labels)
    columns = {"image": pa.array([_encoded(item) for item in sample.images.held], type=pa.binary())}
    table = pa.table(columns if labels is None else {**columns, "label": labels})
    metadata = {b"sample": json.dumps(facts).encode(), b"fingerprint": sample.fingerprint.encode()}
    with contextlib.suppress(OSError), atomic_file(path) as temporary:
        pq.write_table(table.replace_schema_metadata(metadata), temporary, compression="none")


def load(path: Path, revision: str | None = None) -> DatasetSample | None:
    """The sample kept at `path`; None if there is none, if it is damaged, or if it is of another commit."""
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
        metadata = table.schema.metadata or {}
        facts: dict[str, Any] = json.loads(metadata[b"sample"])
        expected = metadata[b"fingerprint"].decode()
    except (OSError, ValueError, KeyError):
        return None
    if revision is not None and facts["revision"] != revision:
        return None
    labels = table.column("label").to_numpy().astype(np.int64) if "label" in table.column_names else None
    facts["class_names"], facts["warnings"] = tuple(facts["class_names"]), tuple(facts["warnings"])
    images = HeldImages(table.column("image").to_pylist())
    sample = DatasetSample(fingerprint="", images=images, labels=labels, **facts)
    return replace(sample, fingerprint=expected) if fingerprint(sample) == expected else None


def _encoded(item: bytes | Image.Image) -> bytes:
    if isinstance(item, bytes):
        return item
    buffer = io.BytesIO()
    item.save(buffer, "PNG")
    return buffer.getvalue()
