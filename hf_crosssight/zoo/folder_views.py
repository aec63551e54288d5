"""All views that a ranker reads of a folder's models: weights and probe too, kept from one ranking to the next.

Reading structure and card takes no time, so `folder.read_folder` does it anew. The other views read the weights and
run the networks once: they are built as an index in the cache, which a later call goes on with. A model that changed
is read again, one that is gone is left out, and what a killed call had read is kept.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from hf_crosssight.hub.places import crosssight_folder
from hf_crosssight.tokens.views import in_order
from hf_crosssight.zoo.build import BuildReport, build_zoo
from hf_crosssight.zoo.folder import read_folder
from hf_crosssight.zoo.index import ZooIndex
from hf_crosssight.zoo.model_source import FolderSource
from hf_crosssight.zoo.model_views import READ_PER_MODEL

Progress = Callable[[str, int, int | None], None]

WITHOUT_READING_WEIGHTS = ("structure", "card")
_WORKERS = 2  # the probe takes turns anyway; the second worker reads weights meanwhile


def folder_zoo(folder: str | Path, views: Iterable[str], *, progress: Progress | None = None) -> ZooIndex:
    """The models of a folder with these views, as far as they can be made.

    Args:
        folder: model repositories, `name/` or `org/name/`.
        views: names of views; those that are made from other files (lineage, arch2vec) are not made here.
        progress (*optional*): called as `progress(step, done, total)`.

    Returns:
        `ZooIndex`: what was left out stands in `skipped`; `remarks` tell how many models lack a view, and why.

    Raises:
        UserError: the folder holds no model that can be used.
    """
    wanted = tuple(name for name in in_order(views) if name in READ_PER_MODEL)
    if set(wanted) <= set(WITHOUT_READING_WEIGHTS):
        return read_folder(folder, progress=progress)
    wanted = in_order([*wanted, *WITHOUT_READING_WEIGHTS])
    with tempfile.TemporaryDirectory(prefix="crosssight-zoo-") as scratch:
        kept = _kept(Path(folder))
        out = kept if _can_be_written(kept) else Path(scratch)
        report = build_zoo(FolderSource(Path(folder)), out, views=wanted, workers=_WORKERS, progress=progress)
        zoo = ZooIndex.open(out, id=str(folder))
        if out != kept:
            zoo = _in_memory(zoo)
    zoo.skipped = tuple(sorted(report.skipped.items()))
    zoo.remarks = _lacking(report, wanted)
    return zoo


def _kept(folder: Path) -> Path:
    """Where the index of a folder is kept: named by the folder's place."""
    place = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:24]
    return crosssight_folder() / "folder_zoos" / place


def _can_be_written(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)


def _in_memory(zoo: ZooIndex) -> ZooIndex:
    """The zoo with its views read: the files that they would be mapped from are about to go."""
    views = {name: zoo.views[name].copy() for name in zoo.views}
    return ZooIndex(zoo.id, zoo.table, views, zoo.view_mask, sources=zoo.sources)


def _lacking(report: BuildReport, views: Sequence[str]) -> tuple[str, ...]:
    """One line a view that some models lack, with the first of the reasons."""
    found = []
    for view in views:
        reasons = {model: own[view] for model, own in report.missing_views.items() if view in own}
        if reasons:
            found.append(_told(view, reasons, report.num_models))
    return tuple(found)


def _told(view: str, reasons: Mapping[str, str], count: int) -> str:
    model = min(reasons)
    return f"{len(reasons)} of {count} models have no {view} view, so less is known of them; {model}: {reasons[model]}"
