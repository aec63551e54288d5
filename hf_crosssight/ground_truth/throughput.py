"""How fast a table was made: runs an hour and core, and the share of time that was not spent training."""

from __future__ import annotations

import json
from pathlib import Path


def throughput(table: Path | str) -> dict[str, float | int] | None:
    """Figures of the training runs in a table's records; `None` if there is none.

    Wall time is whole: loading, validating and testing count to the run that they were done for, and a process
    computes on one core unless told otherwise.
    """
    runs, seconds, training = 0, 0.0, 0.0
    for path in sorted((Path(table) / "records").glob("*.jsonl")):
        for line in path.read_bytes().splitlines():
            try:
                record = json.loads(line)
            except ValueError:  # cut short by a kill: it was run again
                continue
            if record.get("kind") == "trial" and record.get("status") == "ok":
                runs += 1
                seconds += record["seconds"]
                training += record["step_seconds"]
    if not runs or not seconds:
        return None
    return {
        "training_runs": runs,
        "training_runs_per_hour_and_process": round(3600 * runs / seconds, 1),
        "share_outside_training_steps": round(1 - training / seconds, 4),
    }
