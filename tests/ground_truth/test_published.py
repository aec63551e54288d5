"""Published tables: each trap of the sources as a small CSV, and what must come of it."""

import numpy as np
import pytest

from hf_crosssight.errors import UserError
from hf_crosssight.ground_truth.datasets import dataset_key, parent_of, published_datasets, stand_ins
from hf_crosssight.ground_truth.published import load_published
from hf_crosssight.ground_truth.tables import table_from_rows, tasks_of


def write(folder, name, header, rows):
    (folder / name).write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n")


@pytest.fixture
def transfergraph(tmp_path):
    header = "setting,model,dataset,test_accuracy,val_accuracy,train_time_s,degenerate_target"
    rows = [("full70", f"org/m{i}", "stanfordcars", 0.1 * i, 0.9, 3, 0) for i in range(6)]
    rows += [("full70", f"org/m{i}", "food101", 0.01, 0.9, 3, 1) for i in range(6)]
    rows += [("vtab1k_800", f"org/m{i}", "svhn_cropped", 0.5, 0.1 * i, 3, 0) for i in range(6)]
    write(tmp_path, "transfergraph_image.csv", header, rows)
    return tmp_path


def test_collapsed_targets_are_dropped_and_test_accuracy_alone_is_read(transfergraph):
    tables = load_published(transfergraph)
    assert [table.id for table in tables] == ["transfergraph_full70"]  # svhn is constant: it ranks nothing
    assert tables[0].datasets == ("cars",)
    assert tables[0].scores[0] == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4, 0.5])
    assert not tables[0].licensed


def test_parc_rows_that_its_authors_exclude_are_dropped_and_self_transfer_is_marked(tmp_path):
    header = "architecture,source_dataset,target_dataset,accuracy,excluded_by_parc_metrics,self_transfer"
    rows = [("resnet50", source, "cub200", 50 + i, 0, 0) for i, source in enumerate(
        ["nabird", "oxford_pets", "caltech101", "imagenet", "stanford_dogs", "cub200"])]  # fmt: skip
    rows.append(("resnet50", "swav_imagenet", "cub200", 99, 1, 0))
    write(tmp_path, "parc_all.csv", header, rows)
    (table,) = load_published(tmp_path)
    assert "parc/resnet50.swav_imagenet" not in table.models
    assert "timm/resnet50.tv_in1k" in table.models
    (task,) = tasks_of([table])
    assert "parc/resnet50.cub200" not in task.models
    assert len(task.models) == 5


def test_model_spider_keeps_ties_and_leaves_mixtures_and_regression_out(tmp_path):
    header = "zoo,dataset,task,model,architecture,source_dataset,finetuned_score,score_unit,ft_rank,n_models,in_42"
    models = ["googlenet", "resnet50", "resnet101", "densenet121", "mobilenet_v2"]
    rows = [("single_source_10", "Pet", "classification", m, m, "imagenet", score, "accuracy_percent", 0, 10, "")
            for m, score in zip(models, [91.5, 92.5, 92.5, 93.1, 90.0], strict=True)]  # fmt: skip
    rows += [
        ("single_source_10", "UTKFace", "regression", m, m, "imagenet", -5, "neg_error", 0, 10, "") for m in models
    ]
    rows += [("single_source_10", "c0", "meta_train_mixture", m, m, "imagenet", "", "", 0, 10, "") for m in models]
    write(tmp_path, "model_spider_ranks.csv", header, rows)
    (table,) = load_published(tmp_path)
    assert table.datasets == ("pets",)
    assert len(np.unique(table.scores)) == 4
    assert table.licence == "mit"


def test_seeds_become_repeats_and_the_score_their_mean(tmp_path):
    rows = [(f"small-zoo/m{i}", "zoo-bench/mnist", seed, 0.1 * i + 0.02 * seed) for i in range(5) for seed in (0, 1)]
    write(tmp_path, "small_zoo_finetune.csv", "model_id,dataset_id,seed,accuracy", rows)
    (table,) = load_published(tmp_path)
    assert table.scores[0, 2] == pytest.approx(0.21)
    assert table.repeats.shape == (1, 5, 2)


def test_one_dataset_has_one_key_and_one_parent_in_all_tables():
    for names in (("CIFAR-100", "cifar100", "CIFAR100"), ("Pet", "oxford_iiit_pet", "OxfordIIITPets", "Pets")):
        assert len({dataset_key(name) for name in names}) == 1
    assert parent_of("cifar10") == parent_of("zoo-bench/cifar10") == parent_of("CIFAR100")
    assert len({parent_of(f"zoo-bench/pacs-{d}") for d in ("photo", "sketch", "cartoon", "art-painting")}) == 1
    assert len({parent_of(f"zoo-bench/{d}") for d in ("mnist", "usps", "hoda-digits", "sklearn-digits")}) == 4
    assert parent_of("never-heard-of") == "never-heard-of"


def test_every_key_is_consistent_and_targets_are_described():
    datasets = published_datasets()
    assert all(dataset_key(key) == key and parent_of(key) == d.parent for key, d in datasets.items())
    assert all(d.description or key.startswith("zoo-bench/") for key, d in datasets.items())


def test_stand_ins_leave_out_targets_without_images(tmp_path):
    write(tmp_path, "target_images.csv", "published_target,zoo_bench_dataset,match,note",
          [("pets", "zoo-bench/oxford-pets-5", "part", "x"), ("aircraft", "", "none", "x")])  # fmt: skip
    assert {key: one.match for key, one in stand_ins(tmp_path).items()} == {"pets": "part"}


def test_a_folder_without_tables_is_refused(tmp_path):
    with pytest.raises(UserError, match="none of the published tables"):
        load_published(tmp_path)
    with pytest.raises(UserError, match="no table"):
        load_published(tmp_path / "nowhere")


def test_a_tables_shape_must_fit_its_names():
    table = table_from_rows([{"model": "a", "dataset": "d", "score": 1}], id="x", licence="mit", source="", unit="%")
    with pytest.raises(ValueError, match="datasets, models"):
        type(table)("x", "mit", "", "%", ("d",), ("a", "b"), table.scores, table.self_transfer)
