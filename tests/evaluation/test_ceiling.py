"""The ceiling falls as the noise of a seed grows, and needs seeds."""

import numpy as np

from hf_crosssight.evaluation.ceiling import ceilings
from hf_crosssight.ground_truth.tables import table_from_rows


def table(noise, seeds=4):
    rng = np.random.default_rng(0)
    rows = [{"model": f"m{i:02d}", "dataset": "d", "score": i / 20 + noise * rng.normal()}
            for i in range(20) for _ in range(seeds)]  # fmt: skip
    return table_from_rows(rows, id="t", licence="mit", source="", unit="accuracy")


def test_ceiling_falls_with_noise_and_more_seeds_raise_it():
    (quiet,), (loud,) = ceilings(table(0.01)), ceilings(table(0.3))
    assert quiet.between_seeds > 0.9 > loud.between_seeds > 0.2
    assert loud.with_truth > loud.between_seeds
    assert quiet.with_truth <= 1.0


def test_single_seed_tables_have_none():
    assert ceilings(table(0.1, seeds=1)) == []
