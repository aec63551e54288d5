import numpy as np

from hf_crosssight.evaluation.view_probes import probe_classes, probe_values, usable_classes

RNG = np.random.default_rng(0)
LABELS = [f"class {i % 3}" for i in range(60)]
LINEAGES = [f"{i % 3}-{i // 6}" for i in range(60)]  # two models a lineage, all of one class


def features(signal: bool) -> np.ndarray:
    noise = np.random.default_rng(1).normal(size=(60, 8))
    if signal:
        noise[:, 0] += 4 * np.array([i % 3 for i in range(60)])
    return noise


def test_a_planted_class_is_recovered():
    found = probe_classes([features(signal=True)], LABELS, LINEAGES, seeds=2)
    assert found.accuracy.min() > 0.85
    assert found.balanced.min() > 0.85
    assert found.permuted.max() < 0.65
    assert (found.models, found.classes, len(found.accuracy)) == (60, 3, 2)


def test_noise_tells_no_class():
    found = probe_classes([features(signal=False)], LABELS, LINEAGES, seeds=2)
    assert found.accuracy.max() < 0.55


def test_a_class_known_by_its_kin_alone_is_not_found():
    # a column that names the lineage exactly helps only where kin are on both sides
    mark = np.eye(30)[[sorted(set(LINEAGES)).index(lineage) for lineage in LINEAGES]]
    assert probe_classes([mark], LABELS, LINEAGES, seeds=1).accuracy[0] < 0.55
    assert probe_classes([mark], LABELS, [str(i) for i in range(60)], seeds=1).accuracy[0] > 0.75


def test_a_planted_value_is_recovered_and_noise_is_not():
    values = features(signal=True)[:, 0]
    found = probe_values([features(signal=True)], values, ["g"] * 60, LINEAGES, seeds=2)
    assert found.r2.min() > 0.8
    assert found.spearman.min() > 0.8
    assert found.pairs.min() > 0.85
    assert found.permuted.max() < 0.3
    nothing = probe_values([features(signal=False)], RNG.normal(size=60), ["g"] * 60, LINEAGES, seeds=2)
    assert nothing.r2.max() < 0.15


def test_pairs_are_counted_within_a_group_only():
    values = np.arange(60.0)
    found = probe_values([values[:, None]], values, [str(i) for i in range(60)], LINEAGES, seeds=1)
    assert np.isnan(found.pairs[0])


def test_classes_of_few_lineages_are_left_out():
    labels = ["a", "a", "a", "b", "b", "b"]
    assert usable_classes(labels, ["1", "2", "3", "4", "4", "5"]).tolist() == [0, 1, 2]
    assert usable_classes(labels, ["1", "2", "3", "4", "4", "5"], fewest=2).tolist() == [0, 1, 2, 3, 4, 5]


def test_the_same_seed_gives_the_same_figures():
    first, second = (probe_classes([features(signal=True)], LABELS, LINEAGES, seeds=1) for _ in range(2))
    assert np.array_equal(first.accuracy, second.accuracy)
