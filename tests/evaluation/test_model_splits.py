import numpy as np
import pytest

from hf_crosssight.evaluation.model_splits import (
    BOTH_UNSEEN,
    FAMILY_SETTINGS,
    ONE_FAMILY,
    ONE_FAMILY_BLIND,
    SETTINGS,
    TWO_FAMILIES_BLIND,
    UNSEEN_DATASETS,
    UNSEEN_MODELS,
    all_splits,
    families_held_out,
    folds_by_group,
    inner_folds,
)

FAMILIES = ["resnet"] * 8 + ["vit"] * 6 + ["swin"] * 4 + ["odd"]
LINEAGES = [f"{family}-{number // 2}" for number, family in enumerate(FAMILIES)]
PARENTS = ["pacs", "pacs", "mnist", "dtd", "flowers", "ham"]


def splits(**options):
    return list(all_splits(LINEAGES, FAMILIES, PARENTS, **options))


def names(values, index):
    return {values[i] for i in index}


def test_no_lineage_is_on_both_sides():
    for split in splits():
        if split.setting != UNSEEN_DATASETS:
            assert not names(LINEAGES, split.train_models) & names(LINEAGES, split.test_models)


def test_held_out_families_are_never_trained_on():
    held = [split for split in splits() if split.setting in FAMILY_SETTINGS]
    assert {split.setting for split in held} == set(FAMILY_SETTINGS)
    for split in held:
        assert not names(FAMILIES, split.train_models) & names(FAMILIES, split.test_models)
        assert split.by_family
        assert names(FAMILIES, split.test_models) == set(split.group.split(" + "))


def test_blind_datasets_share_no_parent_with_known_ones():
    blind = {BOTH_UNSEEN, UNSEEN_DATASETS, ONE_FAMILY_BLIND, TWO_FAMILIES_BLIND}
    for split in splits():
        known, tested = names(PARENTS, split.train_datasets), names(PARENTS, split.test_datasets)
        assert bool(known & tested) == (split.setting not in blind)


def test_each_model_is_held_out_once_a_seed_and_each_family_once():
    by_lineage = [split for split in splits(seeds=2) if split.setting == UNSEEN_MODELS]
    for seed in range(2):
        tested = np.concatenate([split.test_models for split in by_lineage if split.seed == seed])
        assert sorted(tested) == list(range(len(FAMILIES)))
    by_family = [split.group for split in splits() if split.setting == ONE_FAMILY]
    assert by_family == ["resnet", "swin", "vit"]  # `odd` has one model: trained on, never tested


def test_every_blind_dataset_is_tested_for_a_held_out_family():
    tested = [split.test_datasets for split in splits() if split.setting == ONE_FAMILY_BLIND and split.group == "vit"]
    assert sorted(np.concatenate(tested)) == list(range(len(PARENTS)))


def test_only_the_settings_asked_for_and_a_bounded_number_of_families():
    assert {split.setting for split in splits(settings=(ONE_FAMILY,))} == {ONE_FAMILY}
    assert {split.setting for split in splits()} == set(SETTINGS)
    assert len(splits(settings=(ONE_FAMILY,), most_families=2)) == 2


def test_families_held_out_together_are_all_choices():
    assert [name for name, _ in families_held_out(FAMILIES, 2)] == ["resnet + swin", "resnet + vit", "swin + vit"]


def test_folds_keep_groups_whole_and_differ_by_seed():
    folds = folds_by_group(LINEAGES, 4, seed=0)
    assert sorted(np.concatenate(folds)) == list(range(len(LINEAGES)))
    for number, fold in enumerate(folds):
        rest = np.concatenate(folds[:number] + folds[number + 1 :])
        assert not names(LINEAGES, fold) & names(LINEAGES, rest)
    assert [set(f) for f in folds] != [set(f) for f in folds_by_group(LINEAGES, 4, seed=1)]


def test_inner_folds_of_few_groups():
    assert len(inner_folds(["a", "a", "b"], 4, 0)) == 2
    with pytest.raises(ValueError, match="one group"):
        inner_folds(["a", "a"], 4, 0)
