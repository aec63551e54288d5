"""What predicting the costs of 100,000 models on a device takes: CPU milliseconds of one call, best and median of ten.

python benchmarks/hardware_speed.py
"""

from __future__ import annotations

import json
import time
from statistics import median

import numpy as np

from hf_crosssight.hardware.catalogue import find_device
from hf_crosssight.hardware.model_shape import zoo_shapes
from hf_crosssight.hardware.predict import predict_costs
from hf_crosssight.zoo.open import open_zoo

_MODELS = 100_000


def main() -> None:
    shapes = zoo_shapes(open_zoo("starter"))
    many = shapes.take(np.resize(np.arange(len(shapes)), _MODELS))
    for name in ("rtx4090", "i7-12700h"):
        device = find_device(name)
        predict_costs(many, device)
        taken = []
        for _ in range(10):
            begun = time.process_time()
            predict_costs(many, device)
            taken.append(1e3 * (time.process_time() - begun))
        print(
            json.dumps(
                {
                    "device": name,
                    "models": _MODELS,
                    "best_ms": round(min(taken), 1),
                    "median_ms": round(median(taken), 1),
                }
            )
        )


if __name__ == "__main__":
    main()
