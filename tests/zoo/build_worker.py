"""A process that builds an index of a folder without torch: what the kill tests start, kill and start again.

python -m tests.zoo.build_worker FOLDER OUT
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from hf_crosssight.zoo.build import build_zoo
from hf_crosssight.zoo.model_source import FolderSource
from hf_crosssight.zoo.stages import MadeModel, Stages

PAUSE = 0.03  # seconds behind each model, so that a build lasts long enough to be killed in the middle


def main(folder: str, out: str) -> None:
    """Builds, and proves that neither torch nor transformers was needed."""
    put = Stages.put

    def slowly(self: Stages, key: str, made: MadeModel) -> None:
        put(self, key, made)
        time.sleep(PAUSE)

    Stages.put = slowly  # type: ignore[method-assign]
    views = ("structure", "weights", "lineage")
    report = build_zoo(FolderSource(Path(folder)), out, views=views, workers=2)
    assert "torch" not in sys.modules, "views of numpy alone must not load torch"
    assert "transformers" not in sys.modules
    print(report.num_models, report.read, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
